# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for the digits task."""

import numpy as np
from sklearn import datasets
import tensorflow as tf

import tasks


class DigitsTest(tf.test.TestCase):

  def test_shapes_types_and_values(self):
    task = tasks.load('digits')
    for features, labels, size in (
        (task.train_features, task.train_labels, 1437),
        (task.test_features, task.test_labels, 360),
    ):
      self.assertEqual(features.shape, (size, 8, 8, 1))
      self.assertEqual(features.dtype, np.uint8)
      self.assertEqual((features.min(), features.max()), (0, 16))
      self.assertEqual(labels.shape, (size,))
      self.assertEqual(labels.dtype, np.int32)
      self.assertAllEqual(np.unique(labels), np.arange(task.num_classes))

  def test_split_keeps_every_example_with_its_label(self):
    task = tasks.load('digits')
    features = np.concatenate([task.train_features, task.test_features])
    labels = np.concatenate([task.train_labels, task.test_labels])
    digits = datasets.load_digits()

    def rows(features, labels):
      table = np.column_stack([features.reshape(-1, 64), labels])
      return table[np.lexsort(table.T)]

    self.assertAllEqual(
        rows(features, labels), rows(digits.images, digits.target)
    )

  def test_split_is_fixed(self):
    digits = datasets.load_digits()
    order = np.random.RandomState(0).permutation(1797)
    task = tasks.load('digits')
    self.assertAllEqual(task.test_labels, digits.target[order[:360]])
    self.assertAllEqual(task.train_labels, digits.target[order[360:]])

  def test_preprocessing_standardizes(self):
    task = tasks.load('digits')
    features = task.preprocess_train(tf.constant(task.train_features))
    self.assertEqual(features.dtype, tf.float32)
    self.assertAllClose(tf.reduce_mean(features), 0.0, atol=1e-3)
    self.assertAllClose(tf.math.reduce_std(features), 1.0, atol=1e-3)
    self.assertAllClose(
        task.preprocess_test(task.test_features[:5]),
        task.preprocess_train(task.test_features[:5]),
    )

  def test_model_has_a_demos_size_and_learns(self):
    task = tasks.load('digits', seed=1)
    model = task.build_model()
    num_weights = sum(
        v.shape.num_elements()
        for v in model.trainable_variables
        if v.shape.rank > 1
    )
    self.assertEqual(num_weights, 21_280)
    tf.keras.utils.set_random_seed(1)
    model.compile(
        tf.keras.optimizers.SGD(0.1),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=['accuracy'],
    )
    model.fit(
        task.preprocess_train(task.train_features),
        task.train_labels,
        batch_size=64,
        epochs=10,
        verbose=0,
    )
    _, accuracy = model.evaluate(
        task.preprocess_test(task.test_features), task.test_labels, verbose=0
    )
    self.assertGreater(accuracy, 0.97)


if __name__ == '__main__':
  tf.test.main()
