# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""An upper bound of a Keras model's Lipschitz constant.

The FedBiF paper compares the Lipschitz constants of global models (figure 6)
without saying in its main text how they are computed. Here it is the product of
spectral norms along the model, as in Virmaux and Scaman, NeurIPS 2018, section
4, with sums where paths meet.
"""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tff_binary.analysis import operators

_layers = tf.keras.layers

# What is affine in its input, in inference. A chain of these is one operator.
_AFFINE = (
    _layers.AveragePooling1D, _layers.AveragePooling2D,
    _layers.BatchNormalization, _layers.Conv1D, _layers.Conv1DTranspose,
    _layers.Conv2D, _layers.Conv2DTranspose, _layers.Conv3D, _layers.Cropping1D,
    _layers.Cropping2D, _layers.Dense, _layers.DepthwiseConv2D, _layers.Flatten,
    _layers.GlobalAveragePooling1D, _layers.GlobalAveragePooling2D,
    _layers.Permute, _layers.Rescaling, _layers.Reshape,
    _layers.SeparableConv2D,
    _layers.ZeroPadding1D, _layers.ZeroPadding2D,
)  # pyformat: disable
# What is the identity in inference.
_IDENTITIES = (
    _layers.Dropout, _layers.GaussianDropout, _layers.GaussianNoise,
    _layers.SpatialDropout1D, _layers.SpatialDropout2D,
)  # pyformat: disable
# The largest slopes of activations; softmax as a map of vectors.
_SLOPES = {
    'elu': 1.0,
    'gelu': 1.1290,
    'hard_sigmoid': 0.2,
    'leaky_relu': 1.0,
    'linear': 1.0,
    'relu': 1.0,
    'relu6': 1.0,
    'selu': 1.7581,
    'sigmoid': 0.25,
    'silu': 1.0999,
    'softmax': 1.0,
    'softplus': 1.0,
    'softsign': 1.0,
    'swish': 1.0999,
    'tanh': 1.0,
}


class UnboundedError(ValueError):
  """No bound is known; the message names the layer."""


class LipschitzBound:
  """A bound of the Euclidean Lipschitz constant of a model in inference.

  Every chain of affine layers, such as a convolution with the batch
  normalization after it, is one operator, of which the spectral norm counts.
  That of a chain is at most the product of its layers'. Sums of paths have the
  sum of their bounds, activations and poolings their largest slopes. For a
  model that is one chain, the bound is the Lipschitz constant itself.

  Spectral norms are found by power iteration, which stops slightly below them,
  see `operators.spectral_norm`.

  The instance follows the model's weights: it can be called again after they
  have changed.
  """

  def __init__(self, model: tf.keras.Model, exact: bool = False):
    """Initializes the bound.

    Args:
      model: A Sequential or functional Keras model with inputs of known shape.
      exact: Whether spectral norms come from the singular value decomposition
        of each operator's matrix, for small models.

    Raises:
      UnboundedError: If the model has a layer without a known bound.
    """
    self._exact = exact
    self._norms = []  # Functions of no arguments, one for each chain.
    # An expression of these: a function from their values to the bound.
    outputs = [
        self._closed(path)
        for path in self._paths(model, [(lambda norms: 1.0, ())])
    ]
    self._value = lambda norms: _root_of_squares(f(norms) for f in outputs)

  def __call__(self) -> float:
    """Returns the bound for the model's present weights."""
    return self._value([float(norm()) for norm in self._norms])

  # A path is a function from `norms` to a bound, for a tensor that lies before
  # the affine layers that make up the path's second element.

  def _paths(self, model, input_paths):
    """Returns the path to each output of a model, given those to its inputs."""
    if not getattr(model, '_is_graph_network', False):
      raise UnboundedError(
          f'{model.name} is no Sequential or functional model with inputs of'
          ' known shape'
      )
    known = dict(zip(map(_origin, model.inputs), input_paths))

    def path_to(tensor):
      origin = _origin(tensor)
      if origin not in known:
        # pylint: disable-next=protected-access
        layer, node, position = tensor._keras_history
        arguments = layer.inbound_nodes[node].keras_inputs
        outputs = self._through(
            layer, arguments[0].shape[1:], [path_to(x) for x in arguments]
        )
        known[origin] = outputs[position]
      return known[origin]

    return [path_to(x) for x in model.outputs]

  def _through(self, layer, shape, paths):
    """Returns the path to each output of a layer, `shape` being its input's."""
    if isinstance(layer, tf.keras.Model):
      return self._paths(layer, paths)
    if type(layer) in _IDENTITIES:
      return paths
    if type(layer) in _AFFINE:
      (bound, chain), = paths
      path = bound, (*chain, (layer, tuple(shape)))
      if _is_linear(layer):
        return [path]
      slope = _slope_of(layer, layer.activation)
      closed = self._closed(path)
      return [(lambda norms: slope * closed(norms), ())]
    bounds = [self._closed(path) for path in paths]
    return [(_joined(layer, bounds), ())]

  def _closed(self, path):
    """Returns the bound of a path to its end."""
    bound, chain = path
    if not chain:
      return bound
    number = len(self._norms)
    self._norms.append(_norm(chain, self._exact))
    return lambda norms: norms[number] * bound(norms)


