# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for the registry of tasks."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

import tasks


class RegistryTest(tf.test.TestCase, parameterized.TestCase):

  def test_names_are_those_of_the_tasks(self):
    self.assertEqual(
        tasks.names(),
        [
            'cifar10', 'cifar100', 'cinic10', 'digits', 'fmnist',
            'shakespeare', 'svhn',
        ],  # pyformat: disable
    )

  def test_train_examples_keeps_the_first_ones(self):
    whole = tasks.load('digits')
    part = tasks.load('digits', train_examples=100)
    self.assertAllEqual(part.train_features, whole.train_features[:100])
    self.assertAllEqual(part.train_labels, whole.train_labels[:100])
    self.assertAllEqual(part.test_labels, whole.test_labels)

  @parameterized.named_parameters(
      (
          'task',
          'mnist',
          {},
          "task must be one of cifar10, cifar100, .*digits, .*, got 'mnist'",
      ),
      (
          'initializer',
          'digits',
          {'kernel_initializer': 'he'},
          "kernel_initializer must be one of paper, kaiming, got 'he'",
      ),
      (
          'no_examples',
          'digits',
          {'train_examples': 0},
          r'train_examples must be an integer in \[1, 1437\], got 0',
      ),
      (
          'too_many_examples',
          'digits',
          {'train_examples': 1438},
          r'train_examples must be an integer in \[1, 1437\], got 1438',
      ),
      (
          'fractional_examples',
          'digits',
          {'train_examples': 10.5},
          r'train_examples must be an integer in \[1, 1437\], got 10.5',
      ),
      ('seed', 'digits', {'seed': -1}, 'seed must be an integer .*, got -1'),
  )
  def test_refuses(self, name, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      tasks.load(name, **arguments)

  def test_models_are_new_and_follow_the_arguments(self):
    task = tasks.load('digits', kernel_initializer='kaiming', seed=3)
    first, second = task.build_model(), task.build_model()
    self.assertIsNot(first, second)
    self.assertAllEqual(first.get_weights()[0], second.get_weights()[0])
    paper = tasks.load('digits', seed=3).build_model()
    self.assertGreater(
        np.std(first.get_weights()[0]), 10.0 * np.std(paper.get_weights()[0])
    )


if __name__ == '__main__':
  tf.test.main()
