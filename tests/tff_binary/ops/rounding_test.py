# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for rounding."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.ops import rounding
from tff_binary.ops import seeds


def _quantize(x, bits, noise):
  x = tf.constant(x, tf.float32)
  step_size = rounding.max_norm_step_size(x, bits)
  codes = rounding.encode(x, step_size, bits, noise)
  return codes, step_size


class StochasticRoundTest(tf.test.TestCase):

  def test_takes_the_neighbours_with_the_papers_probabilities(self):
    x = np.float32([-1.75, -0.5, 0.0, 0.1, 2.0, 3.9])
    num_draws = 40_000
    noise = seeds.uniform([num_draws, len(x)], [1, 2])
    rounded = rounding.stochastic_round(tf.broadcast_to(x, noise.shape), noise)
    self.assertAllInSet(rounded - np.floor(x), [0.0, 1.0])
    # Five standard deviations of a mean of Bernoulli draws: each of six entries
    # fails by chance once in 10^6 seeds.
    tolerance = 5 * 0.5 / np.sqrt(num_draws)
    self.assertAllClose(
        tf.reduce_mean(rounded, axis=0), x, rtol=0, atol=tolerance
    )

  def test_index_is_that_of_a_neighbour_and_right_in_the_mean(self):
    values = np.float32([-1.0, 0.0, 0.25, 1.0])
    x = np.float32([-1.0, -0.25, 0.0, 0.1, 0.25, 0.7, 1.0])
    number = 1000  # The middles of as many equal steps.
    noise = np.float32((np.arange(number) + 0.5) / number)
    index = rounding.stochastic_index(
        np.tile(x, number), values, np.repeat(noise, 7)
    )
    index = tf.reshape(index, [number, 7])
    rounded = tf.gather(values, index)
    self.assertAllClose(tf.reduce_mean(rounded, 0), x, atol=2e-3)
    self.assertAllInSet(index[:, 1], [0, 1])
    self.assertAllInSet(index[:, 3], [1, 2])
    self.assertAllInSet(index[:, 5], [2, 3])
    for column in (0, 2, 4, 6):  # Exact.
      self.assertAllEqual(rounded[:, column], [x[column]] * number)

  def test_integers_stay_under_the_largest_noise(self):
    x = tf.constant([-2.0, 0.0, 7.0])
    noise = tf.fill([3], np.float32(1 - 2**-24))
    self.assertAllEqual(rounding.stochastic_round(x, noise), x)


class EncodeTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(2, 3, 4, 8, 16)
  def test_all_codes_decode_to_themselves(self, bits):
    codes = tf.range(2**bits)
    step_size = tf.constant(0.25)
    x = rounding.decode(codes, step_size, bits)
    self.assertAllEqual(rounding.max_norm_step_size(x, bits), step_size)
    noise = tf.fill(codes.shape, np.float32(1 - 2**-24))
    self.assertAllEqual(rounding.encode(x, step_size, bits, noise), codes)

  def test_largest_positive_entry_is_clamped(self):
    codes, step_size = _quantize([-1.0, 1.0, 0.0], 3, tf.zeros([3]))
    self.assertAllEqual(codes, [0, 7, 4])
    self.assertAllEqual(
        rounding.decode(codes, step_size, 3), [-1.0, 0.75, 0.0]
    )

  @parameterized.named_parameters(
      ('zeros', [0.0, 0.0], [8, 8]),
      ('nan', [np.nan, 1.0], [8, 8]),
      ('infinite', [-np.inf, 1.0], [8, 8]),
      ('empty', [], []),
  )
  def test_codes_stay_in_range(self, x, expected):
    codes, _ = _quantize(x, 4, tf.zeros([len(x)]))
    self.assertAllEqual(codes, expected)

  @parameterized.parameters(2, 4, 8)
  def test_nearest_is_within_half_a_step_or_at_the_end(self, bits):
    x = np.random.RandomState(0).randn(1000).astype(np.float32)
    step_size = rounding.root_mean_square_step_size(tf.constant(x), 0.5)
    self.assertAllClose(step_size, 0.5 * np.sqrt(np.mean(x**2)))
    codes = rounding.encode_to_nearest(x, step_size, bits)
    decoded = rounding.decode(codes, step_size, bits)
    reach = [rounding.decode(c, step_size, bits) for c in (0, 2**bits - 1)]
    expected = np.clip(x, *reach)
    self.assertAllClose(
        decoded, expected, rtol=0, atol=0.5 * float(step_size) + 1e-6
    )

  @parameterized.named_parameters(
      ('zeros', [0.0, 0.0], [8, 8]),
      ('nan', [np.nan, 1.0], [8, 8]),
      ('infinite', [-np.inf, np.inf, 1.0], [0, 15, 8]),
      ('largest', [3.4e38, -3.4e38], [9, 7]),
      ('empty', [], []),
  )
  def test_nearest_codes_stay_in_range(self, x, expected):
    x = tf.constant(x, tf.float32)
    for scale in (1.0, 1e4):
      step_size = rounding.root_mean_square_step_size(x, scale)
      codes = rounding.encode_to_nearest(x, step_size, 4)
      if scale == 1.0:  # Python values.
        self.assertAllEqual(codes, expected)
      if np.all(np.isfinite(x)):
        self.assertAllEqual(np.isfinite(step_size), True)

  @parameterized.parameters(0.5, 0.75, 0.9, 1.0, 3.0)
  def test_nearest_of_finite_entries_is_finite(self, scale):
    for entry in (3.4e38, np.finfo(np.float32).max, -3.4e38):
      x = tf.constant([entry, 0.0, 0.0, 0.0])
      step_size = rounding.root_mean_square_step_size(x, scale)
      codes = rounding.encode_to_nearest(x, step_size, 4)
      decoded = rounding.decode(codes, step_size, 4)
      self.assertAllEqual(np.isfinite(decoded), [True] * 4)
      self.assertAllEqual(decoded[1:], [0.0] * 3)

  def test_step_size_of_an_empty_tensor_is_zero(self):
    self.assertAllEqual(rounding.max_norm_step_size(tf.zeros([0, 3]), 4), 0.0)


class SignMagnitudeTest(tf.test.TestCase):

  def test_all_codes_decode_to_themselves(self):
    codes = tf.constant([8, 9, 15, 1, 2, 7])
    x = rounding.decode_sign_magnitude(codes, tf.constant(0.5), 4)
    self.assertAllEqual(x, [0.0, 0.5, 3.5, -0.5, -1.0, -3.5])
    step_size = rounding.sign_magnitude_step_size(x, 4)
    self.assertAllEqual(step_size, 0.5)
    again = rounding.encode_sign_magnitude(x, step_size, 4, tf.zeros([6]))
    self.assertAllEqual(again, codes)

  def test_largest_numbers_stay_finite(self):
    largest = np.finfo(np.float32).max
    x = tf.constant([largest, -largest, 0.0])
    for bits in range(2, 17):
      step_size = rounding.sign_magnitude_step_size(x, bits)
      codes = rounding.encode_sign_magnitude(x, step_size, bits, tf.zeros([3]))
      decoded = rounding.decode_sign_magnitude(codes, step_size, bits)
      self.assertAllClose(decoded / largest, [1.0, -1.0, 0.0], rtol=2e-6)


if __name__ == '__main__':
  tf.test.main()
