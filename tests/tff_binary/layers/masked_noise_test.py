# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for masked_noise."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import layers
from tff_binary import wire
from tff_binary.ops import masked_noise

_KERNEL = tf.ones([40, 50])


def _layer(seed=(1, 2), **kwargs):
  layer = layers.MaskedNoise(**kwargs)
  layer.build(_KERNEL.shape)
  layer.receive(_KERNEL, (), 0, tf.constant(seed))
  layer.start()
  return layer


class MaskedNoiseTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(
      mask=masked_noise.MASKS, distribution=masked_noise.DISTRIBUTIONS
  )
  def test_sends_what_the_codec_can_say(self, mask, distribution):
    layer = _layer(mask=mask, distribution=distribution, magnitude=0.1)
    layer.update_variable.assign(0.01 * tf.random.normal(_KERNEL.shape))
    sent = layer.update(_KERNEL, tf.constant([3, 4]))
    codec = wire.MaskedNoiseCodec(mask, distribution, 0.1)
    self.assertEqual(codec.num_off_grid(sent), 0)
    self.assertNotAllEqual(sent[:2000], tf.zeros([2000]))

  def test_noise_is_a_clients_and_rounds_own(self):
    noises = [
        _layer(seed, mask='signed').update(_KERNEL, (3, 4))
        for seed in ((1, 2), (1, 3), (2, 2))
    ]
    magnitudes = np.abs(noises)[:, :2000]
    for i in range(3):
      # Of 2,000 entries with some 20 bits few are equal by chance.
      self.assertLess(np.mean(np.equal(magnitudes[i], magnitudes[i - 1])), 0.01)

  def test_more_and_more_entries_are_masked(self):
    layer = _layer()
    # Within the noise: clipping changes nothing, and masking everything.
    layer.update_variable.assign(0.5 * layer._noise)
    for step, share in ((0, 0.25), (1, 0.5), (3, 1.0), (4, 1.0)):
      layer.advance(step, 4)
      change = layer(tf.zeros_like(_KERNEL), tf.constant([7, step]))
      is_masked = np.logical_not(np.isclose(change, layer.update_variable))
      # 6 deviations of 0.0112: fails falsely once in 10^8 seeds.
      self.assertAllClose(np.mean(is_masked), share, atol=0.068)

  def test_without_progress_all_entries_are_masked(self):
    layer = _layer(is_progressive=False)
    layer.update_variable.assign(0.5 * layer._noise)
    layer.advance(0, 4)
    change = layer(tf.zeros_like(_KERNEL), tf.constant([7, 1])).numpy()
    noise = layer._noise.numpy()
    self.assertTrue(np.all((change == noise) | (change == 0.0)))

  def test_counts_steps_where_it_has_to(self):
    self.assertTrue(layers.MaskedNoise().needs_num_steps)
    self.assertFalse(layers.MaskedNoise(is_progressive=False).needs_num_steps)

  def test_what_is_not_compressed_has_no_seed(self):
    layer = _layer()
    self.assertAllEqual(layer.uncompressed_update(_KERNEL), tf.zeros([2002]))

  def test_trains_the_update_alone(self):
    layer = _layer()
    self.assertLen(layer.trainable_variables, 1)
    layer.advance(2, 4)
    with tf.GradientTape() as tape:
      effective = layer(_KERNEL, tf.constant([5, 6]))
    gradient = tape.gradient(effective, layer.update_variable)
    self.assertAllEqual(gradient, tf.ones_like(_KERNEL))


if __name__ == '__main__':
  tf.test.main()
