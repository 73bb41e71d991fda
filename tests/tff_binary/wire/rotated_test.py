# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for rotated."""

import math

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import wire
from tff_binary.ops import seeds
from tff_binary.wire import rotated

_SEED = (1, 2)


def _decode(codec, value, seed=_SEED, weight=1.0):
  spec = tf.TensorSpec(value.shape, value.dtype)
  return codec.decode(codec.encode(value, seed), spec, weight)


def _density(x):
  return math.exp(-x * x / 2.0) / math.sqrt(2.0 * math.pi)


def _share_above(x):
  return math.erfc(x / math.sqrt(2.0)) / 2.0


class RotatedCodecTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(1, 2, 3, 4)
  def test_centroids_are_means_of_what_is_nearest_to_them(self, bits):
    centroids = rotated._CENTROIDS[bits]
    self.assertLen(centroids, 2 ** (bits - 1))
    limits = [(a + b) / 2.0 for a, b in zip(centroids, centroids[1:])]
    for low, c, high in zip([0.0, *limits], centroids, [*limits, math.inf]):
      mean = (_density(low) - _density(high)) / (
          _share_above(low) - _share_above(high)
      )
      self.assertAllClose(c, mean, atol=1e-6)

  @parameterized.product(bits=(1, 2, 3, 4), length=(0, 1, 7, 8, 9, 300))
  def test_sends_codes_scales_and_a_seed(self, bits, length):
    value = tf.constant(np.random.RandomState(0).randn(length), tf.float32)
    payload = wire.RotatedCodec(bits).encode(value, _SEED)
    self.assertEqual(payload['codes'].shape, [-(-length * bits // 8)])
    self.assertEqual(payload['scales'].shape, [bin(length).count('1')])
    self.assertAllEqual(payload['seed'], _SEED)
    self.assertEqual(_decode(wire.RotatedCodec(bits), value).shape, [length])

  @parameterized.parameters(
      # 1 / (1 - distortion) - 1 of Max's quantizers, EDEN's error.
      (1, 0.571), (2, 0.133), (3, 0.0358), (4, 0.00959),
  )  # pyformat: disable
  def test_error_is_edens(self, bits, expected):
    random = np.random.RandomState(1)
    value = tf.constant(random.standard_exponential([64, 128]), tf.float32)
    decoded = _decode(wire.RotatedCodec(bits), value)
    error = np.sum((decoded - value) ** 2) / np.sum(value**2)
    self.assertAllClose(error, expected, rtol=0.05)
    nearest = _decode(wire.RotatedCodec(bits, 'nearest'), value)
    self.assertLess(
        np.sum((nearest - value) ** 2), np.sum((decoded - value) ** 2)
    )

  def test_is_unbiased_over_the_rotations(self):
    random = np.random.RandomState(4)
    value = tf.constant(random.standard_exponential([4096]), tf.float32)
    codec = wire.RotatedCodec()
    decode = tf.function(
        lambda i: _decode(codec, value, seeds.fold_in(_SEED, i))
    )
    num_draws = 200
    mean = np.mean([decode(tf.constant(i)) for i in range(num_draws)], axis=0)
    # The squared error of a mean of independent draws is that of one, 0.571
    # times the squared norm, by their number; its relative deviation is 3 %,
    # of which 10 are allowed. A bias would not shrink with the number.
    error = np.sum((mean - value) ** 2) / np.sum(value**2)
    self.assertAllClose(error * num_draws, 0.571, rtol=0.3)

  def test_one_entry_and_zeros_are_exact(self):
    for value in ([0.3], [-7.0], [0.0] * 9):
      value = tf.constant(value)
      for bits in (1, 4):
        self.assertAllClose(
            _decode(wire.RotatedCodec(bits), value), value, rtol=1e-6
        )

  def test_weight_scales(self):
    value = tf.constant(np.random.RandomState(2).randn(5, 3), tf.float32)
    codec = wire.RotatedCodec(2)
    self.assertAllClose(
        _decode(codec, value, weight=3.0), 3.0 * _decode(codec, value)
    )
    self.assertAllEqual(
        _decode(codec, value / 0.0, weight=0.0), tf.zeros([5, 3])
    )

  @parameterized.parameters(0, 5, 1.0, '1')
  def test_refuses_bits(self, bits):
    with self.assertRaisesRegex(ValueError, r'bits .* in \[1, 4\], got'):
      wire.RotatedCodec(bits)

  def test_refuses_scales(self):
    with self.assertRaisesRegex(ValueError, "scale must be .* got 'biased'"):
      wire.RotatedCodec(1, 'biased')


if __name__ == '__main__':
  tf.test.main()
