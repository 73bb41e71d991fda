# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluation of the global model on a central test set."""

import math

import numpy as np
import tensorflow as tf


def build_evaluation(
    model, features, labels, preprocess_fn=None, max_batch_size=250
):
  """Builds a function that evaluates `model` with its current weights.

  All batches have one size, the last one padded by examples of weight 0, so
  that the function is compiled once. It is compiled by XLA where there is a
  GPU. On CPUs XLA's convolutions take 2-3 times as long as TensorFlow's own.

  Args:
    model: A `tf.keras.Model` from a batch of features to logits of shape
      `[batch, classes]`.
    features: An array of shape `[n, ...]`, n at least 1.
    labels: An integer array of shape `[n]`.
    preprocess_fn: A TF function of a batch of features, or None.
    max_batch_size: The largest number of examples in a batch.

  Returns:
    A function of no arguments that returns a dict with the mean cross-entropy
    `test_loss` (natural logarithm) and `test_accuracy`, floats.

  Raises:
    ValueError: If there are no examples or not one label for each.
  """
  num_examples = len(features)
  if num_examples < 1 or num_examples != len(labels):
    raise ValueError(
        'test must hold at least one example and as many labels, got'
        f' {num_examples} examples and {len(labels)} labels'
    )
  labels = np.asarray(labels, np.int64)
  num_batches = math.ceil(num_examples / max_batch_size)
  indices = np.arange(num_batches * math.ceil(num_examples / num_batches))
  weights = (indices < num_examples).astype(np.float32)
  batches = list(
      zip(
          np.split(indices % num_examples, num_batches),
          np.split(weights, num_batches),
      )
  )

  @tf.function(jit_compile=bool(tf.config.list_physical_devices('GPU')))
  def evaluate_batch(features, labels, weights):
    if preprocess_fn is not None:
      features = preprocess_fn(features)
    logits = tf.cast(model(features, training=False), tf.float32)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    predictions = tf.argmax(logits, axis=-1)
    correct = tf.cast(tf.equal(predictions, labels), tf.float32)
    # A multiplication would spread a NaN of the padding.
    losses = tf.where(weights > 0.0, losses, 0.0)
    return tf.reduce_sum(losses), tf.reduce_sum(correct * weights)

  def evaluate():
    sums = np.zeros([2], np.float64)
    for index, weight in batches:
      sums += [
          value.numpy()
          for value in evaluate_batch(features[index], labels[index], weight)
      ]
    loss, accuracy = (sums / num_examples).tolist()
    return {'test_loss': loss, 'test_accuracy': accuracy}

  return evaluate
