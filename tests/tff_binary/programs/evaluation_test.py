# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the evaluation on a test set and on clients' data."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests.tff_binary import supervised
from tff_binary.programs import evaluation


class EvaluationTest(tf.test.TestCase, parameterized.TestCase):

  def setUp(self):
    super().setUp()
    tf.keras.utils.set_random_seed(1)

  @parameterized.named_parameters(*supervised.TASKS)
  def test_equals_keras(
      self, build_model, data, loss_fn, metrics_fn, loss_weights
  ):
    model = build_model()
    results = evaluation.build_evaluation(
        model,
        data,
        loss_fn=loss_fn,
        loss_weights=loss_weights,
        metrics_fn=metrics_fn,
        batch_size=supervised.BATCH_SIZE,
    )()
    model.compile(
        loss=loss_fn(), loss_weights=loss_weights, weighted_metrics=metrics_fn()
    )
    expected = model.evaluate(
        *data[:2],
        sample_weight=data[2] if len(data) > 2 else None,
        batch_size=supervised.BATCH_SIZE,
        return_dict=True,
        verbose=0,
    )
    expected = {
        f'test_{name}': value
        for name, value in expected.items()
        if name == 'loss' or not name.endswith('_loss')  # Of single outputs.
    }
    self.assertGreater(len(expected), 1)
    self.assertAllClose(results, expected)

  def test_batch_of_padding_alone_counts_nothing(self):
    tokens = supervised.padded()
    some = [i for i in range(supervised.NUM_EXAMPLES) if tokens[i].any()]
    results = []
    for padding in (0, 2):
      features = np.concatenate([tokens[some], np.zeros_like(tokens[:padding])])
      tf.keras.utils.set_random_seed(1)
      results.append(
          evaluation.build_evaluation(
              supervised.token_model(True),
              (features, np.ones_like(features)),
              batch_size=len(some),
          )()
      )
    self.assertEqual(results[0]['test_accuracy'], results[1]['test_accuracy'])
    # Its loss is 0, like that of any batch a mean over its examples.
    share = len(some) / (len(some) + 2)
    self.assertAllClose(
        results[0]['test_loss'] * share, results[1]['test_loss']
    )

  def test_own_function_gets_the_sample_weights(self):
    def loss(y_true, y_pred, sample_weight):
      errors = tf.square(tf.squeeze(y_pred, -1) - y_true[:, 0])
      return tf.reduce_sum(sample_weight * errors) / tf.reduce_sum(
          sample_weight
      )

    model = supervised.model(1)
    labels = supervised.numbers()
    result = evaluation.build_evaluation(
        model,
        (supervised.FEATURES, labels, supervised.WEIGHTS),
        loss_fn=lambda: loss,
    )()
    errors = np.square(model(supervised.FEATURES).numpy()[:, 0] - labels)
    self.assertEqual(list(result), ['test_loss'])
    self.assertAllClose(
        result['test_loss'], np.average(errors, weights=supervised.WEIGHTS)
    )

  def test_uses_the_current_weights_and_inference_mode(self):
    model = tf.keras.Sequential([
        tf.keras.Input((2,)),
        tf.keras.layers.Dropout(0.9),
        *supervised.model().layers,
    ])
    evaluate = evaluation.build_evaluation(model, supervised.data(50))
    before = evaluate()
    self.assertEqual(evaluate(), before)
    model.set_weights([2.0 * w for w in model.get_weights()])
    self.assertNotEqual(evaluate(), before)

  def test_traces_once(self):
    traces = []

    def preprocess(features):
      traces.append(features.shape)
      return features

    evaluate = evaluation.build_evaluation(
        supervised.model(),
        supervised.data(),
        preprocess_fn=preprocess,
        batch_size=supervised.BATCH_SIZE,
    )
    before = len(traces)  # For the spec of what enters the model.
    evaluate()
    evaluate()
    self.assertLen(traces, before + 1)

  def test_takes_labels_of_any_integer_type(self):
    model = supervised.model()
    results = [
        evaluation.build_evaluation(model, supervised.data(9, dtype))()
        for dtype in (np.uint8, np.int32, np.int64, '>i4')
    ]
    self.assertEqual(results[1:], results[:1] * 3)

  def test_dataset_equals_its_arrays(self):
    model = supervised.model()
    dataset = tf.data.Dataset.from_tensor_slices(supervised.data())
    of_dicts = dataset.map(lambda x, y: {'x': x, 'y': y})
    expected = evaluation.build_evaluation(
        model, supervised.data(), batch_size=supervised.BATCH_SIZE
    )()
    for data in (dataset, of_dicts):
      evaluate = evaluation.build_evaluation(
          model, data.batch(supervised.BATCH_SIZE)
      )
      self.assertEqual(evaluate(), expected)

  def test_refuses_no_examples(self):
    with self.assertRaisesRegex(ValueError, 'got 0 examples'):
      evaluation.build_evaluation(supervised.model(), supervised.data(0))
    dataset = tf.data.Dataset.from_tensor_slices(supervised.data())
    dataset = dataset.take(0).batch(1)
    evaluate = evaluation.build_evaluation(supervised.model(), dataset)
    with self.assertRaisesRegex(ValueError, 'got 0 examples'):
      evaluate()

  def test_refuses_missing_labels(self):
    features, labels = supervised.data(4)
    with self.assertRaisesRegex(
        ValueError, r'Test has .* \(4, 2\) and labels .* \(3,\)'
    ):
      evaluation.build_evaluation(supervised.model(), (features, labels[:3]))

  def test_refuses_metric_that_is_no_scalar_at_once(self):
    with self.assertRaisesRegex(ValueError, r"metric 'f1' must be a scalar.*4"):
      evaluation.build_evaluation(
          supervised.model(4),
          (supervised.FEATURES, supervised.numbers(4)),
          loss_fn=tf.keras.losses.MeanSquaredError,
          metrics_fn=lambda: [tf.keras.metrics.F1Score(name='f1')],
      )


