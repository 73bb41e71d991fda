# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for keras_models."""

import warnings

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests.tff_binary import supervised
from tests.tff_binary import tiny
from tff_binary import algorithms
from tff_binary import learning
from tff_binary.learning import structures


def _spec(examples):
  return tf.nest.map_structure(
      lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype), examples
  )


def _model(build_model, data, **kwargs):
  """Returns the model for these examples, and a batch of all of them."""
  examples = structures.as_examples(data, 'test')
  model = learning.keras_model_fn(build_model, _spec(examples), **kwargs)()
  return model, tf.nest.map_structure(tf.convert_to_tensor, examples)


def _float32_output(build_model=tiny.batch_norm_model):
  model = build_model()
  model.add(tf.keras.layers.Activation('linear', dtype='float32'))
  return model


def _halved_if_positive(x):
  """Python control flow on a tensor, which needs AutoGraph in a graph."""
  if tf.reduce_sum(x) > 0.0:
    return 0.5 * x
  return x


class _Halving(tf.keras.layers.Layer):

  def call(self, x):
    return _halved_if_positive(x)


class _HalvedMean(tf.keras.metrics.Mean):

  def update_state(self, y_true, y_pred, sample_weight=None):
    del y_true, sample_weight
    super().update_state(_halved_if_positive(y_pred))


def _halved_loss(y_true, y_pred):
  del y_true
  return _halved_if_positive(y_pred)


def _halved_weighted_loss(y_true, y_pred, sample_weight=None):
  del y_true, sample_weight
  return tf.reduce_mean(_halved_if_positive(y_pred))


class KerasModelFnTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(_halved_loss, _halved_weighted_loss)
  def test_what_users_write_may_branch_on_tensors(self, loss):
    def build_model():
      return tf.keras.Sequential([tf.keras.Input([1]), _Halving()])

    model, batch = _model(
        build_model,
        (np.float32([[8.0], [8.0]]), np.float32([[0.0], [0.0]])),
        loss_fn=lambda: loss,
        metrics_fn=lambda: [_HalvedMean('halved')],
    )
    self.assertEqual(model.forward_pass(batch).loss, 2.0)
    self.assertEqual(model.metric_results()['halved'], 2.0)

  @parameterized.named_parameters(*supervised.TASKS)
  def test_loss_gradients_and_metrics_are_those_of_fit(
      self, build_model, data, loss_fn, metrics_fn, loss_weights
  ):
    tf.keras.utils.set_random_seed(1)
    model, batch = _model(
        build_model,
        data,
        loss_fn=loss_fn,
        loss_weights=loss_weights,
        metrics_fn=metrics_fn,
    )
    with tf.GradientTape() as tape:
      output = model.forward_pass(batch, training=True)
    gradients = tape.gradient(output.loss, model.trainable_variables)
    unfinalized = model.report_local_unfinalized_metrics()
    self.assertEqual(list(model.metric_finalizers()), list(unfinalized))
    num_examples = supervised.num_examples(data)
    self.assertEqual(unfinalized['num_examples'], [num_examples])
    self.assertEqual(unfinalized['num_batches'], [1])
    results = model.metric_results()
    self.assertAllClose(results['loss'], output.loss)

    keras_model = model.keras_model
    before = [v.numpy() for v in keras_model.trainable_variables]
    keras_model.compile(
        tf.keras.optimizers.SGD(1.0),
        loss_fn(),
        loss_weights=loss_weights,
        weighted_metrics=metrics_fn(),
    )
    expected = keras_model.train_on_batch(
        *data[:2],
        sample_weight=data[2] if len(data) > 2 else None,
        return_dict=True,
    )
    for name, value in results.items():
      self.assertAllClose(value, expected[name])
    self.assertGreater(len(results), 1)
    self.assertLen(gradients, len(before))
    for old, gradient, v in zip(
        before, gradients, keras_model.trainable_variables
    ):
      if gradient is None:  # Of an output without a loss.
        gradient = np.zeros_like(old)
      self.assertAllClose(old - v, tf.convert_to_tensor(gradient), atol=1e-6)

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

  @parameterized.named_parameters(
      (
          'variables',
          lambda: tf.keras.layers.Dense(3, dtype='float64'),
          "variables .* must be float32, got .*/kernel:0' of float64",
      ),
      (
          'half_precision',
          lambda: tf.keras.layers.Dense(3, dtype='float16'),
          'of float16: give its layer dtype',
      ),
      (
          'moving_statistics',
          lambda: tf.keras.layers.BatchNormalization(dtype='float64'),
          'of float64: give its layer dtype',
      ),
  )
  def test_refuses_variables_of_other_floats(self, build_layer, message):
    def build_model():
      return tf.keras.Sequential([
          tf.keras.Input((2,)), build_layer(), tf.keras.layers.Dense(3),
      ])  # pyformat: disable

    with self.assertRaisesRegex(ValueError, message):
      _model(build_model, supervised.data())

  @parameterized.parameters(True, False)
  def test_refuses_the_same_model_twice(self, in_graphs):
    instance = supervised.model()
    model_fn = learning.keras_model_fn(
        lambda: instance, _spec(supervised.data())
    )
    with self.assertRaisesRegex(
        ValueError, 'build a new one at every call, got .*a second time'
    ):
      if in_graphs:
        with tf.Graph().as_default():
          model_fn()
      model_fn()
      model_fn()

  def test_refuses_the_same_metrics_twice(self):
    metrics = [tf.keras.metrics.MeanSquaredError('mse')]
    model_fn = learning.keras_model_fn(
        supervised.model,
        _spec(supervised.data()),
        metrics_fn=lambda: metrics,
    )
    with tf.Graph().as_default():
      with self.assertRaisesRegex(
          ValueError, "new metrics at every call, got 'mse' a second time"
      ):
        model_fn()

  def test_refuses_compiled_model(self):
    def build_model():
      model = supervised.model()
      model.compile('sgd', 'mse')
      return model

    with self.assertRaisesRegex(ValueError, 'give its loss as loss_fn'):
      _model(build_model, supervised.data())

  @parameterized.named_parameters(
      ('activation', lambda: supervised.model(3, 'softmax')),
      (
          'layer_of_an_inner_model',
          lambda: tf.keras.Sequential([
              tf.keras.Input((2,)),
              tf.keras.Sequential([
                  tf.keras.layers.Dense(3), tf.keras.layers.Softmax()
              ]),
          ]),
      ),
  )  # pyformat: disable
  def test_warns_once_of_softmax_as_logits(self, build_model):
    model_fn = learning.keras_model_fn(build_model, _spec(supervised.data()))
    with self.assertWarnsRegex(
        UserWarning, r'ends in a softmax.*entropy\(from_logits=False\)'
    ):
      model_fn()
    with warnings.catch_warnings():
      warnings.filterwarnings('error', message='.*softmax')
      model_fn()
      learning.keras_model_fn(
          build_model,
          _spec(supervised.data()),
          loss_fn=tf.keras.losses.SparseCategoricalCrossentropy,
      )()

  @parameterized.named_parameters(
      ('number', dict(loss_fn=lambda: ['mse'] * 3), 'loss_fn must fit'),
      ('name_of_loss', dict(loss_fn=lambda: {'x': 'mse'}), r"got \['x'\]"),
      ('weights', dict(loss_weights=[1.0]), 'loss_weights must fit.*1 of them'),
      (
          'flat_metrics',
          dict(metrics_fn=lambda: [tf.keras.metrics.Mean()]),
          r"outputs \['kind', 'size'\]: metrics_fn must return a",
      ),
  )
  def test_refuses_what_does_not_fit_two_outputs(self, kwargs, message):
    kwargs = {'loss_fn': lambda: 'mse', **kwargs}
    (build_model, data) = next(
        task[1:3] for task in supervised.TASKS if task[0] == 'two_outputs'
    )
    with self.assertRaisesRegex(ValueError, message):
      _model(build_model, data, **kwargs)

  def test_refuses_one_array_of_labels_for_two_outputs(self):
    (build_model, data) = next(
        task[1:3] for task in supervised.TASKS if task[0] == 'two_outputs'
    )
    with self.assertRaisesRegex(ValueError, 'needs labels for each'):
      _model(build_model, (data[0], data[1][0]), loss_fn=lambda: 'mse')

  @parameterized.named_parameters(
      ('loss', dict(loss_fn=lambda: 3), TypeError, 'must return .* got 3'),
      (
          'class',
          dict(loss_fn=lambda: tf.keras.losses.Huber),
          TypeError,
          'objects of tf.keras.losses.Loss.*Huber',
      ),
      (
          'metric',
          dict(metrics_fn=lambda: ['mae']),
          TypeError,
          "objects of tf.keras.metrics.Metric, got 'mae'",
      ),
      (
          'two_metrics_of_one_name',
          dict(metrics_fn=lambda: [tf.keras.metrics.Mean('m')] * 2),
          ValueError,
          "Two metrics are called 'm'",
      ),
  )
  def test_refuses_loss_or_metric(self, kwargs, error, message):
    with self.assertRaisesRegex(error, message):
      _model(supervised.model, supervised.data(), **kwargs)

  def test_refuses_loss_that_is_no_mean(self):
    model, batch = _model(
        supervised.model,
        supervised.data(),
        loss_fn=lambda: tf.keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction='none'
        ),
    )
    with self.assertRaisesRegex(ValueError, 'must be a scalar.*NONE'):
      model.forward_pass(batch)

  def test_refuses_batch(self):
    with self.assertRaisesRegex(ValueError, "of these names, got 'x', 'z'"):
      learning.keras_model_fn(supervised.model, {'x': 1, 'z': 2})

  def test_refuses_compute_dtype(self):
    with self.assertRaisesRegex(
        ValueError,
        "compute_dtype must be one of float32, bfloat16, got 'float16'",
    ):
      learning.keras_model_fn(
          tiny.dense_model, tiny.element_spec(), compute_dtype='float16'
      )


if __name__ == '__main__':
  tf.test.main()
