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
"""Applies an aggregated update to both halves of the model weights."""

import collections
from typing import Optional

import tensorflow as tf
import tensorflow_federated as tff


def build_model_update_finalizer(
    weights_type: tff.Type,
    update_type: tff.Type,
    server_optimizer: Optional[tff.learning.optimizers.Optimizer] = None,
) -> tff.learning.templates.FinalizerProcess:
  """Builds the finalizer for updates `<trainable=..., non_trainable=...>`.

  The server optimizer takes a step on the trainable weights, with the negative
  update as gradient, since an update is trained minus initial. The
  non-trainable update is added: BatchNorm's moving statistics follow the
  clients' mean (TFF's `build_apply_optimizer_finalizer` leaves them at their
  initial values). Non-trainable tensors that are not floats stay as they are.

  An update of zeros, which is what a round without any usable client gives,
  changes neither weights nor optimizer state.

  Args:
    weights_type: A `tff.Type` of `tff.learning.models.ModelWeights`.
    update_type: The type of the update; `non_trainable` has the float tensors
      of the non-trainable weights, in their order.
    server_optimizer: A `tff.learning.optimizers.Optimizer`; by default SGD with
      learning rate 1, which adds the update.

  Returns:
    A `tff.learning.templates.FinalizerProcess`; its state is the optimizer's.
  """
  if server_optimizer is None:
    server_optimizer = tff.learning.optimizers.build_sgdm(learning_rate=1.0)

  @tff.tensorflow.computation
  def initialize():
    specs = tff.types.type_to_tf_tensor_specs(weights_type.trainable)
    return server_optimizer.initialize(specs)

  state_type = initialize.type_signature.result

  @tff.tensorflow.computation(state_type, weights_type, update_type)
  @tf.function
  def apply_update(state, weights, update):
    gradient = tf.nest.map_structure(tf.negative, update['trainable'])
    new_state, trainable = server_optimizer.next(
        state, weights.trainable, gradient
    )
    changed = tf.constant(False)
    for x in tf.nest.flatten(update):
      changed = tf.logical_or(changed, tf.reduce_any(tf.not_equal(x, 0.0)))
    keep = lambda new, old: tf.where(changed, new, old)
    updates = iter(update['non_trainable'])
    non_trainable = [
        w + next(updates) if w.dtype.is_floating else w
        for w in weights.non_trainable
    ]
    return (
        tf.nest.map_structure(keep, new_state, state),
        tff.learning.models.ModelWeights(
            tf.nest.map_structure(keep, trainable, weights.trainable),
            non_trainable,
        ),
    )

  @tff.federated_computation
  def init_fn():
    return tff.federated_eval(initialize, tff.SERVER)

  @tff.federated_computation(
      init_fn.type_signature.result,
      tff.FederatedType(weights_type, tff.SERVER),
      tff.FederatedType(update_type, tff.SERVER),
  )
  def next_fn(state, weights, update):
    new_state, new_weights = tff.federated_map(
        apply_update, (state, weights, update)
    )
    return tff.templates.MeasuredProcessOutput(
        new_state,
        new_weights,
        tff.federated_value(collections.OrderedDict(), tff.SERVER),
    )

  return tff.learning.templates.FinalizerProcess(init_fn, next_fn)
