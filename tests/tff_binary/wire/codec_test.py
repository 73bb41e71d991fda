# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for codec."""

import pathlib
import re

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import wire

_LENGTHS = (0, 1, 7, 8, 9, 10**6)


def _decode(codec, value, weight=1.0):
  return codec.decode(
      codec.encode(value), tf.TensorSpec(value.shape, value.dtype), weight
  )


class BinaryCodecTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(*_LENGTHS)
  def test_is_exact_on_the_grid(self, length):
    value = np.random.RandomState(length).choice([-0.3, 0.3], length)
    value = tf.constant(value, tf.float32)
    codec = wire.BinaryCodec()
    self.assertEqual(codec.num_off_grid(value), 0)
    self.assertAllEqual(_decode(codec, value), value)

  def test_zeros_are_on_the_grid(self):
    value = tf.zeros([3, 5])
    codec = wire.BinaryCodec()
    self.assertEqual(codec.num_off_grid(value), 0)
    self.assertAllEqual(_decode(codec, value), value)

  @parameterized.named_parameters(
      ('zero_among_others', [0.5, 0.0, -0.5], 1),
      ('two_step_sizes', [0.5, 0.25, -0.25], 2),
      ('nan', [0.5, np.nan, -0.5], 1),
  )
  def test_counts_off_grid_entries(self, value, at_least):
    num_off_grid = wire.BinaryCodec().num_off_grid(tf.constant(value))
    self.assertGreaterEqual(num_off_grid.numpy(), at_least)

  def test_infinite_step_size_is_finite_with_weight_zero(self):
    value = tf.constant([np.inf, -np.inf])
    self.assertAllEqual(_decode(wire.BinaryCodec(), value, 0.0), [0.0, 0.0])

  def test_weight_scales(self):
    value = tf.constant([[0.5, -0.5, 0.5]])
    self.assertAllEqual(_decode(wire.BinaryCodec(), value, 3.0), 3.0 * value)

  @parameterized.parameters(tf.float16, tf.bfloat16, tf.float64)
  def test_keeps_the_dtype(self, dtype):
    value = tf.constant([[0.5, -0.5]], dtype)
    decoded = _decode(wire.BinaryCodec(), value)
    self.assertEqual(decoded.dtype, dtype)
    self.assertAllEqual(decoded, value)

  def test_worked_example_of_the_format(self):
    value = tf.constant(
        [[-0.25, 0.25, 0.25], [-0.25, -0.25, 0.25], [0.25, 0.25, 0.25]]
    )
    payload = wire.BinaryCodec().encode(value)
    bits = payload['bits'].numpy().tobytes().hex(' ')
    step_size = payload['step_size'].numpy().astype('<f4').tobytes().hex(' ')
    self.assertEqual((bits, step_size), ('67 80', '00 00 80 3e'))
    text = pathlib.Path(wire.__file__).with_name('FORMAT.md').read_text()
    self.assertRegex(text, re.escape(f'= {bits} (hexadecimal)'))
    self.assertRegex(text, re.escape(f'= {step_size} (float32'))


class Float32CodecTest(tf.test.TestCase):

  def test_round_trip_is_exact(self):
    value = tf.constant([[0.1, -2.0], [np.pi, 0.0]])
    self.assertAllEqual(_decode(wire.Float32Codec(), value), value)

  def test_nan_is_zero_with_weight_zero(self):
    value = tf.constant([np.nan, 1.0])
    self.assertAllEqual(_decode(wire.Float32Codec(), value, 0.0), [0.0, 0.0])


if __name__ == '__main__':
  tf.test.main()