def _origin(tensor):
  """Returns what tells a Keras tensor from all others."""
  # pylint: disable-next=protected-access
  layer, node, position = tensor._keras_history
  return id(layer), node, position


def _norm(chain, exact):
  """Returns a function that returns the spectral norm of a chain of layers."""
  layer, shape = chain[0]
  if None in shape:
    raise UnboundedError(f'the input of {layer.name} has the shape {shape}')

  def function(x):
    for layer, _ in chain:
      x = _affine_part(layer, x)
    return x

  if exact:
    return lambda: np.linalg.norm(operators.dense_matrix(function, shape), 2)
  # A concrete one: to make many functions here is meant.
  return tf.function(
      lambda: operators.spectral_norm(function, shape), autograph=False
  ).get_concrete_function()


def _affine_part(layer, x):
  """Calls an affine layer without its activation."""
  if _is_linear(layer):
    return layer(x, training=False)
  activation = layer.activation
  layer.activation = tf.keras.activations.linear
  try:
    return layer(x, training=False)
  finally:
    layer.activation = activation


def _is_linear(layer):
  activation = getattr(layer, 'activation', None)
  return activation in (None, tf.keras.activations.linear)


def _slope_of(layer, activation):
  name = getattr(activation, '__name__', type(activation).__name__)
  if name not in _SLOPES:
    raise UnboundedError(f'{layer.name} has the activation {name}')
  return _SLOPES[name]


def _joined(layer, bounds):
  """Returns the bound behind a layer that is not affine."""
  kind = type(layer)
  if kind is _layers.Add:
    return lambda norms: sum(b(norms) for b in bounds)
  if kind is _layers.Average:
    return lambda norms: sum(b(norms) for b in bounds) / len(bounds)
  if kind is _layers.Concatenate:
    return lambda norms: _root_of_squares(b(norms) for b in bounds)
  slope = _slope(layer)
  (bound,) = bounds
  return lambda norms: slope * bound(norms)


def _slope(layer: Any) -> float:
  """Returns the Lipschitz constant of a layer without weights, or a bound."""
  kind = type(layer)
  if kind is _layers.Activation:
    return _slope_of(layer, layer.activation)
  if kind is _layers.ReLU:
    return max(1.0, abs(float(layer.negative_slope)))
  if kind is _layers.LeakyReLU:
    return max(1.0, abs(float(layer.alpha)))
  if kind is _layers.ELU:
    return max(1.0, abs(float(layer.alpha)))
  if kind in (
      _layers.Softmax, _layers.GlobalMaxPooling1D, _layers.GlobalMaxPooling2D
  ):
    return 1.0
  if kind in (_layers.MaxPooling1D, _layers.MaxPooling2D):
    # An entry can be the largest one of every window that it is in.
    windows = [
        math.ceil(size / stride)
        for size, stride in zip(layer.pool_size, layer.strides)
    ]
    return math.sqrt(math.prod(windows))
  raise UnboundedError(f'{layer.name} is a {kind.__name__}')


def _root_of_squares(values):
  return math.sqrt(sum(v * v for v in values))
