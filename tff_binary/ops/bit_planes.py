# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Weights as a sum of bits, some of which are trained.

Source: Li et al., "FedBiF: Communication-Efficient Federated Learning via Bits
Freezing", IEEE TPDS 2025, equations 4 and 6 and section 3.1.

Bit i of a code has the value 2**i. The bits of one i of a whole tensor are a
plane. Which planes are trained is told by `active`, an int32 tensor of shape
`[A]` with their numbers i, each at most once; -1 stands for no plane.
"""

import numpy as np
import tensorflow as tf


def select(codes, planes):
  """Returns some bits of `codes`.

  Args:
    codes: An int32 tensor of any shape `s`.
    planes: An int32 tensor of shape `[A]`, plane numbers from 0.

  Returns:
    An int32 tensor of shape `[A, *s]` of zeros and ones.
  """
  shifts = tf.reshape(planes, [-1] + [1] * codes.shape.rank)
  return tf.bitwise.bitwise_and(tf.bitwise.right_shift(codes, shifts), 1)


def linear_parts(codes, num_bits, step_size, active, has_sign_bit=False):
  """Splits a quantized tensor into what is frozen and what its active bits add.

  The tensor is `frozen + sum_a slopes[a] * bit[active[a]]`. With bits it is a
  client's tensor (eqs. 3 and 4). It is linear in the active bits, so with their
  means over the clients it is the mean of the clients' tensors (eq. 6).

  With a sign bit, the most significant bit tells the sign (1 is plus) of the
  magnitude that the others give. The tensor is then linear in the sign or in
  the magnitude bits, but not in both together.

  Args:
    codes: An int32 tensor of any shape `s`.
    num_bits: A Python int, the width of a code.
    step_size: A float scalar, alpha in the paper.
    active: An int32 tensor of shape `[A]`, see above. With a sign bit, A is 1.
    has_sign_bit: A Python bool.

  Returns:
    `frozen` of shape `s` and `slopes` of shape `[A, *s]`, of `step_size`'s
    dtype.
  """
  dtype = step_size.dtype
  top = 2 ** (num_bits - 1)
  shifted = tf.bitwise.left_shift(1, tf.maximum(active, 0))
  values = tf.where(active >= 0, shifted, 0)
  frozen_bits = tf.bitwise.invert(tf.reduce_sum(values))
  values = tf.cast(values, dtype)
  frozen = tf.bitwise.bitwise_and(codes, frozen_bits)
  if not has_sign_bit:
    slopes = tf.reshape(step_size * values, [-1] + [1] * codes.shape.rank)
    return step_size * (tf.cast(frozen, dtype) - top), tf.broadcast_to(
        slopes, tf.concat([tf.shape(active), tf.shape(codes)], axis=0)
    )
  magnitude = tf.bitwise.bitwise_and(frozen, top - 1)
  magnitude = step_size * tf.cast(magnitude, dtype)
  sign = tf.where(codes >= top, tf.ones([], dtype), -tf.ones([], dtype))
  is_sign_active = tf.equal(active[0], num_bits - 1)
  frozen = tf.where(is_sign_active, -magnitude, sign * magnitude)
  slope = tf.where(
      is_sign_active, 2.0 * magnitude, sign * step_size * values[0]
  )
  return frozen, slope[tf.newaxis]


@tf.custom_gradient
def step(x):
  """The step function, 1 where `x > 0` and 0 elsewhere, of slope 1.

  The straight-through estimator of section 3.1 (whose text has "otherwise 1", a
  misprint).

  Args:
    x: A float tensor of any shape, virtual bits.

  Returns:
    A tensor of the same shape and dtype.
  """
  return tf.cast(x > 0.0, x.dtype), lambda upstream: upstream


@tf.custom_gradient
def scaled_step(x, slope):
  """`slope * step(x)`, whose derivative is taken to be the slope's sign.

  Args:
    x: A float tensor of shape `s`, virtual bits.
    slope: A float tensor of shape `s`.

  Returns:
    A tensor of shape `s`.
  """

  def grad(upstream):
    return upstream * tf.sign(slope), None

  return tf.where(x > 0.0, slope, tf.zeros_like(slope)), grad


def inherit(magnitudes, bits):
  """Returns virtual bits of given magnitudes with the signs of given bits.

  Virtual bits inheritance of section 3.2. A magnitude of zero counts as the
  smallest positive number: it has no sign that could say 1.

  Args:
    magnitudes: A non-negative float tensor of any shape `s`.
    bits: A tensor of shape `s` of zeros and ones.

  Returns:
    A tensor of shape `s` and of `magnitudes`' dtype.
  """
  smallest = np.finfo(magnitudes.dtype.as_numpy_dtype).tiny
  magnitudes = tf.maximum(magnitudes, smallest)
  return tf.where(tf.cast(bits, tf.bool), magnitudes, -magnitudes)
