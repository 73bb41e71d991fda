# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for sign_planes."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import wire


def _decode(codec, value, weight=1.0):
  return codec.decode(
      codec.encode(value), tf.TensorSpec(value.shape, value.dtype), weight
  )


def _planes(*shape):
  random = np.random.RandomState(sum(shape))
  return tf.constant(random.choice([-1.0, 1.0], shape), tf.float32)


class SignPlanesCodecTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(
      num_planes=(1, 2, 3), length=(0, 1, 7, 8, 9), trim=(False, True)
  )
  def test_is_exact_on_the_grid(self, num_planes, length, trim):
    codec = wire.SignPlanesCodec(trim)
    value = _planes(num_planes, length, 1)
    self.assertEqual(codec.num_off_grid(value), 0)
    self.assertAllEqual(_decode(codec, value), value)
    self.assertAllEqual(_decode(codec, value, 2.0), 2.0 * value)
    if length:
      bits = codec.encode(value)['bits']
      self.assertAllEqual(bits.shape, [num_planes, -(-length // 8)])

  def test_counts_parameters_once_for_all_planes(self):
    spec = tf.TensorSpec([3, 5, 4], tf.float32)
    self.assertEqual(wire.SignPlanesCodec().num_params(spec), 20)

  @parameterized.parameters(0, 1, 2, 3)
  def test_trims_planes_of_zeros_at_the_end(self, num_sent):
    codec = wire.SignPlanesCodec(trim=True)
    value = tf.pad(_planes(num_sent, 9), [[0, 3 - num_sent], [0, 0]])
    self.assertEqual(codec.num_off_grid(value), 0)
    self.assertAllEqual(codec.encode(value)['bits'].shape, [num_sent, 2])
    self.assertAllEqual(_decode(codec, value), value)

  @parameterized.named_parameters(
      ('real', False, [[1.0, 0.5]], 1),
      ('zero_among_signs', False, [[1.0, 0.0]], 1),
      ('zero_plane', False, [[1.0, -1.0], [0.0, 0.0]], 2),
      ('zero_plane_before_signs', True, [[0.0, 0.0], [1.0, -1.0]], 2),
      ('nan', True, [[np.nan, 1.0]], 1),
  )
  def test_counts_off_grid_entries(self, trim, value, expected):
    codec = wire.SignPlanesCodec(trim)
    self.assertEqual(codec.num_off_grid(tf.constant(value)), expected)

  @parameterized.parameters(False, True)
  def test_an_unused_client_counts_nothing(self, trim):
    codec = wire.SignPlanesCodec(trim)
    value = tf.zeros([2, 9])
    self.assertEqual(codec.num_off_grid(value), 0)
    self.assertAllEqual(_decode(codec, value, 0.0), value)


if __name__ == '__main__':
  tf.test.main()
