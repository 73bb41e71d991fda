# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Loss and accuracy of sequences of ids, in which the label 0 is padding."""

import tensorflow as tf

# The id that fills up a sequence; never predicted.
PADDING = 0


class SequenceCrossentropy(tf.keras.losses.Loss):
  """The mean cross-entropy of a sequence's labels, padding left out.

  Called with labels of shape `[n, length]` and logits of shape `[n, length,
  classes]`, it is the (weighted) mean over the `n` sequences of the mean over
  their labels, so it does not depend on how examples are batched. A sequence of
  nothing but padding has the loss 0. Keras' `ignore_class` gives NaN for a
  batch of such sequences, and cannot be compiled by XLA.
  """

  def call(self, y_true, y_pred):
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y_true, y_pred)
    counts = tf.cast(tf.not_equal(y_true, PADDING), losses.dtype)
    return tf.math.divide_no_nan(
        tf.reduce_sum(losses * counts, axis=-1), tf.reduce_sum(counts, axis=-1)
    )


class SequenceAccuracy(tf.keras.metrics.SparseCategoricalAccuracy):
  """The share of labels that have the largest logit, padding left out.

  Labels have the shape `[n, length]`, logits `[n, length, classes]` and sample
  weights, one for each sequence, `[n]`.
  """

  def update_state(self, y_true, y_pred, sample_weight=None):
    weights = tf.cast(tf.not_equal(y_true, PADDING), self.dtype)
    if sample_weight is not None:
      weights *= tf.cast(sample_weight, self.dtype)[:, tf.newaxis]
    return super().update_state(y_true, y_pred, weights)
