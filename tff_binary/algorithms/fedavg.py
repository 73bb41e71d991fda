# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""FedAvg (McMahan et al., AISTATS 2017), 32 bits per parameter both ways."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry


@registry.register(
    'fedavg',
    title='FedAvg',
    source='McMahan et al., AISTATS 2017',
    summary='float32 updates, the yardstick',
)
@dataclasses.dataclass(frozen=True)
class FedAvg(registry.Hyperparameters):
  """FedAvg with the client work and metrics of all other methods.

  Unlike `tff.learning.algorithms.build_weighted_fed_avg` it averages
  BatchNorm's moving statistics.
  """

  def method(self, seed=0):
    return tff_binary.learning.Method()


build_fedavg = registry.get('fedavg').build
