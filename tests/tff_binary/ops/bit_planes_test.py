# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for bit_planes."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.ops import bit_planes
from tff_binary.ops import rounding


class SelectTest(tf.test.TestCase):

  def test_bits_are_the_binary_digits(self):
    bits = bit_planes.select(tf.constant([[0, 1], [6, 15]]), [3, 0, 2])
    self.assertAllEqual(
        bits, [[[0, 0], [0, 1]], [[0, 1], [0, 1]], [[0, 0], [1, 1]]]
    )


class LinearPartsTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters([[3]], [[0]], [[3, 1]], [[2, -1]], [[3, 2, 1, 0]])
  def test_with_its_own_bits_is_the_quantized_tensor(self, active):
    codes = tf.range(16)
    step_size = tf.constant(0.3)
    frozen, slopes = bit_planes.linear_parts(
        codes, 4, step_size, tf.constant(active)
    )
    own = bit_planes.select(codes, tf.maximum(active, 0))
    own = tf.cast(own, tf.float32)
    self.assertAllClose(
        frozen + tf.reduce_sum(slopes * own, axis=0),
        rounding.decode(codes, step_size, 4),
        rtol=1e-6,
    )

  def test_slopes_are_the_values_of_the_active_bits(self):
    _, slopes = bit_planes.linear_parts(
        tf.constant([5, 10]), 4, tf.constant(0.5), tf.constant([3, 0, -1])
    )
    self.assertAllEqual(slopes, [[4.0, 4.0], [0.5, 0.5], [0.0, 0.0]])

  @parameterized.parameters(range(4))
  def test_with_a_sign_bit_is_the_quantized_tensor(self, active):
    codes = tf.range(16)
    step_size = tf.constant(0.5)
    frozen, slopes = bit_planes.linear_parts(
        codes, 4, step_size, tf.constant([active]), has_sign_bit=True
    )
    for value in (0, 1):
      changed = codes & ~(1 << active) | value << active
      self.assertAllEqual(
          frozen + slopes[0] * value,
          rounding.decode_sign_magnitude(changed, step_size, 4),
      )


class StepTest(tf.test.TestCase):

  def test_step_passes_gradients_straight_through(self):
    x = tf.constant([-2.0, 0.0, 1e-30, 3.0])
    upstream = tf.constant([1.0, 2.0, 3.0, 4.0])
    with tf.GradientTape() as tape:
      tape.watch(x)
      y = bit_planes.step(x)
    self.assertAllEqual(y, [0.0, 0.0, 1.0, 1.0])
    self.assertAllEqual(tape.gradient(y, x, upstream), upstream)

  def test_scaled_step_ignores_the_size_of_the_slope(self):
    x = tf.constant([-2.0, 1.0, 1.0, 1.0])
    slope = tf.constant([0.25, 0.25, -4.0, 0.0])
    upstream = tf.constant([1.0, 2.0, 3.0, 4.0])
    with tf.GradientTape() as tape:
      tape.watch(x)
      y = bit_planes.scaled_step(x, slope)
    self.assertAllEqual(y, [0.0, 0.25, -4.0, 0.0])
    self.assertAllEqual(tape.gradient(y, x, upstream), [1.0, 2.0, -3.0, 0.0])


class InheritTest(tf.test.TestCase):

  def test_step_of_the_virtual_bits_gives_the_bits(self):
    magnitudes = tf.constant([0.0, 0.0, 1e-38, 0.5, 0.5])
    bits = tf.constant([0, 1, 1, 0, 1])
    virtual_bits = bit_planes.inherit(magnitudes, bits)
    self.assertAllEqual(bit_planes.step(virtual_bits), bits)
    self.assertAllEqual(tf.abs(virtual_bits)[3:], magnitudes[3:])


if __name__ == '__main__':
  tf.test.main()
