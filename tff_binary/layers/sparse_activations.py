# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Layers that compute their weights' gradients from sparse inputs."""

from collections.abc import Sequence

import tensorflow as tf

from tff_binary.layers import kernels
from tff_binary.ops import sparsity

# What they compute before their activation is linear in the inputs for a given
# kernel, and linear in kernel and bias for given inputs.
_SUPPORTED = (
    'Conv1D',
    'Conv1DTranspose',
    'Conv2D',
    'Conv2DTranspose',
    'Conv3D',
    'Conv3DTranspose',
    'Dense',
    'DepthwiseConv1D',
    'DepthwiseConv2D',
    'EinsumDense',
)


def sparsify_gradients(
    model: tf.keras.Model, variables: Sequence[tf.Variable], keep_ratio: float
) -> None:
  """Makes layers of a model compute gradients from their largest inputs.

  A layer `y = f(x, w)` keeps its output and the gradient with respect to x; the
  gradient with respect to w becomes that of `f` at x with zeros in place of all
  but the share `keep_ratio` of largest magnitude of the whole batch. The layers
  are changed in place, variables and configurations stay as they are.

  Source: SWAT (Raihan and Aamodt, NeurIPS 2020).

  Args:
    model: A built `tf.keras.Model` of any kind.
    variables: The kernels whose gradients are concerned. A bias may be among
      them, of any rank: its gradient is the same from any inputs.
    keep_ratio: A Python float in (0, 1]; at 1 nothing is changed.

  Raises:
    ValueError: If a variable belongs to a layer of another type than dense,
      convolution, transposed or depthwise convolution.
  """
  if keep_ratio >= 1.0:
    return
  supported_calls = [getattr(tf.keras.layers, n).call for n in _SUPPORTED]
  wanted = {v.ref() for v in variables}
  owners = {}
  for layer in model.submodules:
    if isinstance(layer, tf.keras.layers.Layer):
      found = kernels.find(layer, lambda v: v.ref() in wanted)
      owners.update((v.ref(), (layer, name)) for name, v in found.items())
  for variable in variables:
    layer, name = owners.get(variable.ref(), (model, ''))
    # A subclass with a call of its own may compute anything.
    if type(layer).call not in supported_calls:
      raise ValueError(
          f'Gradients from sparse inputs are for kernels of {_SUPPORTED}, but'
          f' {variable.name} belongs to layer {layer.name!r} of type'
          f' {type(layer).__name__}. Leave it out with is_compressed.'
      )
    if name != 'bias':
      _sparsify_layer(layer, name, keep_ratio)


def _sparsify_layer(layer, kernel_name, keep_ratio):
  """Replaces the `call` of one layer."""
  call, activation = layer.call, layer.activation
  names = [kernel_name]
  if isinstance(layer.bias, tf.Variable):
    names.append('bias')

  def linear(inputs, weights):
    """Returns what `layer` computes with `weights` before its activation."""
    with kernels.restoring(layer, [*names, 'activation']):
      for name, weight in zip(names, weights):
        kernels.put(layer, name, weight)
      kernels.put(layer, 'activation', None)
      return call(inputs)

  @tf.custom_gradient
  def linear_with_sparse_gradient(inputs, *weights):
    def grad(upstream):
      with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = linear(inputs, weights)
      inputs_gradient = tape.gradient(outputs, inputs, upstream)
      k = sparsity.num_largest(keep_ratio, tf.size(inputs))
      sparse_inputs = sparsity.keep_largest(inputs, k)
      with tf.GradientTape() as tape:
        tape.watch(weights)
        outputs = linear(sparse_inputs, weights)
      return inputs_gradient, *tape.gradient(outputs, weights, upstream)

    return linear(inputs, weights), grad

  @tf.autograph.experimental.do_not_convert
  def sparse_call(inputs):
    outputs = linear_with_sparse_gradient(
        tf.cast(inputs, layer.compute_dtype),
        *(tf.convert_to_tensor(getattr(layer, name)) for name in names),
    )
    return outputs if activation is None else activation(outputs)

  kernels.put(layer, 'call', sparse_call)
