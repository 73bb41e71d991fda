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

  @parameterized.parameters(0.01, 0.3, 1, 2.5, 4.0)
  def test_multiples_of_normal_numbers_have_the_entropy(self, entropy):
    limits, means = rotated.entropy_quantizer(entropy)
    self.assertAllClose(limits, -limits[::-1])
    steps = np.diff(limits)
    self.assertAllClose(steps, np.full_like(steps, steps[0]))
    # The last share is of all beyond.
    above = [1.0, *map(_share_above, limits), 0.0]
    density = [0.0, *map(_density, limits), 0.0]
    shares = -np.diff(above)
    self.assertAllClose(-np.sum(shares * np.log2(shares)), entropy, atol=1e-9)
    self.assertAllClose(means * shares, -np.diff(density), atol=1e-9)
    self.assertEqual(means[len(means) // 2], 0.0)

  @parameterized.parameters(
      # EDEN's code, torch/quantization_constants.py.
      (0.1, 5.071514195296913), (0.5, 3.4561779181240126),
      (1, 2.4216194555629045), (2, 1.0824465435871389),
      (4, 0.25901674387569074),
  )  # pyformat: disable
  def test_steps_are_edens(self, entropy, step):
    limits, _ = rotated.entropy_quantizer(entropy)
    self.assertAllClose(2.0 * limits[len(limits) // 2], step, rtol=1e-5)

  @parameterized.product(
      codec=(
          (1,), (2,), (3,), (4,),
          (0.01, 'unbiased', 'entropy'), (4, 'nearest', 'entropy'),
      ),
      length=(0, 1, 7, 8, 9, 300),
  )  # pyformat: disable
  def test_sends_codes_scales_and_a_seed(self, codec, length):
    value = tf.constant(np.random.RandomState(0).randn(length), tf.float32)
    codec = wire.RotatedCodec(*codec)
    payload = codec.encode(value, _SEED)
    _, bits = codec.codes
    self.assertEqual(payload['codes'].shape, [-(-length * bits // 8)])
    self.assertEqual(payload['scales'].shape, [bin(length).count('1')])
    self.assertAllEqual(payload['seed'], _SEED)
    self.assertEqual(_decode(codec, value).shape, [length])

  @parameterized.parameters(
      # Of the multiples of a step that have this entropy: solved for with
      # SciPy's normal distribution, apart from this package.
      (0.1, 9.931), (0.25, 3.749), (0.5, 1.613), (1, 0.535), (2.0, 0.098),
  )  # pyformat: disable
  def test_bits_and_error_are_those_of_the_entropy(self, entropy, expected):
    random = np.random.RandomState(1)
    value = tf.constant(random.standard_exponential([256, 256]), tf.float32)
    codec = wire.EntropyCodec(
        wire.RotatedCodec(entropy, quantizer='entropy')
    )
    payload = codec.encode(value, _SEED)
    num_bits = 8 * int(tf.size(payload['codes']))
    self.assertAllClose(num_bits / 256**2, entropy, rtol=0.05)
    decoded = codec.decode(payload, tf.TensorSpec([256, 256], tf.float32))
    # At 0.1 bits some 650 entries are not 0: 4 % of deviation.
    error = np.sum((decoded - value) ** 2) / np.sum(value**2)
    self.assertAllClose(error, expected, rtol=0.15)

  def test_small_blocks_are_not_lost(self):
    # Rounded like the others, all of them would be 0.
    codec = wire.RotatedCodec(0.01, quantizer='entropy')
    for length in (1, 2, 4, 8, 16):
      value = tf.constant(np.random.RandomState(5).randn(length), tf.float32)
      for scale in ('unbiased', 'nearest'):
        small = wire.RotatedCodec(0.01, scale, 'entropy')
        self.assertGreater(tf.norm(_decode(small, value)), 0.1)
    for length in (32, 64):
      value = tf.constant(np.random.RandomState(5).randn(length), tf.float32)
      decoded = _decode(codec, value)
      # <m, s Q(m)> = ||m||^2.
      self.assertAllClose(
          tf.reduce_sum(decoded * value), tf.reduce_sum(value**2), rtol=1e-5
      )

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

  @parameterized.parameters(
      ((1,), 0.571), ((0.5, 'unbiased', 'entropy'), 1.613)
  )
  def test_is_unbiased_over_the_rotations(self, codec, error_of_one):
    random = np.random.RandomState(4)
    value = tf.constant(random.standard_exponential([4096]), tf.float32)
    codec = wire.RotatedCodec(*codec)
    decode = tf.function(
        lambda i: _decode(codec, value, seeds.fold_in(_SEED, i))
    )
    num_draws = 200
    mean = np.mean([decode(tf.constant(i)) for i in range(num_draws)], axis=0)
    # The squared error of a mean of independent draws is that of one by their
    # number; its relative deviation is 3 %, of which 10 are allowed. A bias
    # would not shrink with the number.
    error = np.sum((mean - value) ** 2) / np.sum(value**2)
    self.assertAllClose(error * num_draws, error_of_one, rtol=0.3)

  @parameterized.product(
      length=(2, 3, 8, 16),
      codec=((1,), (4,), (0.5, 'unbiased', 'entropy')),
  )
  def test_is_unbiased_in_small_blocks(self, length, codec):
    value = tf.constant(np.random.RandomState(length).randn(length), tf.float32)
    codec = wire.RotatedCodec(*codec)
    num_draws = 5000

    @tf.function
    def moments():
      def add(i, total, square):
        decoded = _decode(codec, value, seeds.fold_in(_SEED, i))
        return i + 1, total + decoded, square + decoded**2

      zeros = tf.zeros([length])
      _, *sums = tf.while_loop(
          lambda i, *_: i < num_draws, add, (0, zeros, zeros)
      )
      return [x / num_draws for x in sums]

    mean, mean_square = moments()
    error = np.sum((mean - value) ** 2)
    expected = np.sum(mean_square - mean**2) / num_draws
    # On average the error is as expected, if there is no bias; with two entries
    # it is 16 times as large once in 10^4 seeds, with more less often.
    self.assertLess(error, 16.0 * expected)

  def test_one_entry_and_zeros_are_exact(self):
    for value in ([0.3], [-7.0], [0.0] * 9):
      value = tf.constant(value)
      for codec in (
          wire.RotatedCodec(),
          wire.RotatedCodec(4, 'nearest'),
          wire.RotatedCodec(0.5, quantizer='entropy'),
          wire.RotatedCodec(0.5, 'nearest', 'entropy'),
      ):
        self.assertAllClose(_decode(codec, value), value, rtol=1e-6)

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

  @parameterized.parameters(0, 0.009, 4.1, math.nan, '1', None)
  def test_refuses_bits_of_entropy(self, bits):
    with self.assertRaisesRegex(ValueError, r'entropy .* in \[0.01, 4\], got'):
      wire.RotatedCodec(bits, quantizer='entropy')

  def test_refuses_other_choices(self):
    with self.assertRaisesRegex(ValueError, "scale must be .* got 'biased'"):
      wire.RotatedCodec(1, 'biased')
    with self.assertRaisesRegex(ValueError, "quantizer must be .* got 'x'"):
      wire.RotatedCodec(1, quantizer='x')


if __name__ == '__main__':
  tf.test.main()
