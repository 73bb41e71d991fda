# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for packing."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.wire import packing

_LENGTHS = (0, 1, 7, 8, 9, 10**6)


class PackingTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(*_LENGTHS)
  def test_bytes_are_those_of_numpy(self, length):
    positive = np.random.RandomState(length).rand(length) < 0.5
    packed = packing.pack_signs(tf.constant(positive, tf.bool))
    self.assertEqual(packed.dtype, tf.uint8)
    self.assertEqual(packed.shape[0], packing.num_bytes(length))
    self.assertAllEqual(packed, np.packbits(positive))

  @parameterized.parameters(*_LENGTHS)
  def test_round_trip_is_exact(self, length):
    positive = np.random.RandomState(length).rand(length) < 0.5
    packed = packing.pack_signs(tf.constant(positive, tf.bool))
    unpacked = packing.unpack_signs(packed, length, tf.constant(0.3))
    self.assertAllEqual(
        unpacked, np.where(positive, np.float32(0.3), -np.float32(0.3))
    )

  def test_unused_bits_are_zero(self):
    packed = packing.pack_signs(tf.constant([True] * 9))
    self.assertAllEqual(packed, [0b11111111, 0b10000000])


if __name__ == '__main__':
  tf.test.main()
