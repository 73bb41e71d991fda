# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for updated_variables."""

from unittest import mock

import tensorflow as tf
import tensorflow_federated as tff

from tff_binary.learning import updated_variables


def _frozen(layer):
  layer.trainable = False
  return layer


class _Counting(tf.keras.layers.Layer):
  """Adds to a float and to an integer in a branch and in a function."""

  def build(self, shape):
    add = lambda name, dtype: self.add_weight(
        name, (), dtype, initializer='zeros', trainable=False
    )
    self.never, self.sometimes = add('never', 'float32'), add('some', 'float32')
    self.counter = add('counter', 'int64')

  def call(self, x):
    self.counter.assign_add(1)

    @tf.function
    def count(total):
      if total > 0.0:
        self.sometimes.assign_add(total)
      return self.never + x

    return count(tf.reduce_sum(x))


def _layers():
  """Pairs of a layer and what training changes of its non-trainables."""
  normalization = tf.keras.layers.BatchNormalization
  return [
      (tf.keras.layers.Normalization(mean=[0.0] * 3, variance=[1.0] * 3), []),
      (_frozen(tf.keras.layers.Dense(4)), [False] * 2),
      (_frozen(normalization()), [False] * 4),
      (normalization(), [True] * 2),
      (tf.keras.layers.Dropout(0.5), []),
      (_Counting(), [False, True, False]),
      (tf.keras.layers.Reshape((2, 2)), []),
      (_frozen(tf.keras.layers.LSTM(3)), [False] * 3),
      (tf.keras.layers.Dense(2), []),
  ]


def _model(layers):
  return tff.learning.models.from_keras_model(
      tf.keras.Sequential([tf.keras.Input((3,)), *layers]),
      loss=tf.keras.losses.MeanSquaredError(),
      input_spec=(tf.TensorSpec([None, 3]), tf.TensorSpec([None, 2])),
  )


class UpdatedVariablesTest(tf.test.TestCase):

  def _check(self):
    pairs = _layers()
    model = _model([layer for layer, _ in pairs])
    names = [v.name for v in model.non_trainable_variables]
    expected = sum((e for _, e in pairs), [])
    self.assertEqual(
        dict(zip(names, updated_variables.find(model))),
        dict(zip(names, expected)),
    )
    self.assertLen(names, len(expected))

  def test_finds_what_a_forward_pass_changes(self):
    self._check()

  def test_finds_the_same_in_a_graph(self):
    with tf.Graph().as_default():
      self._check()

  def test_traces_nothing_where_there_is_nothing_to_find(self):
    model = _model([tf.keras.layers.Dense(2)])
    with mock.patch.object(model, 'forward_pass') as forward_pass:
      self.assertEmpty(updated_variables.find(model))
    forward_pass.assert_not_called()


if __name__ == '__main__':
  tf.test.main()
