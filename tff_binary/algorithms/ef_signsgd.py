# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""EF-SignSGD: scaled signs, and clients that keep the error, 1 bit up."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry


@dataclasses.dataclass(frozen=True)
class EFSignSGD(registry.Hyperparameters):
  """EF-SignSGD has no hyper-parameters beyond those of local training."""


@registry.register(
    'ef_signsgd',
    title='EF-SignSGD',
    source='Karimireddy et al., ICML 2019',
    summary='scaled signs of trained updates, with error feedback',
    hyperparameters=EFSignSGD,
)
def build_ef_signsgd(model_fn, *, hyperparameters=EFSignSGD(), **kwargs):
  """Builds EF-SignSGD: 1 bit per compressed parameter up, 32 down.

  A client keeps one float32 per compressed parameter between its rounds.

  Args:
    model_fn: A no-arg function that returns a
      `tff.learning.models.VariableModel`.
    hyperparameters: A `EFSignSGD`.
    **kwargs: Keyword arguments of `tff_binary.learning.build_learning_process`.

  Returns:
    A `tff_binary.learning.StatefulLearningProcess`.
  """
  del hyperparameters  # There are none.
  return tff_binary.learning.build_learning_process(
      model_fn,
      codec=tff_binary.wire.BinaryCodec(),
      build_weight_layer=tff_binary.layers.ErrorFeedback,
      **kwargs,
  )
