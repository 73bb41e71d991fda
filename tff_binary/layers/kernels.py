# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Finds and replaces the kernels of Keras layers, and rebuilds models."""

import collections
import contextlib
import inspect
import operator

import tensorflow as tf


def is_kernel(variable):
  """The default of `is_compressed`: whether `variable` has rank >= 2."""
  return len(variable.shape) >= 2


def check_dtypes(variables):
  """Checks that weight layers can train variables: they compute in float32.

  Args:
    variables: `tf.Variable`s.

  Raises:
    ValueError: If one is not float32; the message has its name.
  """
  for variable in variables:
    if variable.dtype != tf.float32:  # Python values.
      raise ValueError(
          'Compressed variables must be float32, got'
          f' {variable.name} of {variable.dtype.name}. Give its layer'
          " dtype='float32', or leave it out with is_compressed."
      )


def find(layer, is_compressed=is_kernel):
  """Returns the trainable kernels among the attributes of a layer.

  The attributes of a recurrent layer's cell count as the layer's.

  Args:
    layer: A built `tf.keras.layers.Layer`.
    is_compressed: A function from a `tf.Variable` to a bool.

  Returns:
    A dict from attribute paths, such as `'kernel'` or `'cell.kernel'`, to
    variables.
  """
  trainable = {variable.ref() for variable in layer.trainable_weights}
  holders = {'': layer}
  if isinstance(getattr(layer, 'cell', None), tf.keras.layers.Layer):
    holders['cell.'] = layer.cell
  found = {
      prefix + name: value
      for prefix, holder in holders.items()
      for name, value in vars(holder).items()
      if isinstance(value, tf.Variable)
      and value.ref() in trainable
      and is_compressed(value)
  }
  # Replacing a kernel under one of two names would leave the other in use.
  names = collections.Counter(variable.ref() for variable in found.values())
  return {path: v for path, v in found.items() if names[v.ref()] < 2}


def get(layer, path):
  """Returns the attribute of `layer` at `path`, see `find`."""
  return operator.attrgetter(path)(layer)


def put(layer, path, value):
  """Sets the attribute of `layer` at `path`, see `find`.

  The attribute's variable remains one of the layer's weights, which it would
  not with `setattr`.

  Args:
    layer: A `tf.keras.layers.Layer`.
    path: An attribute path.
    value: The new value.
  """
  holder, _, name = path.rpartition('.')
  object.__setattr__(get(layer, holder) if holder else layer, name, value)


@contextlib.contextmanager
def restoring(layer, paths):
  """A context at whose end the attributes at `paths` have their old values."""
  values = {path: get(layer, path) for path in paths}
  try:
    yield
  finally:
    for path, value in values.items():
      put(layer, path, value)


class WrapperMixin:
  """What `tf.keras.layers.Wrapper` lacks to stand in for any layer."""

  def __init__(self, layer, *args, **kwargs):
    super().__init__(layer, *args, **kwargs)
    self.supports_masking = layer.supports_masking

  def compute_mask(self, inputs, mask=None):
    return self.layer.compute_mask(inputs, mask)

  def accepted(self, kwargs):
    """Returns `kwargs` without those that Keras adds and `layer` lacks."""
    parameters = inspect.signature(self.layer.call).parameters
    return {
        name: value
        for name, value in kwargs.items()
        if name in parameters or name not in ('training', 'mask')
    }

  def get_config(self):
    # In the newer serialization, a registered layer in a wrapper is not found
    # in an .h5 file, and in a .keras file it builds itself before its wrapper.
    layer = tf.keras.utils.legacy.serialize_keras_object(self.layer)
    return {**super().get_config(), 'layer': layer}

  def get_build_config(self):
    # A shape from a .keras file is a list, which recurrent layers take for a
    # list of shapes. Without one, the layer is built by its first call.
    return None


def _variables(values):
  """Returns the variables among `values`; the weights of a lookup are none."""
  return [value for value in values if isinstance(value, tf.Variable)]


def _describe(layer):
  return f'layer {layer.name!r} of type {type(layer).__name__}'


def _clone(layer):
  """Returns a new, unbuilt layer with the configuration of `layer`."""
  try:
    return layer.__class__.from_config(layer.get_config())
  except Exception as e:
    raise ValueError(
        f'{_describe(layer)} cannot be built anew from its get_config(), which'
        f' a copy of the model needs: {e}'
    ) from e


def replace_layers(model, source, replacement):
  """Copies a model, its weights included, with other layers.

  Layers are copied by their configuration. What that does not hold, most of all
  that two layers share a variable, a copy would lose without a word; here it is
  an error.

  Args:
    model: A built Sequential or functional `tf.keras.Model`; left unchanged.
    source: A function from a layer of `model` to the built layer to copy.
    replacement: A function from a layer of `model` and the unbuilt copy of its
      source to the layer that takes its place: the copy, or one around it.

  Returns:
    A built copy of `model`, and a dict from the references of the sources'
    variables to the variables of the copies.

  Raises:
    ValueError: If a layer cannot be copied, if layers share a variable in any
      other way than that one layer is called twice, or if a variable or a loss
      would be lost.
  """
  _check_own_parts(model)
  pairs = []

  def clone_function(layer):
    old = source(layer)
    pairs.append((old, _clone(old)))
    return replacement(layer, pairs[-1][1])

  copy = tf.keras.models.clone_model(model, clone_function=clone_function)
  if not copy.built:  # A Sequential model without an Input.
    copy.build(model.input_shape)
  copies = {}
  for old, new in pairs:
    if _num_callable_losses(new) < _num_callable_losses(old):
      _refuse_added_loss(old)
    for variable, of_copy in zip(old.weights, new.weights):
      if not isinstance(variable, tf.Variable):  # The table of a lookup.
        continue
      # The same variable, or a second copy of it.
      if of_copy is variable or variable.ref() in copies:
        _refuse_tie(model, old.name, variable)
      copies[variable.ref()] = of_copy
    new.set_weights(old.get_weights())
  _check_uses_none_of(model, copy)
  return copy, copies


