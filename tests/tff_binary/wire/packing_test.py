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


class TwoValuesTest(tf.test.TestCase, parameterized.TestCase):
  """The compiled functions against the plain ones, bit for bit."""

  _SHAPE = [256, 264]

  def _signs(self):
    return np.random.RandomState(1).choice(np.float32([-1, 1]), self._SHAPE)

  def test_which_tensors_are_fast(self):
    for shape, dtype, expected in (
        (self._SHAPE, tf.float32, True),
        (self._SHAPE, tf.float64, False),
        ([2**16 + 4], tf.float32, False),
        ([2**16 - 8], tf.float32, False),
    ):
      self.assertEqual(
          packing.is_fast(tf.TensorSpec(shape, dtype)), expected, shape
      )

  @parameterized.parameters(0.1, 0.0, 3e38, np.inf)
  def test_packs_and_adds(self, alpha):
    x = np.float32(alpha) * self._signs()
    for pack in (
        packing.pack_two_values,
        lambda x: packing._pack_two_values(tf.reshape(x, [-1, 8])),
    ):
      packed, step_size, is_right = pack(tf.constant(x))
      self.assertTrue(is_right)
      self.assertEqual(step_size, np.float32(alpha))
      self.assertAllEqual(packed, packing.pack_signs(tf.reshape(x >= 0, [-1])))
    total = tf.random.stateless_normal(self._SHAPE, [1, 2])
    unpacked = packing.unpack_signs(packed, x.size, tf.constant(0.3))
    self.assertAllEqual(
        packing.add_unpacked(total, packed, tf.constant(0.3)),
        total + tf.reshape(unpacked, self._SHAPE),
    )

  @parameterized.product(
      position=[0, 7, 256 * 264 - 1], entry=[0.0, 0.2, np.nan, -np.inf]
  )
  def test_tells_other_entries(self, position, entry):
    x = np.float32(0.1) * self._signs()
    x.flat[position] = entry
    self.assertFalse(packing.pack_two_values(tf.constant(x))[2])


if __name__ == '__main__':
  tf.test.main()
