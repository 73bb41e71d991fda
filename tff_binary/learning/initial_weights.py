# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The weights with which a process starts."""

from collections.abc import Callable

import tensorflow as tf
import tensorflow_federated as tff


def build_initial_weights(
    model_fn: Callable[[], tff.learning.models.VariableModel],
) -> tuple[tff.Computation, tff.learning.models.VariableModel, tf.Graph]:
  """Builds the computation of the initial `ModelWeights`.

  As in TFF, a model's initializers draw them whenever the computation is run.
  Where `model_fn` assigns other values after that, because it loads weights or
  a whole model, the weights are these values; stock TFF forgets them.

  Args:
    model_fn: A no-arg function that returns the model.

  Returns:
    A no-arg `tff.Computation`, and the model and the graph that it was made of:
    a large model takes seconds.

  Raises:
    TypeError: If `model_fn` is no function, such as a `FunctionalModel`, or
      does not return a `VariableModel`.
    ValueError: If it returns a model that it has returned before.
  """
  if not callable(model_fn):
    raise TypeError(
        'model_fn must be a function without parameters that returns a new'
        ' tff.learning.models.VariableModel, for example from'
        f' tff_binary.learning.keras_model_fn, got {model_fn!r}. Layers take'
        " the place of a Keras model's kernels, which a FunctionalModel hides."
    )
  made = []

  @tff.tensorflow.computation
  def initial_weights():
    model = model_fn()
    if not isinstance(model, tff.learning.models.VariableModel):
      raise TypeError(
          'model_fn must return a tff.learning.models.VariableModel, got'
          f' {model!r}. See tff_binary.learning.keras_model_fn.'
      )
    check_is_new(model)
    made.append((model, tf.compat.v1.get_default_graph()))
    return tff.learning.models.ModelWeights.from_model(model)

  ((model, graph),) = made
  if not _has_assignments(model, graph):
    return initial_weights, model, graph
  loaded = tf.nest.map_structure(
      lambda v: v.numpy(),
      tff.learning.models.ModelWeights.from_model(model_fn()),
  )

  @tff.tensorflow.computation
  def loaded_weights():
    return tf.nest.map_structure(tf.constant, loaded)

  return loaded_weights, model, graph


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