def _check_own_parts(model):
  """Raises a ValueError if a part of `model` belongs to none of its layers."""
  for layer in model.layers:
    for node in layer.inbound_nodes:
      arguments = tf.nest.flatten((node.call_args, node.call_kwargs))
      for variable in _variables(arguments):
        _refuse_tie(model, layer.name, variable)
  in_layers = {v.ref() for l in model.layers for v in _variables(l.weights)}
  for variable in _variables(model.weights):
    if variable.ref() not in in_layers:
      raise ValueError(
          f'a copy of {_describe(model)} would lose {variable.name}, which'
          ' belongs to none of its layers'
      )
  if model._callable_losses:  # pylint: disable=protected-access
    _refuse_added_loss(model)


def _refuse_added_loss(layer):
  raise ValueError(
      f'a copy of {_describe(layer)} would lose what its add_loss was given;'
      ' regularizers are kept'
  )


def _num_callable_losses(layer):
  # pylint: disable=protected-access
  return sum(len(l._callable_losses) for l in layer._flatten_layers())


def _check_uses_none_of(model, copy):
  """Raises a ValueError if `copy` computes with a variable of `model`.

  It does where a function refers to one, which no attribute shows.
  """
  if copy.dynamic:  # What its layers compute with, a trace does not show.
    return

  @tf.function(autograph=False)
  def call(inputs):
    outputs = [copy(inputs, training=training) for training in (False, True)]
    return outputs, copy.losses

  inputs = tf.nest.map_structure(lambda x: x.type_spec, copy.input)
  graph = call.get_concrete_function(inputs).graph
  used = {variable.ref() for variable in graph.variables}
  for variable in _variables(model.variables):
    if variable.ref() in used:
      operation = graph.capture(variable.handle).consumers()[0].name
      scopes = operation.split('/')
      names = {layer.name for layer in copy.layers}.intersection(scopes)
      _refuse_tie(model, min(names, default=operation), variable)


def _refuse_tie(model, name, variable):
  """Raises the error that layer `name` uses a variable of another one."""
  owners = [
      layer.name
      for layer in model.layers
      if variable.ref() in {v.ref() for v in _variables(layer.weights)}
  ]
  names = dict.fromkeys([name, *owners])  # Each once, the user first.
  raise ValueError(
      f'{variable.name} is shared by {" and ".join(map(repr, names))} in a way'
      f' that a copy of model {model.name!r} would lose. Call one layer twice'
      ' instead of giving a variable to two.'
  )


def wrap_kernels(model, wrap, is_compressed=is_kernel):
  """Returns a copy of `model` in which every layer with kernels is wrapped.

  Args:
    model: A built Sequential or functional `tf.keras.Model`; left unchanged.
    wrap: A function `(layer, kernel_paths) -> wrapper` from an unbuilt layer
      and the attribute paths of its kernels, see `find`. The wrapper has the
      layer as its attribute `layer`.
    is_compressed: A function from a `tf.Variable` to a bool.

  Returns:
    A new, uncompiled model of the same weights.

  Raises:
    ValueError: If `model` is neither Sequential nor functional or not built; if
      it has no kernel, or a trainable one that `find` does not find in the
      layers of `model`; or if it cannot be copied, see `replace_layers`.
  """
  if not isinstance(model, tf.keras.Sequential) and not getattr(
      model, '_is_graph_network', False
  ):
    raise ValueError(
        'model must be a Sequential or functional tf.keras.Model, whose layers '
        f'can be replaced, got {getattr(model, "name", model)!r} of type '
        f'{type(model).__name__}'
    )
  if not model.built:
    raise ValueError(
        f'model {model.name!r} has no variables yet: build it, or call it once'
    )
  found = {layer: find(layer, is_compressed) for layer in model.layers}
  reached = {v.ref() for kernels in found.values() for v in kernels.values()}
  for layer in [*model.layers, model]:
    missed = [
        variable.name
        for variable in layer.trainable_weights
        if is_compressed(variable) and variable.ref() not in reached
    ]
    if missed:
      raise ValueError(
          f'layer {layer.name!r} of type {type(layer).__name__} has kernels '
          f'out of reach: {", ".join(missed)}. Within reach are the attributes '
          'of the layers of a Sequential or functional model and of the cells '
          'of recurrent layers. Exclude other kernels with is_compressed, or '
          'convert a nested model before it is nested.'
      )
  if not reached:
    raise ValueError(f'model {model.name!r} has no trainable kernel')

  def replacement(layer, copy):
    paths = list(found[layer])
    return wrap(copy, paths) if paths else copy

  wrapped, _ = replace_layers(model, lambda layer: layer, replacement)
  return wrapped
