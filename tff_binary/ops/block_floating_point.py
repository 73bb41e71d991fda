# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Block floating point: integers of b bits with one exponent for each block.

An entry of a block with the exponent e is one of the numbers

  k * 2**(e - b + 2),  k an integer in [-2**(b - 1), 2**(b - 1) - 1],

so that the block reaches from -2**(e + 1) to less than 2**(e + 1). Its exponent
is the smallest one whose numbers reach around all entries. Then no entry is
cut off and stochastic rounding has no bias; and as the numbers of a smaller
exponent are the finer ones, what has been rounded once stays what it is.

Source: Li et al., "Low Precision Local Training is Enough for Federated
Learning", NeurIPS 2024, and the authors' code, github.com/digbangbang/LPT-FL,
quantizer.py. There e is floor(log2(max |x|)): largest entries within the last
step are cut off, and blocks that have been rounded to -2**(e + 1) are rounded
again more coarsely.

All functions compute in float32. Numbers next to float32's largest one, beyond
`max_value`, may become infinite. Steps are not below 2**-126, so that subnormal
numbers may count as zero.
"""

import tensorflow as tf

from tff_binary.ops import rounding
from tff_binary.ops import seeds

MIN_BITS, MAX_BITS = 2, rounding.MAX_BITS
# 'tensor': one block. 'channel': a block for each place along the last axis,
# the output channels of Keras' dense and convolution kernels. 'kernel': one for
# each place along the last two axes, that is one for each pair of an input and
# an output channel of a convolution, and one for each entry of a matrix (as in
# the authors' code). A vector is one block in any case.
BLOCKS = ('tensor', 'channel', 'kernel')

_KEPT_AXES = {'tensor': 0, 'channel': 1, 'kernel': 2}
_MIN_EXPONENT_OF_STEP = -126
_MAX_EXPONENT = 127
_MANTISSA_BITS = 23
_EXPONENT_BIAS = 127


def max_value(bits):
  """Returns the largest number of `bits` bits, a Python float."""
  return (2 ** (bits - 1) - 1) * 2.0 ** (_MAX_EXPONENT - bits + 2)


def block_shape(shape, blocks):
  """Returns the shape of the exponents of a tensor, of the tensor's rank.

  Args:
    shape: A static `tf.TensorShape`.
    blocks: One of `BLOCKS`.

  Returns:
    A list of ints: 1 for the axes along which entries share an exponent.
  """
  kept = _KEPT_AXES[blocks] if shape.rank > 1 else 0
  return [1] * (shape.rank - kept) + shape[shape.rank - kept :].as_list()


def exponents(x, bits, blocks='tensor'):
  """Returns the exponent e of each block.

  Args:
    x: A float32 tensor. Axes along which entries share an exponent may be of
      unknown size.
    bits: b, a Python int in `[2, 16]`.
    blocks: One of `BLOCKS`.

  Returns:
    An int32 tensor of the shape `block_shape`, in `[bits - 128, 127]`.
  """
  kept = _KEPT_AXES[blocks] if x.shape.rank > 1 else 0
  axes = list(range(x.shape.rank - kept))
  bound = max_value(bits)
  # Of no entries at all, or only negative ones, the highest one is 0.
  highest = tf.clip_by_value(tf.reduce_max(x, axes, keepdims=True), 0.0, bound)
  lowest = tf.clip_by_value(-tf.reduce_min(x, axes, keepdims=True), 0.0, bound)
  largest = tf.maximum(highest, lowest)
  # The bits of a float32's exponent, which are floor(log2) exactly.
  field = tf.bitwise.right_shift(
      tf.bitcast(largest, tf.int32), tf.constant(_MANTISSA_BITS, tf.int32)
  )
  minimum = _MIN_EXPONENT_OF_STEP + bits - 2
  e = tf.clip_by_value(field - _EXPONENT_BIAS, minimum, _MAX_EXPONENT)
  # In units of 2**e, the positive numbers end at `top`, the negative ones at 2.
  top = 2.0 - 2.0 ** (2 - bits)
  scale = _power_of_two(e)
  highest, lowest = highest / scale, lowest / scale
  fits_below = tf.logical_and(highest <= 0.5 * top, lowest <= 1.0)
  e += tf.cast(highest > top, tf.int32) - tf.cast(fits_below, tf.int32)
  return tf.clip_by_value(e, minimum, _MAX_EXPONENT)


def step_sizes(e, bits):
  """Returns 2**(e - b + 2), float32, of the shape of the exponents `e`."""
  return _power_of_two(e - (bits - 2))


def encode(x, e, bits, noise):
  """Rounds every entry stochastically to its integer k.

  Args:
    x: A float32 tensor of any shape `s`.
    e: Its `exponents`, or larger ones.
    bits: b, a Python int in `[2, 16]`.
    noise: A float32 tensor of shape `s`, uniform in `[0, 1)`.

  Returns:
    A float32 tensor of shape `s`, integers in `[-2**(b - 1), 2**(b - 1) - 1]`;
    what is not finite stays so.
  """
  return rounding.stochastic_round(x / step_sizes(e, bits), noise)


def quantize(x, bits, blocks, seed):
  """Rounds a tensor stochastically to block floating point.

  Args:
    x: A float tensor of any shape `s`.
    bits: b, a Python int in `[2, 16]`.
    blocks: One of `BLOCKS`.
    seed: An int32 tensor of shape `[2]`.

  Returns:
    A tensor of shape `s` and of `x`'s dtype, in expectation `x` to 2**-24 of a
    step; what is not finite stays so, to be seen. A bfloat16 holds the numbers
    of 8 bits and less.
  """
  values = tf.saturate_cast(x, tf.float32)
  e = exponents(values, bits, blocks)
  noise = seeds.coarse_uniform(tf.shape(values), seed)
  rounded = encode(values, e, bits, noise) * step_sizes(e, bits)
  result = tf.saturate_cast(rounded, x.dtype)
  if x.dtype == rounded.dtype:  # Python values.
    return result
  # The cast to a smaller dtype makes finite numbers of infinite ones.
  return tf.where(tf.math.is_finite(x), result, x)


def quantize_gradient(x, bits, blocks, seed):
  """Returns `x`; the gradient that flows back through it is rounded.

  Args:
    x: See `quantize`.
    bits: See `quantize`.
    blocks: See `quantize`.
    seed: See `quantize`.

  Returns:
    A tensor equal to `x`.
  """

  @tf.custom_gradient
  def identity(x):
    return tf.identity(x), lambda g: quantize(g, bits, blocks, seed)

  return identity(x)


def quantize_both_ways(x, bits, blocks, seed):
  """Rounds a tensor, and the gradient that flows back through it as well.

  Args:
    x: See `quantize`.
    bits: See `quantize`.
    blocks: See `quantize`.
    seed: See `quantize`; the gradient draws by another one.

  Returns:
    What `quantize` returns.
  """

  @tf.custom_gradient
  def rounded(x):
    return quantize(x, bits, blocks, seeds.fold_in(seed, 0)), (
        lambda g: quantize(g, bits, blocks, seeds.fold_in(seed, 1))
    )

  return rounded(x)


def _power_of_two(e):
  """Returns 2**e exactly, float32, for int32 exponents of normal numbers."""
  field = tf.bitwise.left_shift(
      e + _EXPONENT_BIAS, tf.constant(_MANTISSA_BITS, tf.int32)
  )
  return tf.bitcast(field, tf.float32)
