# Copyright 2026 The tff_binary Authors.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
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
