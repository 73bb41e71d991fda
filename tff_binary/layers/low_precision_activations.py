# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Activations and back-propagated errors in block floating point."""

from typing import Optional

import tensorflow as tf

from tff_binary.layers import kernels
from tff_binary.ops import block_floating_point
from tff_binary.ops import seeds

# Layers whose outputs are rounded.
_ACTIVATIONS = (
    'Activation', 'ELU', 'LeakyReLU', 'PReLU', 'ReLU', 'Softmax',
    'ThresholdedReLU',
)  # pyformat: disable
_ROUNDED = (
    'AveragePooling1D', 'AveragePooling2D', 'AveragePooling3D', 'Conv1D',
    'Conv1DTranspose', 'Conv2D', 'Conv2DTranspose', 'Conv3D',
    'Conv3DTranspose', 'Dense', 'DepthwiseConv1D', 'DepthwiseConv2D',
    'Dot', 'EinsumDense', 'Embedding', 'GaussianDropout', 'GaussianNoise',
    'GlobalAveragePooling1D',
    'GlobalAveragePooling2D', 'GlobalAveragePooling3D', 'GlobalMaxPooling1D',
    'GlobalMaxPooling2D', 'GlobalMaxPooling3D', 'Lambda', 'MaxPooling1D',
    'MaxPooling2D', 'MaxPooling3D', 'SeparableConv1D', 'SeparableConv2D',
    'UpSampling1D', 'UpSampling2D', 'UpSampling3D',
    *_ACTIVATIONS,
)  # pyformat: disable
# The same, unless all that they feed are activations.
_ROUNDED_AFTER_ACTIVATION = (
    'Add', 'Average', 'BatchNormalization', 'GroupNormalization',
    'LayerNormalization', 'Maximum', 'Minimum', 'Multiply', 'Subtract',
    'UnitNormalization',
)  # pyformat: disable
# Layers that move numbers about, leave some out or prepare the input.
_PASSED = (
    'ActivityRegularization', 'CategoryEncoding', 'CenterCrop', 'Concatenate',
    'Cropping1D', 'Cropping2D', 'Cropping3D', 'Discretization', 'Dropout',
    'Flatten', 'Hashing', 'InputLayer', 'IntegerLookup', 'Masking',
    'Normalization', 'Permute', 'RepeatVector', 'Rescaling', 'Reshape',
    'Resizing', 'SpatialDropout1D', 'SpatialDropout2D', 'SpatialDropout3D',
    'StringLookup', 'TextVectorization', 'ZeroPadding1D', 'ZeroPadding2D',
    'ZeroPadding3D',
)  # pyformat: disable
# What Keras makes of operators and TensorFlow functions in functional models.
_OPERATIONS = {'TFOpLambda': _ROUNDED, 'SlicingOpLambda': _PASSED}


def quantize_activations(
    model: tf.keras.Model, bits: int, seed: tf.Tensor
) -> None:
  """Makes a model compute with activations and errors of b bits.

  What dense layers, convolutions, activation functions and pooling put out is
  rounded stochastically to block floating point, with one exponent for the
  whole batch, and so is the gradient that flows back into it. What
  normalization and the sum of two branches put out is rounded if no activation
  function follows, and behind that if one does; layers know what follows them
  in Sequential and functional models. The logits are rounded, too; the model's
  inputs are not. What a layer computes inside stays in the model's precision,
  and so does what a subclassed model or layer computes between those that it
  holds. The layers are changed in place, variables and configurations stay as
  they are.

  A draw depends on the seed, on the layer and on what the layer puts out.

  Source: LPT (Li et al., NeurIPS 2024) and the authors' code,
  github.com/digbangbang/LPT-FL, models.py.

  Args:
    model: A built `tf.keras.Model` of any kind.
    bits: b, a Python int in `[2, 16]`.
    seed: An int32 tensor of shape `[2]`.

  Raises:
    ValueError: If there is a layer of another type, and nobody knows where in
      it to round.
  """
  leaves = [
      layer
      for layer in model.submodules
      if isinstance(layer, tf.keras.layers.Layer)
  ]
  for index, layer in enumerate(leaves):
    _check_own_weights(layer)
    if not _parts(layer) and _is_rounded(layer):
      _round_outputs(layer, bits, seeds.fold_in(seed, index))


def _parts(layer):
  """Returns the layers that a layer holds."""
  return [
      part
      for part in layer.submodules
      if isinstance(part, tf.keras.layers.Layer)
  ]


def _check_own_weights(layer):
  """Raises unless it is known how a layer uses its own variables, if any."""
  in_parts = {v.ref() for part in _parts(layer) for v in part.variables}
  own = [v.name for v in layer.variables if v.ref() not in in_parts]
  if _kind(layer) is None and (own or not _parts(layer)):
    raise ValueError(
        f'Layer {layer.name!r} of type {type(layer).__name__} computes in a'
        ' way that cannot be reached, so its activations cannot be rounded.'
        ' Those of dense layers, convolutions, embeddings, normalization,'
        ' pooling, activation functions, sums of branches and'
        ' tf.keras.layers.Lambda can, in Sequential, functional and subclassed'
        ' models.'
    )


def _kind(layer) -> Optional[tuple[str, ...]]:
  """Returns which of the lists above has a layer's type; None if none has."""
  if type(layer).__name__ in _OPERATIONS:
    return _OPERATIONS[type(layer).__name__]
  for base in type(layer).__mro__:
    for kind in (_ROUNDED, _ROUNDED_AFTER_ACTIVATION, _PASSED):
      if base.__name__ in kind and base is getattr(
          tf.keras.layers, base.__name__
      ):
        # A subclass with a call of its own may compute anything.
        return kind if type(layer).call is base.call else None
  return None


def _is_linear(layer):
  """Whether a layer does nothing at all, but perhaps cast."""
  return (
      isinstance(layer, tf.keras.layers.Activation)
      and layer.activation is tf.keras.activations.linear
  )


def _is_rounded(layer):
  kind = _kind(layer)
  if kind is _ROUNDED_AFTER_ACTIVATION:
    return not _feeds_activations(layer)
  return kind is _ROUNDED and not _is_linear(layer)


def _feeds_activations(layer):
  """Whether a layer is followed by activation functions, and those alone."""
  following = [node.layer for node in layer.outbound_nodes]
  return bool(following) and all(
      _feeds_activations(other)
      if _kind(other) is _PASSED or _is_linear(other)
      else type(other).__name__ in _ACTIVATIONS
      for other in following
  )


def _round_outputs(layer, bits, seed):
  """Replaces the `call` of one layer."""
  call = layer.call

  def rounded(x):
    if not x.dtype.is_floating:
      return x
    return block_floating_point.quantize_both_ways(
        x, bits, 'tensor', seeds.of_values(seed, [x])
    )

  @tf.autograph.experimental.do_not_convert
  def rounded_call(*args, **kwargs):
    return tf.nest.map_structure(rounded, call(*args, **kwargs))

  kernels.put(layer, 'call', rounded_call)
