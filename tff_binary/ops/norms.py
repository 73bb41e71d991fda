# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Norms that are finite for every tensor of finite entries.

The square of a float32 above 1.8e19 is infinite, and so is the sum of a few
numbers near the largest one. Sums are therefore taken of entries divided by a
power of two near the largest one: that changes no bit of what would have been
finite, and what still exceeds the dtype becomes its largest number.
"""

import numpy as np
import tensorflow as tf

from tff_binary.ops import autograph

# An integer dtype of the same size and the bits of the exponent.
_EXPONENT_BITS = {
    tf.float32: (tf.int32, 0xFF << 23),
    tf.float64: (tf.int64, 0x7FF << 52),
}
# Two roundings of a multiple of a fraction add less, in float32.
_ROUNDING = 2.0**-20


@autograph.as_written
def max_norm(x):
  """Returns the largest absolute entry of `x`; 0 if `x` is empty or zero.

  Args:
    x: A float tensor of any shape.

  Returns:
    A scalar of `x`'s dtype.
  """
  return tf.maximum(tf.reduce_max(tf.abs(x)), 0.0)


def two_norm(x):
  """Returns the square root of the sum of all squares; 0 if `x` is empty.

  Args:
    x: A float tensor of any shape.

  Returns:
    A scalar of `x`'s dtype, at least `max_norm(x)` up to rounding.
  """
  x = tf.convert_to_tensor(x)
  scaled, scale = _scaled(x)
  return _unscaled(tf.norm(scaled), scale, x.dtype)


def mean_magnitude(x):
  """Returns the mean absolute entry of `x`; 0 if it is empty.

  Args:
    x: A float tensor of any shape.

  Returns:
    A scalar of `x`'s dtype.
  """
  x = tf.convert_to_tensor(x)
  scaled, scale = _scaled(x)
  mean = tf.math.divide_no_nan(
      tf.reduce_sum(tf.abs(scaled)), tf.cast(tf.size(x), scaled.dtype)
  )
  return _unscaled(mean, scale, x.dtype)


def below_overflow(x):
  """Brings `x` so near to zero that no `k * (x / s)`, k <= s, is infinite.

  Args:
    x: A float scalar, float32 or wider.

  Returns:
    A scalar of `x`'s dtype: `x`, unless it is within 1e-6 of the dtype's
    largest number.
  """
  x = tf.convert_to_tensor(x)
  bound = x.dtype.max * (1.0 - _ROUNDING)
  return tf.where(
      tf.math.is_finite(x), tf.clip_by_value(x, -bound, bound), x
  )


def _scaled(x):
  """Returns `x` divided by a power of two near its largest entry, and that."""
  if x.dtype not in _EXPONENT_BITS:
    x = tf.cast(x, tf.float32)
  integer, exponent_bits = _EXPONENT_BITS[x.dtype]
  largest = tf.clip_by_value(
      max_norm(x), np.finfo(x.dtype.as_numpy_dtype).tiny, x.dtype.max
  )
  scale = tf.bitcast(
      tf.bitwise.bitwise_and(
          tf.bitcast(largest, integer), tf.constant(exponent_bits, integer)
      ),
      x.dtype,
  )
  return x / scale, scale


def _unscaled(norm, scale, dtype):
  # What is not finite stays so, to be seen.
  saturated = tf.minimum(norm * scale, dtype.max)
  return tf.cast(tf.where(tf.math.is_finite(norm), saturated, norm), dtype)
