# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for masks."""

import math

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.ops import masks
from tff_binary.ops import seeds

_SEED = (1, 2)
_SCORES = (-200.0, -20.0, -3.0, -0.5, 0.0, 0.5, 3.0, 20.0, 200.0)


def _sigmoid(s):
  return 1.0 / (1.0 + np.exp(-np.asarray(s, np.float64)))


def _gradient(function, x, upstream=None):
  x = tf.constant(x)
  with tf.GradientTape() as tape:
    tape.watch(x)
    y = function(x)
  return tape.gradient(y, x, output_gradients=upstream)


class FrozenWeightsTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      ('signed_kaiming', math.sqrt(2.0)), ('signed_e', math.e)
  )
  def test_signed_constants(self, distribution, numerator):
    weights = masks.frozen_weights([3, 3, 50, 40], distribution, _SEED).numpy()
    self.assertAllClose(
        np.abs(weights), np.full_like(weights, numerator / math.sqrt(450))
    )
    # 18,000 fair coins: 6 standard deviations, false alarms below 2e-9.
    self.assertLess(abs(np.mean(np.sign(weights))), 6 / math.sqrt(18_000))

  @parameterized.parameters('kaiming_normal', 'kaiming_uniform')
  def test_variance_is_kaiming_s(self, distribution):
    weights = masks.frozen_weights([100, 200], distribution, _SEED).numpy()
    # Means of 20,000 squares of relative deviation sqrt(2) at most: 6 standard
    # deviations are 0.06, false alarms below 2e-9.
    self.assertAllClose(np.mean(weights**2), 2 / 100, rtol=0.06)
    self.assertLess(abs(np.mean(weights)), 6 * math.sqrt(2 / 100 / 20_000))
    if distribution == 'kaiming_uniform':
      self.assertLessEqual(np.max(np.abs(weights)), math.sqrt(6 / 100))

  def test_is_a_function_of_shape_distribution_and_seed(self):
    draw = lambda seed: masks.frozen_weights([4, 5], 'kaiming_normal', seed)
    self.assertAllEqual(draw((1, 2)), draw((1, 2)))
    self.assertAllEqual(draw((1, 2)), tf.function(draw)((1, 2)))
    self.assertNotAllClose(draw((1, 2)), draw((1, 3)))

  def test_a_vector_has_its_length_as_fan_in(self):
    weights = masks.frozen_weights([8], 'signed_kaiming', _SEED)
    self.assertAllClose(np.abs(weights), np.full([8], 0.5))


class LogitTest(tf.test.TestCase):

  def test_inverts_the_sigmoid(self):
    scores = [-4.0, -0.5, 0.0, 2.0]
    self.assertAllClose(
        masks.logit(tf.sigmoid(scores), 10.0), scores, atol=1e-5
    )

  def test_is_finite_for_certain_entries_and_beyond(self):
    # A rounded probability may leave the interval by an ulp.
    p = tf.constant([0.0, 1.0, -1e-7, 1.0 + 1e-6, 1e-30])
    self.assertAllClose(
        masks.logit(p, 4.6), [-4.6, 4.6, -4.6, 4.6, -4.6], rtol=1e-6
    )


class DrawTest(tf.test.TestCase, parameterized.TestCase):

  def test_has_the_probability(self):
    p = 0.3
    mask = masks.draw(tf.fill([40_000], p), seeds.uniform([40_000], _SEED))
    self.assertAllInSet(mask, [0.0, 1.0])
    # 6 standard deviations, false alarms below 2e-9.
    self.assertAllClose(
        np.mean(mask), p, rtol=0, atol=6 * math.sqrt(p * (1 - p) / 40_000)
    )

  def test_certain_entries(self):
    noise = tf.constant([0.0, 1.0 - 2**-24])  # The ends of the noise.
    self.assertAllEqual(masks.draw(tf.zeros([2]), noise), [0, 0])
    self.assertAllEqual(masks.draw(tf.ones([2]), noise), [1, 1])

  @parameterized.parameters(
      (masks.straight_through_draw, 0), (masks.damped_draw, 1)
  )
  def test_gradient(self, draw, power):
    noise = tf.constant([0.9, 0.1] * 4 + [0.5])
    p = _sigmoid(_SCORES)
    upstream = tf.constant(np.arange(1.0, 10.0), tf.float32)
    mask = draw(tf.constant(_SCORES), noise)
    self.assertAllEqual(mask, noise.numpy() < p)
    gradient = _gradient(lambda s: draw(s, noise), _SCORES, upstream)
    self.assertAllClose(
        gradient, np.arange(1.0, 10.0) * p * (1 - p) * p**power, rtol=1e-4
    )


class RepresentativeTest(tf.test.TestCase):

  def test_rules(self):
    p = tf.constant([0.0, 0.25, 0.5, 1.0])
    self.assertAllEqual(masks.representative(p, 'mean', _SEED), p)
    self.assertAllEqual(
        masks.representative(p, 'threshold', _SEED), [0, 0, 1, 1]
    )
    self.assertAllEqual(
        masks.representative(p, 'sample', _SEED),
        masks.draw(p, seeds.uniform([4], _SEED)),
    )


class LossTest(tf.test.TestCase):

  def test_entropy(self):
    p = _sigmoid(_SCORES[1:-1])
    expected = -p * np.log2(p) - (1 - p) * np.log2(1 - p)
    self.assertAllClose(
        masks.entropy(tf.constant(_SCORES[1:-1])), expected, atol=1e-6
    )
    self.assertAllClose(masks.entropy(tf.constant([-200.0, 200.0])), [0, 0])

  def test_gradients_of_the_proxies(self):
    s = np.asarray(_SCORES)
    slope = _sigmoid(s) * (1 - _sigmoid(s))
    for measure, expected in (
        ('probability', slope), ('entropy', -s * slope / math.log(2.0))
    ):
      gradient = _gradient(
          lambda x, measure=measure: masks.mean_loss(x, measure, 3.0, 100),
          _SCORES,
      )
      self.assertAllClose(gradient, 3.0 / 100 * expected, atol=1e-8)


if __name__ == '__main__':
  tf.test.main()
