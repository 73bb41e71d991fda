# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for signs."""

import math

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.ops import signs


class ScaledSignTest(tf.test.TestCase):

  def test_keeps_the_sum_of_absolute_entries(self):
    x = tf.constant([[3.0, -1.0], [0.0, -0.0]])
    self.assertAllEqual(signs.scaled_sign(x), [[1.0, -1.0], [1.0, 1.0]])

  def test_zeros_and_nothing_stay(self):
    self.assertAllEqual(signs.scaled_sign(tf.zeros([3])), [0.0, 0.0, 0.0])
    self.assertAllEqual(signs.scaled_sign(tf.zeros([0])), [])


class StochasticSignTest(tf.test.TestCase):

  def test_chance_is_linear_up_to_the_bound(self):
    x = tf.constant([-3.0, -2.0, 0.0, 1.0, 2.0, 3.0])
    chances = [0.0, 0.0, 0.5, 0.75, 1.0, 1.0]
    for noise in (0.0, 0.49, 0.51, 0.74, 0.76, 1.0 - 2**-24):
      drawn = signs.stochastic_sign(x, 2.0, tf.fill(x.shape, noise))
      self.assertAllEqual(drawn, np.less(noise, chances))


class MajorityTest(tf.test.TestCase):

  def test_most_voters_win_and_noise_breaks_ties(self):
    votes = tf.constant([3.0, -1.0, 1.0, -0.2, 0.0, 0.0, -0.0, 0.0])
    noise = tf.constant([0.0, 0.9, 0.4, 0.6, 0.0, 0.49, 0.5, 0.99])
    self.assertAllEqual(
        signs.majority(votes, noise),
        [1.0, -1.0, 1.0, -1.0, -1.0, -1.0, 1.0, 1.0],
    )


class ZNoiseTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(1.0, 1.5, 2.0, 10.0, float('inf'))
  def test_density_at_zero_is_that_of_the_unbiased_step_size(self, z):
    num_draws, width = 1_000_000, 0.1
    noise = signs.z_noise([num_draws], z, (1, 2))
    share = np.mean(np.abs(noise) < width)
    expected = width / signs.z_noise_step_size(1.0, z)
    # The density changes by less than 0.2 % within the width. Six standard
    # deviations of 5 shares: fails by chance once in 10^8.
    self.assertAllClose(
        share, expected, rtol=2e-3, atol=6 * math.sqrt(0.1 / num_draws)
    )

  @parameterized.parameters(1.0, 2.0, 10.0, 100.0, 1e308)
  def test_is_unbiased_for_small_updates(self, z):
    num_draws, x = 1_000_000, 0.05
    noise = signs.z_noise([num_draws], z, (1, 2))
    step_size = signs.z_noise_step_size(1.0, z)
    # A Gaussian's bias is 2e-5. Six standard deviations of 5 means: fails by
    # chance once in 10^8.
    self.assertAllClose(
        np.mean(step_size * np.sign(x + noise)),
        x,
        rtol=0,
        atol=2e-5 + 6 * step_size / math.sqrt(num_draws),
    )

  @parameterized.parameters(1.0, 2.0, float('inf'))
  def test_is_symmetric(self, z):
    mean = np.mean(signs.z_noise([1_000_000], z, (1, 2)))
    # Six standard deviations of 3 means: fails by chance once in 10^8.
    self.assertLess(abs(mean), 6e-3)

  def test_known_step_sizes(self):
    self.assertAlmostEqual(
        signs.z_noise_step_size(0.01, 1.0), 0.01 * math.sqrt(math.pi / 2)
    )
    self.assertEqual(signs.z_noise_step_size(0.01, float('inf')), 0.01)


if __name__ == '__main__':
  tf.test.main()
