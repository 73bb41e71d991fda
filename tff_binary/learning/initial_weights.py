# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The weights with which a process starts."""

from collections.abc import Callable

import tensorflow as tf
import tensorflow_federated as tff


def build_initial_weights(
    model_fn: Callable[[], tff.learning.models.VariableModel],
    model: tff.learning.models.VariableModel,
    graph: tf.Graph,
) -> tff.Computation:
  """Builds the computation of the initial `ModelWeights`.

  As in TFF, a model's initializers draw them whenever the computation is run.
  Where `model_fn` assigns other values after that, because it loads weights or
  a whole model, the weights are these values; stock TFF forgets them.

  Args:
    model_fn: A no-arg function that returns the model.
    model: What it has returned in `graph`.
    graph: A `tf.Graph` that holds nothing else.

  Returns:
    A no-arg `tff.Computation`.

  Raises:
    ValueError: If `model_fn` returns a model that it has returned before.
  """
  if _has_assignments(model, graph):
    loaded = tf.nest.map_structure(
        lambda v: v.numpy(),
        tff.learning.models.ModelWeights.from_model(model_fn()),
    )

    @tff.tensorflow.computation
    def loaded_weights():
      return tf.nest.map_structure(tf.constant, loaded)

    return loaded_weights

  @tff.tensorflow.computation
  def initial_weights():
    new_model = model_fn()
    check_is_new(new_model)
    return tff.learning.models.ModelWeights.from_model(new_model)

  return initial_weights


def check_is_new(model: tff.learning.models.VariableModel):
  """Checks that a model was made in the graph that is being built.

  Args:
    model: What `model_fn` has returned.

  Raises:
    ValueError: If its variables are others'.
  """
  graph = tf.compat.v1.get_default_graph()
  for variable in [*model.trainable_variables, *model.non_trainable_variables]:
    # That of an eager variable has no graph.
    if getattr(variable.handle, 'graph', None) is not graph:
      raise ValueError(
          'model_fn must build a new model, with new layers, whenever it is'
          f' called; {variable.name} was there before.'
      )


def _has_assignments(model, graph):
  """Whether anything but its initializer is assigned to a model's variable."""
  variables = [*model.trainable_variables, *model.non_trainable_variables]
  handles = {v.handle.op.name for v in variables}
  initializers = {v.initializer.name for v in variables}
  return any(
      op.inputs[0].op.name in handles and op.name not in initializers
      for op in graph.get_operations()
      if op.type == 'AssignVariableOp'
  )
