# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for masked_noise."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.ops import masked_noise

_SEED = tf.constant([3, 5])
_NUM_DRAWS = 20_000


def _masked(update, noise, share=1.0, is_signed=False, seed=0):
  draw = np.random.RandomState(seed).rand(*np.shape(noise))
  return masked_noise.progressively_masked(
      tf.constant(update, tf.float32),
      tf.constant(noise, tf.float32),
      tf.constant(draw, tf.float32),
      tf.constant(share, tf.float32),
      is_signed,
  ).numpy()


class MaskedNoiseTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      ('uniform', 0.02 / np.sqrt(12.0)), ('gaussian', 0.01), ('bernoulli', 0.01)
  )
  def test_noise_has_its_distribution(self, distribution, deviation):
    noise = masked_noise.draw_noise([_NUM_DRAWS], _SEED, distribution, 0.01)
    # The error of a deviation is at most 0.0051 of it here, that of the mean
    # 0.0071: 6 of them. Fails falsely once in 10^8 seeds; the seed is fixed.
    self.assertAllClose(np.std(noise), deviation, rtol=0.031)
    self.assertAllClose(np.mean(noise), 0.0, atol=0.043 * deviation)
    self.assertAllGreater(np.abs(noise), 0.0)

  def test_words_name_a_seed(self):
    for seed in ([0, 0], [7, 2**24 - 1], [-1, 2**31 - 1]):
      words = masked_noise.seed_words(tf.constant(seed))
      self.assertAllLess(np.abs(words), 1e-20)
      self.assertAllEqual(
          masked_noise.seed_of(words), np.bitwise_and(seed, 2**24 - 1)
      )

  @parameterized.product(is_signed=[False, True], share=[0.25, 1.0])
  def test_is_unbiased_inside(self, is_signed, share):
    noise = np.repeat([[0.01], [-0.02]], _NUM_DRAWS, axis=1)
    update = 0.3 * noise
    masked = _masked(update, noise, share, is_signed)
    # A draw deviates by the noise at most, their mean by 1/141 of it: 6 times.
    # Fails falsely once in 10^8 seeds.
    self.assertAllClose(
        masked.mean(axis=1), update[:, 0], atol=0.02 * 6 / 141
    )
    is_clipped = np.isclose(masked, update)
    # 6 deviations of 0.0022.
    self.assertAllClose(np.mean(is_clipped), 1.0 - share, atol=0.013)
    values = np.unique(np.abs(masked[~is_clipped]))
    self.assertAllClose(
        values, [0.01, 0.02] if is_signed else [0.0, 0.01, 0.02], atol=1e-9
    )

  @parameterized.parameters(0.0, 0.5, 1.0)
  def test_what_noise_cannot_reach_is_clipped(self, share):
    noise = np.full([1000], -0.01)
    for update, binary, signed in (
        (0.5, 0.0, 0.01), (-0.5, -0.01, -0.01), (-0.01, -0.01, -0.01)
    ):
      update = np.full([1000], update)
      for is_signed, expected in ((False, binary), (True, signed)):
        self.assertAllClose(
            _masked(update, noise, share, is_signed),
            np.full([1000], expected),
            atol=1e-9,
        )

  def test_gradient_passes_unchanged(self):
    update = tf.constant([0.5, -0.5, 0.0])
    with tf.GradientTape() as tape:
      tape.watch(update)
      masked = masked_noise.progressively_masked(
          update, tf.fill([3], 0.01), tf.fill([3], 0.5), tf.constant(0.5), False
      )
    self.assertAllEqual(
        tape.gradient(masked, update, tf.constant([1.0, 2.0, 3.0])),
        [1.0, 2.0, 3.0],
    )

  def test_largest_floats_stay_finite(self):
    largest = np.finfo(np.float32).max
    update = [largest, -largest, 0.0]
    for is_signed in (False, True):
      masked = _masked(update, [1e-8, 1e-8, -1e-8], 0.5, is_signed)
      self.assertAllLessEqual(np.abs(masked), 1e-8)


if __name__ == '__main__':
  tf.test.main()
