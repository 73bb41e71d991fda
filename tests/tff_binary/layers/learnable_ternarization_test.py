# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for learnable_ternarization. What it inherits is tested there."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.layers import learnable_ternarization
from tff_binary.ops import ternarize

_SEED = tf.constant([1, 2])
_UPDATE = np.float32(np.random.RandomState(0).laplace(size=[40, 50]))


def _layer(update=_UPDATE, **kwargs):
  """Returns a layer whose warm-up is over and left `update` behind."""
  layer = learnable_ternarization.LearnableTernarization(**kwargs)
  layer.build(update.shape)
  layer.start()
  layer.update_variable.assign(update)
  layer.advance(1, 2)
  return layer


class LearnableTernarizationTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(1.0, 8.0)
  def test_sends_three_values_of_a_multiple_of_the_mean(self, step_scale):
    layer = _layer(step_scale=step_scale)
    step_size = step_scale * np.mean(np.abs(_UPDATE))
    self.assertAllClose(layer.step_size(), step_size, rtol=1e-5)
    sent = layer.update(tf.zeros_like(_UPDATE), _SEED)
    self.assertAllClose(np.unique(sent), [-step_size, 0.0, step_size])
    kernel = tf.ones_like(_UPDATE)
    self.assertAllEqual(layer(kernel, _SEED), kernel + sent)

  @parameterized.parameters(0.1, 0.5, 1.2)
  def test_sends_as_many_bits_as_asked_for(self, bits):
    layer = _layer(bits_per_param=bits)
    sent = layer.update(tf.zeros_like(_UPDATE), _SEED)
    # 2,000 draws: 6 standard deviations of the share of 0.01 each at most.
    share = np.mean(np.not_equal(sent, 0.0))
    self.assertAllClose(share, ternarize.share_of_bits(bits), atol=0.06)
    measured = layer.measurements()['update_entropy']
    self.assertAllClose(measured, bits, rtol=2e-3)

  def test_is_unbiased_inside(self):
    layer = _layer(step_scale=30.0)
    draws = [layer.update(None, tf.constant([i, 7])) for i in range(400)]
    error = np.mean(draws, axis=0) - _UPDATE
    deviation = np.sqrt(layer.step_size() * np.abs(_UPDATE) / 400)
    # 2,000 sums of 400 draws, many of few ones: 7 standard deviations and a
    # draw more. Fails falsely once in 10^8 runs.
    self.assertAllLess(
        np.abs(error) - 7 * deviation, layer.step_size() / 400 * 2
    )

  def test_dead_zone(self):
    layer = _layer(step_scale=2.0, dead_zone=0.5)
    sent = layer.update(None, _SEED).numpy()
    is_small = np.abs(_UPDATE) <= 0.5 * layer.step_size()
    self.assertAllEqual(sent[is_small], np.zeros(np.sum(is_small)))

  def test_entropy_weight_is_the_gradient_of_the_entropy(self):
    plain, weighted = _layer(), _layer(entropy_weight=3.0)
    gradients = []
    for layer in (plain, weighted):
      with tf.GradientTape() as tape:
        effective = layer(tf.zeros_like(_UPDATE), _SEED)
      gradients.append(
          tape.gradient(
              effective, [layer.update_variable, layer.step_exponent]
          )
      )
    update = tf.constant(_UPDATE)
    exponent = tf.constant(0.0)
    with tf.GradientTape() as tape:
      tape.watch([update, exponent])
      step_size = plain.step_size() * tf.exp(6.0 * exponent)
      share = tf.reduce_mean(tf.minimum(tf.abs(update / step_size), 1.0))
      loss = 3.0 * ternarize.bits_per_entry(share)
    expected = tape.gradient(loss, [update, exponent])
    for a, b, difference in zip(*gradients[::-1], expected):
      self.assertAllClose(a - b, difference, atol=2e-6, rtol=1e-3)

  @parameterized.parameters({'bits_per_param': 0.5}, {'step_scale': 4.0})
  def test_without_an_update_nothing_is_sent(self, **kwargs):
    layer = _layer(np.zeros([3, 4], np.float32), entropy_weight=1.0, **kwargs)
    self.assertAllEqual(layer.update(None, _SEED), np.zeros([3, 4]))
    with tf.GradientTape() as tape:
      effective = layer(tf.zeros([3, 4]), _SEED)
    for gradient in tape.gradient(effective, layer.trainable_variables):
      self.assertTrue(np.all(np.isfinite(gradient)))


if __name__ == '__main__':
  tf.test.main()
