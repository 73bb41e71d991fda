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
"""Joins client work, aggregator and finalizer to a learning process."""

import collections
from collections.abc import Callable
from typing import Optional

import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import aggregators
from tff_binary import distributors
from tff_binary import wire
from tff_binary.layers import weight_layer
from tff_binary.learning import finalizers
from tff_binary.learning import local_training as local_training_lib

ModelAggregator = tff.aggregators.WeightedAggregationFactory


def build_learning_process(
    model_fn: Callable[[], tff.learning.models.VariableModel],
    *,
    codec: wire.Codec,
    build_weight_layer: Optional[
        Callable[[], weight_layer.WeightLayer]
    ] = None,
    element_spec: Optional[collections.OrderedDict[str, tf.TensorSpec]] = None,
    local_training: Optional[local_training_lib.LocalTraining] = None,
    server_optimizer: Optional[tff.learning.optimizers.Optimizer] = None,
    is_compressed: aggregators.IsCompressed = aggregators.is_kernel,
    wrap_aggregator: Callable[
        [ModelAggregator], ModelAggregator
    ] = lambda factory: factory,
    seed: int = 0,
) -> tff.learning.templates.LearningProcess:
  """Builds the process of a method whose clients keep no state.

  Server weights in float32 -> clients train with the weight layers -> kernels
  packed by the codec, all other trainable tensors and the changes of the
  non-trainable ones in float32 -> weighted mean -> server optimizer.

  Args:
    model_fn: A no-arg function that returns a
      `tff.learning.models.VariableModel`, for example from `keras_model_fn`.
    codec: The codec of the compressed tensors.
    build_weight_layer: Returns a new layer for one compressed tensor; `None`
      trains all tensors in place.
    element_spec: The spec of a client's data; by default features and labels as
      in the model's `input_spec`, and a client id.
    local_training: How clients train.
    server_optimizer: The server's optimizer for the trainable weights; by
      default SGD with learning rate 1.
    is_compressed: Which trainable tensors are compressed, a predicate on a
      `tf.TensorSpec` with the variable's name; by default those of rank >= 2.
    wrap_aggregator: A function from the aggregation factory of the trainable
      tensors to the factory to use, for example
      `lambda f: tff.aggregators.clipping_factory(1.0, f)`.
    seed: The seed of all that clients draw.

  Returns:
    A `tff.learning.templates.LearningProcess`. Clients' data are sequences of
    one element, see `client_dataset`.

  Raises:
    TypeError: If `model_fn` does not return a `VariableModel`.
    ValueError: If no trainable tensor is compressed.
  """
  if local_training is None:
    local_training = local_training_lib.LocalTraining()
  with tf.Graph().as_default():
    model = model_fn()
    if not isinstance(model, tff.learning.models.VariableModel):
      raise TypeError(
          'model_fn must return a tff.learning.models.VariableModel, got'
          f' {model!r}. See tff_binary.learning.keras_model_fn.'
      )
    weights_type = tff.learning.models.weights_type_from_model(model)
    compressed = [
        bool(is_compressed(tf.TensorSpec(v.shape, v.dtype, v.name)))
        for v in model.trainable_variables
    ]
    if not any(compressed):
      raise ValueError(
          'No trainable variable is compressed: is_compressed refused'
          f' {[v.name for v in model.trainable_variables]}.'
      )
    if element_spec is None:
      element_spec = _default_element_spec(model.input_spec)

  def build_weight_layers():
    return [
        build_weight_layer() if build_weight_layer is not None and c else None
        for c in compressed
    ]

  @tff.tensorflow.computation
  def initial_weights():
    return tff.learning.models.ModelWeights.from_model(model_fn())

  client_work = local_training_lib.build_client_work(
      model_fn, element_spec, build_weight_layers, local_training, seed
  )
  client_result_type = client_work.next.type_signature.result.result.member
  aggregator = aggregators.ModelUpdateFactory(
      trainable=wrap_aggregator(
          aggregators.PackedMeanFactory(codec, compressed)
      ),
      non_trainable=aggregators.PackedMeanFactory(
          wire.Float32Codec(), is_compressed=lambda spec: False
      ),
  ).create(client_result_type.update, client_result_type.update_weight)
  return tff.learning.templates.compose_learning_process(
      initial_weights,
      distributors.build_float32_broadcast(weights_type, compressed),
      client_work,
      aggregator,
      finalizers.build_model_update_finalizer(
          weights_type, client_result_type.update, server_optimizer
      ),
  )


def _default_element_spec(input_spec):
  features, labels = (
      input_spec.values() if isinstance(input_spec, dict) else input_spec
  )
  return collections.OrderedDict(
      features=features,
      labels=labels,
      client_id=tf.TensorSpec((), tf.int32),
  )
