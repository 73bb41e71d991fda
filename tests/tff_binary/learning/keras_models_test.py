# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for keras_models."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests.tff_binary import tiny
from tff_binary import algorithms
from tff_binary import learning


def _float32_output(build_model=tiny.batch_norm_model):
  model = build_model()
  model.add(tf.keras.layers.Activation('linear', dtype='float32'))
  return model


class KerasModelFnTest(tf.test.TestCase, parameterized.TestCase):

  def test_default_loss_and_metrics(self):
    model = learning.keras_model_fn(tiny.dense_model, tiny.element_spec())()
    features, labels = tiny.arrays(8)
    output = model.forward_pass((features, labels))
    logits = tiny.dense_model()(features)
    self.assertAllClose(output.predictions, logits)
    log_probs = tf.nn.log_softmax(logits).numpy()
    self.assertAllClose(
        output.loss, -np.mean(log_probs[np.arange(8), labels])
    )
    correct, total = model.report_local_unfinalized_metrics()['accuracy']
    self.assertAllClose(
        [correct, total], [np.sum(np.argmax(logits, 1) == labels), 8]
    )

  def test_own_loss_and_metrics(self):
    spec = tiny.element_spec()
    spec['labels'] = tf.TensorSpec((None, tiny.NUM_CLASSES), tf.float32)
    model = learning.keras_model_fn(
        tiny.dense_model,
        spec,
        loss_fn=tf.keras.losses.MeanSquaredError,
        metrics_fn=lambda: [tf.keras.metrics.MeanAbsoluteError(name='mae')],
    )()
    features, _ = tiny.arrays(8)
    predictions = tiny.dense_model()(features)
    output = model.forward_pass((features, tf.zeros_like(predictions)))
    self.assertAllClose(output.loss, np.mean(np.square(predictions)))
    total, count = model.report_local_unfinalized_metrics()['mae']
    self.assertAllClose(total / count, np.mean(np.abs(predictions)))

  def test_preprocessing_determines_the_input(self):
    model = learning.keras_model_fn(
        tiny.dense_model,
        tiny.element_spec((2, 3), tf.uint8),
        preprocess_fn=lambda x: tf.reshape(x, [-1, 6]) / 255,
    )()
    features, _ = model.input_spec
    self.assertEqual(features.shape.as_list(), [None, 6])
    self.assertEqual(features.dtype, tf.float32)

  def test_bfloat16_computes_in_bfloat16_and_keeps_float32(self):
    seen = []

    def build_model():
      model = _float32_output()
      seen.append((model.layers[0].compute_dtype, model.compute_dtype))
      return model

    model = learning.keras_model_fn(
        build_model, tiny.element_spec(), compute_dtype='bfloat16'
    )()
    self.assertEqual(seen, [('bfloat16', 'bfloat16')])
    for v in (*model.trainable_variables, *model.non_trainable_variables):
      self.assertEqual(v.dtype, tf.float32)
    output = model.forward_pass(tiny.arrays(8))
    self.assertEqual(output.loss.dtype, tf.float32)
    expected = learning.keras_model_fn(_float32_output, tiny.element_spec())()
    expected = expected.forward_pass(tiny.arrays(8))
    # bfloat16 has 8 bits of precision.
    self.assertAllClose(output.loss, expected.loss, rtol=0.05)
    self.assertNotEqual(output.loss, expected.loss)
    self.assertEqual(tf.keras.mixed_precision.global_policy().name, 'float32')

  def test_round_in_bfloat16(self):
    process = algorithms.build_fedbat(
        learning.keras_model_fn(
            _float32_output, tiny.element_spec(), compute_dtype='bfloat16'
        ),
        element_spec=tiny.element_spec(),
    )
    state = process.initialize()
    output = process.next(state, [tiny.client(9)])
    before = process.get_model_weights(state)
    after = process.get_model_weights(output.state)
    for w, v in zip(
        [*after.trainable, *after.non_trainable],
        [*before.trainable, *before.non_trainable],
    ):
      self.assertEqual(w.dtype, np.float32)
      self.assertAllEqual(np.isfinite(w), np.ones_like(w, bool))
      self.assertNotAllEqual(w, v)

  def test_refuses_output_in_bfloat16(self):
    model_fn = learning.keras_model_fn(
        tiny.dense_model, tiny.element_spec(), compute_dtype='bfloat16'
    )
    with self.assertRaisesRegex(
        ValueError, "must be float32, got bfloat16.*dtype='float32'"
    ):
      model_fn()
    self.assertEqual(tf.keras.mixed_precision.global_policy().name, 'float32')

  def test_refuses_compute_dtype(self):
    with self.assertRaisesRegex(
        ValueError, r"one of \('float32', 'bfloat16'\), got 'float16'"
    ):
      learning.keras_model_fn(
          tiny.dense_model, tiny.element_spec(), compute_dtype='float16'
      )


if __name__ == '__main__':
  tf.test.main()
