# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""FedDQ: fewer bits as updates shrink."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry


@dataclasses.dataclass(frozen=True)
class FedDQ(registry.Hyperparameters):
  """Hyper-parameters of FedDQ."""

  resolution: float = registry.hyperparameter(
      0.005,
      'b = ceil(log2(range / resolution)) bits for a tensor, in units of a'
      ' weight; b is kept in [1, 16]',
      minimum=1e-8,
      maximum=10.0,
      source='github.com/lqu-001/FedDQ, fashion_mnist',
  )


@registry.register(
    'feddq',
    title='FedDQ',
    source='Qu et al., 2021',
    summary='trained updates rounded at a fixed resolution, with ever fewer bits',
    hyperparameters=FedDQ,
)
def build_feddq(model_fn, *, hyperparameters=FedDQ(), **kwargs):
  """Builds FedDQ: a few bits per compressed parameter up, 32 down.

  Args:
    model_fn: A no-arg function that returns a
      `tff.learning.models.VariableModel`.
    hyperparameters: A `FedDQ`.
    **kwargs: Keyword arguments of `tff_binary.learning.build_learning_process`.

  Returns:
    A `tff.learning.templates.LearningProcess`.
  """
  return tff_binary.learning.build_learning_process(
      model_fn,
      codec=tff_binary.wire.RangeCodec(hyperparameters.resolution),
      **kwargs,
  )
