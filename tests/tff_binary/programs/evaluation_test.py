# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the central evaluation."""

import numpy as np
import tensorflow as tf

from tff_binary.programs import evaluation


def _model():
  return tf.keras.Sequential(
      [tf.keras.Input((2,)), tf.keras.layers.Dense(3, 'tanh')]
  )


def _data(num_examples, dtype=np.int32):
  random = np.random.RandomState(0)
  features = random.randn(num_examples, 2).astype(np.float32)
  return features, random.randint(0, 3, num_examples).astype(dtype)


class EvaluationTest(tf.test.TestCase):

  def test_equals_keras_for_every_padding(self):
    model = _model()
    model.compile(
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=['accuracy'],
    )
    for num_examples in (1, 4, 5, 8, 10, 11):
      data = _data(num_examples)
      expected = model.evaluate(*data, verbose=0)
      result = evaluation.build_evaluation(model, *data, max_batch_size=4)()
      self.assertAllClose(
          [result['test_loss'], result['test_accuracy']], expected
      )

  def test_uses_the_current_weights_and_inference_mode(self):
    model = tf.keras.Sequential(
        [tf.keras.Input((2,)), tf.keras.layers.Dropout(0.9), *_model().layers]
    )
    evaluate = evaluation.build_evaluation(model, *_data(50))
    before = evaluate()
    self.assertEqual(evaluate(), before)
    model.set_weights([w + 1.0 for w in model.get_weights()])
    self.assertNotEqual(evaluate(), before)

  def test_traces_once(self):
    traces = []

    def preprocess(features):
      traces.append(features.shape)
      return features

    evaluation.build_evaluation(
        _model(), *_data(11), preprocess, max_batch_size=4
    )()
    self.assertLen(traces, 1)

  def test_takes_labels_of_any_integer_type(self):
    results = [
        evaluation.build_evaluation(model, *_data(9, dtype))()
        for model in [_model()]
        for dtype in (np.uint8, np.int32, np.int64)
    ]
    self.assertEqual(results[0], results[1])
    self.assertEqual(results[0], results[2])

  def test_refuses_no_examples(self):
    with self.assertRaisesRegex(ValueError, 'got 0 examples'):
      evaluation.build_evaluation(_model(), *_data(0))

  def test_refuses_missing_labels(self):
    features, labels = _data(4)
    with self.assertRaisesRegex(ValueError, 'got 4 examples and 3 labels'):
      evaluation.build_evaluation(_model(), features, labels[:3])


if __name__ == '__main__':
  tf.test.main()
