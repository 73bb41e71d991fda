# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""FedAvg (McMahan et al., AISTATS 2017), 32 bits per parameter both ways."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry


@dataclasses.dataclass(frozen=True)
class FedAvg(registry.Hyperparameters):
  """FedAvg has no hyper-parameters beyond those of local training."""


@registry.register(
    'fedavg',
    title='FedAvg',
    source='McMahan et al., AISTATS 2017',
    summary='float32 updates, the yardstick',
    hyperparameters=FedAvg,
)
def build_fedavg(model_fn, *, hyperparameters=FedAvg(), **kwargs):
  """Builds FedAvg with the client work and metrics of all other methods.

  Unlike `tff.learning.algorithms.build_weighted_fed_avg` it averages
  BatchNorm's moving statistics.

  Args:
    model_fn: A no-arg function that returns a
      `tff.learning.models.VariableModel`.
    hyperparameters: A `FedAvg`.
    **kwargs: Keyword arguments of `tff_binary.learning.build_learning_process`.

  Returns:
    A `tff.learning.templates.LearningProcess`.
  """
  del hyperparameters  # There are none.
  return tff_binary.learning.build_learning_process(
      model_fn, codec=tff_binary.wire.Float32Codec(), **kwargs
  )
