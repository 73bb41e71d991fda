# Copyright 2026 The tff_binary Authors.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Weights as a sum of bits, some of which are trained.

Source: "FedBiF: Communication-Efficient Federated Learning via Bits Freezing",
equations 4 and 6 and section 3.1.

Bit i of a code has the value 2**i. The bits of one i of a whole tensor are a
plane. Which planes are trained is told by `active`, an int32 tensor of shape
`[A]` with their numbers i, each at most once; -1 stands for no plane.
"""

import numpy as np
import tensorflow as tf


def decompose(codes, num_bits):
  """Returns the bits of `codes`.

  Args:
    codes: An integer tensor of any shape `s`.
    num_bits: A Python int, the width of a code.

  Returns:
    An int32 tensor of shape `[num_bits, *s]` of zeros and ones; plane i holds
    the bits of value 2**i.
  """
  codes = tf.cast(codes, tf.int32)
  shifted = [tf.bitwise.right_shift(codes, i) for i in range(num_bits)]
  return tf.bitwise.bitwise_and(tf.stack(shifted), 1)


def compose(bits):
  """Returns the codes of `bits`, the inverse of `decompose`.

  Args:
    bits: An integer tensor of shape `[B, *s]` of zeros and ones.

  Returns:
    An int32 tensor of shape `s`.
  """
  planes = tf.unstack(tf.cast(bits, tf.int32))
  return tf.add_n([plane * 2**i for i, plane in enumerate(planes)])


def linear_parts(bits, step_size, active, has_sign_bit=False):
  """Splits a quantized tensor into what is frozen and what its active bits add.

  The tensor is `frozen + sum_a slopes[a] * bit[active[a]]`. With bits it is a
  client's tensor (eqs. 3 and 4). It is linear in the active bits, so with their
  means over the clients it is the mean of the clients' tensors (eq. 6).

  With a sign bit, the most significant bit tells the sign (1 is plus) of the
  magnitude that the others give. The tensor is then linear in the sign or in
  the magnitude bits, but not in both together.

  Args:
    bits: An integer tensor of shape `[B, *s]` of zeros and ones.
    step_size: A float scalar, alpha in the paper.
    active: An int32 tensor of shape `[A]`, see above. With a sign bit, A is 1.
    has_sign_bit: A Python bool.

  Returns:
    `frozen` of shape `s` and `slopes` of shape `[A, *s]`, of `step_size`'s
    dtype.
  """
  num_bits, rank = bits.shape[0], bits.shape.rank
  dtype = step_size.dtype
  plane_numbers = tf.range(num_bits)
  values = tf.cast(2**plane_numbers, dtype)
  # Of shape [A, B]: whether plane b is the a-th active one.
  is_active = tf.equal(active[:, tf.newaxis], plane_numbers)
  frozen_values = tf.where(tf.reduce_any(is_active, axis=0), 0.0, values)
  active_values = tf.reduce_sum(tf.where(is_active, values, 0.0), axis=1)
  bits = tf.cast(bits, dtype)

  def column(vector):
    return tf.reshape(vector, [-1] + [1] * (rank - 1))

  if not has_sign_bit:
    frozen = tf.reduce_sum(column(frozen_values) * bits, axis=0)
    slopes = column(step_size * active_values)
    return step_size * (frozen - 2 ** (num_bits - 1)), tf.broadcast_to(
        slopes, tf.concat([tf.shape(active), tf.shape(bits)[1:]], axis=0)
    )
  magnitude_bits = column(frozen_values[:-1]) * bits[:-1]
  magnitude = step_size * tf.reduce_sum(magnitude_bits, axis=0)
  sign = 2.0 * bits[-1] - 1.0
  is_sign_active = is_active[0, -1]
  frozen = tf.where(is_sign_active, -magnitude, sign * magnitude)
  slope = tf.where(
      is_sign_active, 2.0 * magnitude, sign * step_size * active_values[0]
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
