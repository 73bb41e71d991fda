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
