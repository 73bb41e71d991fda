# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for bernoulli_mask."""

import functools

import numpy as np
import tensorflow as tf

from tff_binary import layers
from tff_binary.ops import masks
from tff_binary.ops import seeds

_THETA = [[0.0, 0.25, 0.5], [0.75, 1.0, 0.9]]
_WEIGHTS = [[1.0, -1.0, 2.0], [-2.0, 3.0, -3.0]]
_SEED = (1, 2)


def _layer(**kwargs):
  layer = layers.BernoulliMask(
      lambda shape: tf.constant(_WEIGHTS), 4.6, **kwargs
  )
  layer.build(tf.TensorShape([2, 3]))
  layer.receive(tf.constant(_THETA), (), 0, _SEED)
  layer.start()
  return layer


class BernoulliMaskTest(tf.test.TestCase):

  def test_starts_from_the_capped_logit_of_the_server_s_probability(self):
    self.assertAllClose(
        _layer().scores,
        [[-4.6, np.log(1 / 3), 0.0], [np.log(3), 4.6, np.log(9)]],
        rtol=1e-5,
    )

  def test_every_pass_masks_the_frozen_weights_anew(self):
    layer = _layer()
    kernels = [layer(tf.constant(_THETA), (1, i)).numpy() for i in range(200)]
    drawn = np.asarray(kernels) / np.asarray(_WEIGHTS)
    self.assertAllInSet(drawn, [0.0, 1.0])
    p = tf.sigmoid(layer.scores).numpy()
    # 6 standard deviations; the seeds are fixed.
    deviation = np.abs(np.mean(drawn, 0) - p) / np.sqrt(p * (1 - p) / 200)
    self.assertAllLess(deviation, 6.0)
    self.assertAllEqual(layer(tf.constant(_THETA), (1, 0)), kernels[0])

  def test_only_scores_are_trained_with_the_straight_through_gradient(self):
    layer = _layer()
    upstream = tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    with tf.GradientTape() as tape:
      effective = layer(tf.constant(_THETA), _SEED)
    (scores,) = layer.trainable_variables
    self.assertIs(scores, layer.scores)
    p = tf.sigmoid(scores)
    self.assertAllClose(
        tape.gradient(effective, scores, output_gradients=upstream),
        upstream * np.asarray(_WEIGHTS) * p * (1 - p),
    )

  def test_loss_of_the_mask_joins_the_gradient(self):
    layers_ = [
        _layer(loss_fn=loss_fn)
        for loss_fn in (
            None,
            functools.partial(
                masks.mean_loss, measure='entropy', weight=2.0, num_entries=10
            ),
        )
    ]
    gradients = []
    for layer in layers_:
      with tf.GradientTape() as tape:
        effective = layer(tf.constant(_THETA), _SEED)
      gradients.append(tape.gradient(effective, layer.scores))
    s = layers_[0].scores.numpy()
    p = 1 / (1 + np.exp(-s))
    self.assertAllClose(
        gradients[1] - gradients[0],
        -0.2 * s * p * (1 - p) / np.log(2),
        atol=1e-6,
    )

  def test_sends_a_draw_of_the_trained_mask(self):
    layer = _layer()
    layer.scores.assign([[-50.0, 50.0, 50.0], [0.0, -50.0, 0.0]])
    sent = layer.update(tf.constant(_THETA), _SEED).numpy()
    self.assertAllEqual(sent[0], [-1, 1, 1])
    self.assertEqual(sent[1, 1], -1)
    noise = seeds.uniform([2, 3], _SEED)
    self.assertAllEqual(sent > 0, noise < tf.sigmoid(layer.scores))

  def test_measures_the_mask(self):
    layer = _layer()
    layer.scores.assign([[-50.0, 50.0, 50.0], [0.0, -50.0, 0.0]])
    measured = layer.measurements()
    self.assertAllClose(measured['mask_density'], 0.5)
    self.assertAllClose(measured['mask_entropy'], 2 / 6)


if __name__ == '__main__':
  tf.test.main()
