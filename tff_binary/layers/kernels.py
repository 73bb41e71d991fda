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


def clone(layer):
  """Returns a new, unbuilt layer with the configuration of `layer`."""
  return layer.__class__.from_config(layer.get_config())


def replace_layers(model, function):
  """Copies a model, but for its weights, with other layers.

  Args:
    model: A built Sequential or functional `tf.keras.Model`.
    function: A function from a layer of `model` to its unbuilt replacement.

  Returns:
    A built copy of `model`, and a list of the pairs of old and new layers.
  """
  pairs = []

  def clone_function(layer):
    pairs.append((layer, function(layer)))
    return pairs[-1][1]

  copy = tf.keras.models.clone_model(model, clone_function=clone_function)
  if not copy.built:  # A Sequential model without an Input.
    copy.build(model.input_shape)
  return copy, pairs


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
      layers of `model`.
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

  def function(layer):
    paths = list(found[layer])
    return wrap(clone(layer), paths) if paths else clone(layer)

  wrapped, pairs = replace_layers(model, function)
  for old, new in pairs:
    (new.layer if found[old] else new).set_weights(old.get_weights())
  return wrapped