class ClientEvaluationTest(tf.test.TestCase):

  def test_mean_and_deciles_of_clients_with_examples(self):
    model = supervised.model()
    sizes = (3, 0, 7, 1, 0, 5)
    features, labels = supervised.data(sum(sizes))
    ends = np.cumsum(sizes)
    clients = [
        (features[end - n : end], labels[end - n : end])
        for n, end in zip(sizes, ends)
    ]
    datasets = [
        tf.data.Dataset.from_tensor_slices(client).batch(2)
        for client in clients
    ]
    expected = {'test_clients_empty': 2.0}
    single = [
        evaluation.build_evaluation(model, client, batch_size=2)()
        for client in clients
        if len(client[1])
    ]
    for name in ('loss', 'accuracy'):
      values = [result[f'test_{name}'] for result in single]
      self.assertGreater(np.ptp(values), 0.0)
      expected[f'test_clients_{name}_mean'] = np.mean(values)
      for percent in range(10, 100, 10):
        expected[f'test_clients_{name}_p{percent}'] = np.percentile(
            values, percent
        )
    for data in (clients, datasets):
      evaluate = evaluation.build_client_evaluation(model, data, batch_size=2)
      self.assertAllClose(evaluate(), expected)

  def test_only_empty_clients(self):
    results = evaluation.build_client_evaluation(
        supervised.model(), [supervised.data(0)] * 2
    )()
    self.assertEqual(results.pop('test_clients_empty'), 2.0)
    self.assertLen(results, 20)
    self.assertAllEqual(np.isnan(list(results.values())), [True] * 20)

  def test_refuses_no_clients(self):
    with self.assertRaisesRegex(ValueError, 'clients must not be empty'):
      evaluation.build_client_evaluation(supervised.model(), [])


if __name__ == '__main__':
  tf.test.main()
