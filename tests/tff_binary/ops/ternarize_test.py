# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for ternarize."""

import math

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests.tff_binary.ops import kept_for_gradient
from tff_binary.ops import ternarize

_NOISE = tf.constant((np.arange(10_000) + 0.5) / 10_000, tf.float32)


def _signs_of_all_draws(ratio, dead_zone=0.0):
  """Returns what a ratio is rounded to with noise from everywhere in [0, 1)."""
  ratio = tf.fill(_NOISE.shape, ratio)
  return ternarize.ternary_signs(ratio, _NOISE, dead_zone).numpy()


class TernarySignsTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(-1.0, -0.3, 0.0, 1e-3, 0.5, 0.999, 1.0)
  def test_is_unbiased_inside_with_the_stated_variance(self, ratio):
    signs = _signs_of_all_draws(ratio)
    self.assertAllInSet(signs, [0.0, np.sign(ratio)])
    self.assertAllClose(np.mean(signs), ratio, atol=1e-4)
    # In units of alpha^2; that of FedBAT's operator is 1 - ratio^2.
    self.assertAllClose(np.var(signs), abs(ratio) - ratio**2, atol=2e-4)

  @parameterized.parameters(1.5, -3.0, 1e38, math.inf, -math.inf)
  def test_is_the_nearer_end_outside(self, ratio):
    self.assertAllEqual(
        _signs_of_all_draws(ratio), np.full(10_000, np.sign(ratio))
    )

  def test_dead_zone(self):
    for ratio, mean in ((0.39, 0.0), (-0.4, 0.0), (0.7, 0.5), (-1.0, -1.0)):
      signs = _signs_of_all_draws(ratio, dead_zone=0.4)
      self.assertAllClose(np.mean(signs), mean, atol=2e-4)

  def test_nan_is_zero(self):
    self.assertAllEqual(_signs_of_all_draws(math.nan), np.zeros(10_000))

  def test_gradients_are_those_of_the_docstring(self):
    x = tf.constant([-3.0, -1.9, -0.5, 0.0, 0.5, 1.9, 3.0])
    noise = tf.constant([0.3, 0.99, 0.1, 0.5, 0.9, 0.2, 0.5])
    upstream = tf.constant([0.5, -1.0, 2.0, 4.0, -3.0, 1.5, 7.0])
    alpha = tf.constant(2.0)
    with tf.GradientTape() as tape:
      tape.watch([x, alpha])
      signs = ternarize.ternary_signs(x / alpha, noise)
      result = alpha * signs
    x_grad, alpha_grad = tape.gradient(
        result, [x, alpha], output_gradients=upstream
    )
    self.assertAllEqual(signs, [-1, 0, -1, 0, 0, 1, 1])
    is_inside = np.abs(x) <= alpha
    self.assertAllEqual(x_grad, np.where(is_inside, upstream, 0.0))
    per_entry = np.where(is_inside, signs - x / alpha, np.sign(x))
    self.assertAllClose(alpha_grad, np.sum(upstream * per_entry))

  def test_keeps_a_byte_an_entry_for_the_gradient(self):
    ratio = tf.fill(_NOISE.shape, 0.3).numpy()
    kept = kept_for_gradient.num_bytes(
        lambda ratio: ternarize.ternary_signs(ratio, _NOISE.numpy()), [ratio]
    )
    self.assertBetween(kept, ratio.size, ratio.size + 64)


class RateTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(0.0, 1e-7, 0.01, 0.3, 2 / 3, 1.0)
  def test_bits_per_entry(self, share):
    shares = [1.0 - share, share / 2, share / 2]
    expected = -sum(p * math.log2(p) for p in shares if p > 0.0)
    bits = ternarize.bits_per_entry(tf.constant(share))
    self.assertAllClose(bits, expected, atol=3e-5)

  def test_gradient_of_bits_is_finite(self):
    for share in (0.0, 1e-9, 0.5, 1.0):
      share = tf.constant(share)
      with tf.GradientTape() as tape:
        tape.watch(share)
        bits = ternarize.bits_per_entry(share)
      self.assertTrue(np.isfinite(tape.gradient(bits, share)))

  @parameterized.parameters(0.01, 0.5, 1.0, 1.58)
  def test_share_of_bits(self, bits):
    share = ternarize.share_of_bits(bits)
    self.assertBetween(share, 0.0, 2 / 3)
    self.assertAllClose(
        ternarize.bits_per_entry(tf.constant(share)), bits, rtol=1e-4
    )

  @parameterized.parameters(0.001, 0.1, 0.6)
  def test_step_size_of_share(self, share):
    update = tf.constant(np.random.RandomState(1).laplace(size=[50, 40]))
    update = tf.cast(update, tf.float32)
    for scale in (1e-30, 1.0, 1e30):
      step_size = ternarize.step_size_of_share(scale * update, share)
      self.assertAllClose(
          ternarize.share_of_nonzeros(scale * update / step_size),
          share,
          rtol=1e-3,
      )

  def test_step_size_of_unusual_updates(self):
    self.assertEqual(ternarize.step_size_of_share(tf.zeros([5]), 0.1), 0.0)
    self.assertEqual(ternarize.step_size_of_share(tf.zeros([0]), 0.1), 0.0)
    # Fewer entries are not 0 than may be: all of them are sent.
    update = tf.constant([0.0, 0.0, 0.0, 0.0, 1.0])
    step_size = ternarize.step_size_of_share(update, 0.5)
    self.assertBetween(step_size, 0.0, 1.0)
    self.assertTrue(
        np.isfinite(ternarize.step_size_of_share(tf.fill([3], 3e38), 0.1))
    )


if __name__ == '__main__':
  tf.test.main()
