# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Stochastic quantization of a tensor to b-bit codes.

Source: Li et al., "FedBiF: Communication-Efficient Federated Learning via Bits
Freezing", IEEE TPDS 2025, equations 1-5.
"""

import tensorflow as tf

from tff_binary.ops import norms

MAX_BITS = 16
# Of a code with a sign bit: magnitudes from 0 to this.
MAX_LEVELS = 2 ** (MAX_BITS - 1) - 1


def stochastic_round(x, noise):
  """Rounds every entry of `x` to one of its two neighbouring integers (eq. 2).

  Args:
    x: A float tensor of any shape `s`.
    noise: A float tensor of shape `s`, uniform in `[0, 1)`.

  Returns:
    A float tensor of shape `s`, `x` in expectation.
  """
  # In float32 a fraction close to 1 plus the noise may round up to an integer:
  # the comparison does not.
  floor = tf.floor(x)
  return floor + tf.cast(noise < x - floor, x.dtype)


def stochastic_index(x, values, noise):
  """Rounds every entry of `x` to one of the two values around it.

  Args:
    x: A float32 tensor of shape `[m]`.
    values: A float32 array of shape `[n]`, n >= 2, in increasing order.
    noise: A float tensor of shape `[m]`, uniform in `[0, 1)`.

  Returns:
    An int32 tensor of shape `[m]`, the positions of values that are `x` in
    expectation, where it is neither below nor above all of them.
  """
  below = tf.searchsorted(values[1:-1], x, side='right')
  low, high = (tf.gather(values, below + k) for k in (0, 1))
  return below + tf.cast(noise < (x - low) / (high - low), tf.int32)


def max_norm_step_size(x, bits):
  """Returns `||x||_inf / 2**(bits - 1)` (eq. 5); 0 if `x` is empty or zero.

  Args:
    x: A float tensor of any shape.
    bits: A Python int, the width of a code.

  Returns:
    A scalar of `x`'s dtype; NaN or infinite if an entry is.
  """
  return norms.max_norm(x) / 2 ** (bits - 1)


def encode(x, step_size, bits, noise):
  """Rounds `x / step_size` stochastically to codes of `bits` bits (eq. 1).

  A code is the integer of equation 1 plus `2**(bits - 1)`, so that it is not
  negative. With `max_norm_step_size` the largest code cannot stand for a
  positive entry of the largest size, which is clamped by less than a step.

  Args:
    x: A float32 or float64 tensor of any shape `s`.
    step_size: A non-negative float scalar, alpha in the paper.
    bits: A Python int in `[1, 16]`.
    noise: A float tensor of shape `s`, uniform in `[0, 1)`.

  Returns:
    An int32 tensor of shape `s`, in `[0, 2**bits - 1]`. With a step size of
    zero, and for NaN, it is the code of zero.
  """
  offset = 2 ** (bits - 1)
  levels = stochastic_round(_levels(x, step_size, offset), noise)
  return tf.cast(levels, tf.int32) + offset


def _levels(x, step_size, offset):
  """Returns `x` in units of the step size, clamped to `[-offset, offset)`."""
  scaled = tf.math.divide_no_nan(x, step_size)
  scaled = tf.where(tf.math.is_nan(scaled), tf.zeros_like(scaled), scaled)
  return tf.clip_by_value(scaled, -offset, offset - 1)


def root_mean_square_step_size(x, scale):
  """Returns a step size in multiples of the root of the mean square entry.

  Args:
    x: A float tensor of any shape.
    scale: The multiple, a positive Python float.

  Returns:
    A scalar of `x`'s dtype, 0 if `x` is empty or zero; NaN if an entry is.
  """
  root_of_size = max(x.shape.num_elements(), 1) ** 0.5
  return tf.minimum(scale / root_of_size * norms.two_norm(x), x.dtype.max)


def encode_to_nearest(x, step_size, bits):
  """Like `encode`, but rounds to the nearest integer, half to even.

  Args:
    x: See `encode`.
    step_size: See `encode`. Entries beyond all codes get the outermost one.
    bits: See `encode`.

  Returns:
    See `encode`.
  """
  offset = 2 ** (bits - 1)
  levels = tf.round(_levels(x, step_size, offset))
  # What is rounded away from 0 may be more than the dtype's largest number.
  largest = tf.floor(step_size.dtype.max / step_size)
  largest = tf.where(largest < offset, largest, float(offset))
  finite = tf.clip_by_value(levels, -largest, largest)
  levels = tf.where(tf.math.is_finite(x), finite, levels)
  return tf.cast(levels, tf.int32) + offset


def decode(codes, step_size, bits):
  """Returns what `codes` stand for, `step_size * (codes - 2**(bits - 1))`.

  Args:
    codes: An integer tensor of any shape `s`.
    step_size: A float scalar.
    bits: A Python int, the width of a code.

  Returns:
    A tensor of shape `s` and of `step_size`'s dtype (eqs. 3 and 4).
  """
  return step_size * tf.cast(
      tf.cast(codes, tf.int32) - 2 ** (bits - 1), step_size.dtype
  )


def sign_magnitude_step_size(x, bits):
  """Returns `||x||_inf / (2**(bits - 1) - 1)`, for `encode_sign_magnitude`.

  Args:
    x: A float tensor of any shape.
    bits: A Python int >= 2, the width of a code.

  Returns:
    A scalar of `x`'s dtype, 0 if `x` is empty or zero; NaN or infinite if an
    entry is.
  """
  # As a product, which graphs and eager code round alike: TensorFlow replaces
  # divisions by constants in graphs.
  largest = norms.below_overflow(norms.max_norm(x))
  return largest * (1.0 / (2 ** (bits - 1) - 1))


def encode_sign_magnitude(x, step_size, bits, noise):
  """Like `encode`, with the sign of `x` in the most significant bit.

  For the sign bit ablation of FedBiF's section 4.3, which gives no formulas.

  Args:
    x: See `encode`.
    step_size: See `encode`.
    bits: A Python int in `[2, 16]`.
    noise: See `encode`.

  Returns:
    An int32 tensor of shape `s`: the magnitude in `[0, 2**(bits - 1) - 1]`,
    plus `2**(bits - 1)` where `x >= 0`.
  """
  largest = 2 ** (bits - 1) - 1
  magnitude = stochastic_magnitude(x, step_size, largest, noise)
  return sign_magnitude_codes(x, magnitude, bits)


def stochastic_magnitude(x, step_size, largest, noise):
  """Rounds `|x| / step_size` stochastically, as QSGD does.

  Args:
    x: A float tensor of any shape `s`.
    step_size: A non-negative float scalar.
    largest: The largest result, a Python int or a float scalar.
    noise: A float tensor of shape `s`, uniform in `[0, 1)`.

  Returns:
    A tensor of shape `s` and of `x`'s dtype: integers in `[0, largest]`, 0 with
    a step size of zero and for NaN.
  """
  scaled = tf.math.divide_no_nan(tf.abs(x), step_size)
  scaled = tf.where(tf.math.is_nan(scaled), tf.zeros_like(scaled), scaled)
  return stochastic_round(tf.minimum(scaled, largest), noise)


def sign_magnitude_codes(x, magnitude, bits):
  """Joins signs and magnitudes to codes of `bits` bits.

  Args:
    x: A float tensor of any shape `s`, for its signs.
    magnitude: A float tensor of shape `s`, integers in `[0, 2**(bits - 1) -
      1]`.
    bits: An integer in `[2, 16]`, Python or an int32 scalar.

  Returns:
    An int32 tensor of shape `s`, see `encode_sign_magnitude`.
  """
  return tf.cast(magnitude, tf.int32) + tf.where(x >= 0.0, 2 ** (bits - 1), 0)


def decode_sign_magnitude(codes, step_size, bits):
  """Returns what the codes of `encode_sign_magnitude` stand for."""
  offset = 2 ** (bits - 1)
  codes = tf.cast(codes, tf.int32)
  magnitude = tf.cast(codes % offset, step_size.dtype)
  return step_size * tf.where(codes >= offset, magnitude, -magnitude)
