# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for loss and accuracy of sequences with padding."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tasks import sequences

# 5 classes; the last sequence is nothing but padding.
_LABELS = np.array([[3, 1, 2, 4], [2, 4, 0, 0], [0, 0, 0, 0]])
_LOGITS = np.random.RandomState(0).normal(size=[3, 4, 5]).astype(np.float32)


def _cross_entropies():
  shifted = _LOGITS - np.log(np.exp(_LOGITS).sum(axis=-1, keepdims=True))
  return -np.take_along_axis(shifted, _LABELS[..., np.newaxis], -1)[..., 0]


class SequencesTest(tf.test.TestCase, parameterized.TestCase):

  def test_loss_is_the_mean_over_the_real_labels(self):
    losses = _cross_entropies()
    expected = [losses[0].mean(), losses[1, :2].mean(), 0.0]
    loss = sequences.SequenceCrossentropy()
    self.assertAllClose(loss.call(_LABELS, _LOGITS), expected)
    self.assertAllClose(loss(_LABELS, _LOGITS), np.mean(expected))
    self.assertAllClose(
        loss(_LABELS, _LOGITS, sample_weight=[0.0, 3.0, 0.0]), expected[1]
    )

  @parameterized.parameters(False, True)
  def test_padding_has_no_gradient_compiled_or_not(self, jit_compile):
    loss = sequences.SequenceCrossentropy()

    @tf.function(jit_compile=jit_compile)
    def gradient(labels, logits):
      with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(labels, logits)
      return tape.gradient(value, logits)

    actual = gradient(tf.constant(_LABELS), tf.constant(_LOGITS)).numpy()
    self.assertAllEqual(np.abs(actual).max(axis=-1) > 0.0, _LABELS > 0)
    self.assertAllEqual(
        gradient(tf.zeros_like(_LABELS), tf.constant(_LOGITS)),
        np.zeros_like(_LOGITS),
    )

  def test_accuracy_counts_real_labels_over_all_batches(self):
    correct = (_LOGITS.argmax(axis=-1) == _LABELS) & (_LABELS > 0)
    accuracy = sequences.SequenceAccuracy(name='accuracy')
    for labels, logits in zip(np.split(_LABELS, 3), np.split(_LOGITS, 3)):
      accuracy.update_state(labels, logits)
    self.assertAllClose(accuracy.result(), correct.sum() / 6.0)
    accuracy.reset_state()
    # All guesses right where the padding's label, 0, would be wrong.
    certain = tf.one_hot(np.where(_LABELS > 0, _LABELS, 1), 5)
    accuracy.update_state(_LABELS, certain)
    self.assertEqual(accuracy.result().numpy(), 1.0)

  def test_accuracy_takes_a_weight_for_each_sequence(self):
    correct = (_LOGITS.argmax(axis=-1) == _LABELS) & (_LABELS > 0)
    accuracy = sequences.SequenceAccuracy()
    weights = np.array([2.0, 1.0, 5.0])
    accuracy.update_state(_LABELS, _LOGITS, sample_weight=weights)
    self.assertAllClose(
        accuracy.result(), correct.sum(axis=1) @ weights / (4.0 * 2.0 + 2.0)
    )

  def test_accuracy_survives_its_config(self):
    # TFF makes metrics anew from it.
    config = sequences.SequenceAccuracy(name='accuracy').get_config()
    self.assertEqual(
        sequences.SequenceAccuracy.from_config(config).name, 'accuracy'
    )


if __name__ == '__main__':
  tf.test.main()
