# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the evaluation on a test set and on clients' data."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.programs import evaluation

_keras = tf.keras.layers
_losses = tf.keras.losses
_metrics = tf.keras.metrics

# Two full batches of 4 and one of 3.
_NUM_EXAMPLES = 11
_BATCH_SIZE = 4
_LENGTH = 6
_NUM_TOKENS = 9


def _model(units=3, activation=None):
  return tf.keras.Sequential(
      [tf.keras.Input((2,)), _keras.Dense(units, activation)]
  )


def _token_model(mask_zero=False, length=_LENGTH, units=_NUM_TOKENS):
  return tf.keras.Sequential([
      tf.keras.Input((length,)),
      _keras.Embedding(_NUM_TOKENS, 4, mask_zero=mask_zero),
      _keras.Dense(units),
  ])


def _two_inputs_model():
  inputs = {name: tf.keras.Input((2,), name=name) for name in ('a', 'b')}
  hidden = _keras.Concatenate()([_keras.Dense(2)(inputs['a']), inputs['b']])
  return tf.keras.Model(inputs, _keras.Dense(3)(hidden))


def _two_outputs_model(as_dict=False):
  inputs = tf.keras.Input((2,))
  outputs = {
      'kind': _keras.Dense(3, name='kind')(inputs),
      'size': _keras.Dense(1, name='size')(inputs),
  }
  return tf.keras.Model(inputs, outputs if as_dict else list(outputs.values()))


class _SubclassedModel(tf.keras.Model):
  """Two outputs, and a loss of its own."""

  def __init__(self):
    super().__init__()
    self._first = _keras.Dense(3)
    self._second = _keras.Dense(1)

  def call(self, inputs):
    outputs = self._first(inputs), self._second(inputs)
    self.add_loss(tf.reduce_mean(tf.square(outputs[0])))
    return outputs


def _regularized_model():
  return tf.keras.Sequential([
      tf.keras.Input((2,)),
      _keras.Dense(4, kernel_regularizer='l2'),
      _keras.ActivityRegularization(0.1),
      _keras.Dense(3),
  ])


def _string_model():
  return tf.keras.Sequential([
      tf.keras.Input((2,), dtype=tf.string),
      _keras.StringLookup(vocabulary=['a', 'b']),
      _keras.Embedding(3, 2),
      _keras.Flatten(),
      _keras.Dense(3),
  ])


def _data(num_examples=_NUM_EXAMPLES, dtype=np.int32):
  random = np.random.RandomState(0)
  features = random.randn(num_examples, 2).astype(np.float32)
  return features, random.randint(0, 3, num_examples).astype(dtype)


def _numbers(*shape):
  return np.random.RandomState(1).randn(_NUM_EXAMPLES, *shape)


def _tokens(num_examples=_NUM_EXAMPLES, seed=0):
  random = np.random.RandomState(seed)
  return random.randint(_NUM_TOKENS, size=[num_examples, _LENGTH])


def _padded():
  tokens = _tokens()
  tokens[::2, 3:] = 0
  tokens[1] = 0
  return tokens


_FEATURES, _LABELS = _data()
_WEIGHTS = np.abs(_numbers())
_TWO_LABELS = (_LABELS, _numbers())


def _cross_entropy():
  return _losses.SparseCategoricalCrossentropy(from_logits=True)


def _accuracy():
  return [_metrics.SparseCategoricalAccuracy(name='accuracy')]


def _errors():
  return [
      _metrics.MeanAbsoluteError(name='mae'),
      _metrics.RootMeanSquaredError(name='rmse'),
  ]


def _classification(name, build_model, *data):
  return name, build_model, data, _cross_entropy, _accuracy, None


def _two_losses():
  return [_cross_entropy(), _losses.MeanSquaredError()]


def _two_metrics():
  return {'kind': _accuracy(), 'size': _errors()}


# Name, model, data, loss_fn, metrics_fn and loss_weights.
_CASES = (
    _classification('labels', _model, _FEATURES, _LABELS),
    _classification('labels_n_1', _model, _FEATURES, _LABELS[:, np.newaxis]),
    _classification('labels_n_t', _token_model, _tokens(), _tokens(seed=1)),
    # As many examples as tokens in one.
    _classification(
        'labels_n_n', _token_model, _tokens(_LENGTH), _tokens(_LENGTH, seed=1)
    ),
    _classification('weights', _model, _FEATURES, _LABELS, _WEIGHTS),
    _classification(
        'weights_n_t',
        _token_model,
        _padded(),
        _tokens(),
        (_padded() > 0).astype(np.int32),
    ),
    _classification('mask', lambda: _token_model(True), _padded(), _tokens()),
    _classification(
        'mask_and_weights_n',
        lambda: _token_model(True), _padded(), _tokens(), _WEIGHTS,
    ),  # pyformat: disable
    _classification(
        'mask_and_weights_n_t',
        lambda: _token_model(True),
        _padded(),
        _tokens(),
        np.abs(_numbers(_LENGTH)),
    ),
    _classification(
        'two_inputs', _two_inputs_model, {'b': _FEATURES, 'a': -_FEATURES},
        _LABELS,
    ),  # pyformat: disable
    _classification('add_loss', _regularized_model, _FEATURES, _LABELS),
    _classification(
        'strings', _string_model, np.array([['a', 'zz']] * 9 + [['b', 'a']] * 2),
        _LABELS,
    ),  # pyformat: disable
    (
        'probabilities',
        lambda: _model(3, 'softmax'),
        (_FEATURES, _LABELS),
        _losses.SparseCategoricalCrossentropy,
        _accuracy,
        None,
    ),
    (
        'regression',
        lambda: _model(1),
        (_FEATURES, _numbers()),
        _losses.MeanSquaredError,
        lambda: [*_errors(), _metrics.R2Score(name='r2')],
        None,
    ),
    (
        'regression_by_name',
        lambda: _model(1),
        (_FEATURES, _numbers(1), _WEIGHTS),
        lambda: 'huber',
        _errors,
        None,
    ),
    (
        'regression_n_t',
        lambda: _token_model(units=1),
        (_tokens(), _numbers(_LENGTH)),
        lambda: _losses.mse,
        _errors,
        None,
    ),
    (
        'multi_label',
        lambda: _model(4, 'sigmoid'),
        (_FEATURES, (_numbers(4) > 0).astype(np.float32)),
        _losses.BinaryCrossentropy,
        lambda: [
            _metrics.BinaryAccuracy(name='accuracy'),
            _metrics.AUC(multi_label=True, name='auc'),
            _metrics.F1Score(average='macro', threshold=0.5, name='f1'),
        ],
        None,
    ),
    (
        'two_outputs',
        _two_outputs_model,
        (_FEATURES, _TWO_LABELS, _WEIGHTS),
        _two_losses,
        _two_metrics,
        [0.3, 2.0],
    ),
    (
        'two_outputs_of_a_dict',
        lambda: _two_outputs_model(as_dict=True),
        (_FEATURES, dict(zip(('kind', 'size'), _TWO_LABELS))),
        lambda: dict(zip(('kind', 'size'), _two_losses())),
        _two_metrics,
        {'size': 0.1, 'kind': 1.0},
    ),
    (
        'one_loss_of_two_outputs',
        _two_outputs_model,
        (_FEATURES, dict(zip(('kind', 'size'), _TWO_LABELS))),
        lambda: {'size': 'mae'},
        lambda: {'size': _errors()},
        None,
    ),
    (
        'subclassed',
        _SubclassedModel,
        (_FEATURES, _TWO_LABELS),
        _two_losses,
        lambda: [_accuracy(), _errors()],
        None,
    ),
)


class EvaluationTest(tf.test.TestCase, parameterized.TestCase):

  def setUp(self):
    super().setUp()
    tf.keras.utils.set_random_seed(1)

  @parameterized.named_parameters(*_CASES)
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
        batch_size=_BATCH_SIZE,
    )()
    model.compile(
        loss=loss_fn(), loss_weights=loss_weights, weighted_metrics=metrics_fn()
    )
    expected = model.evaluate(
        *data[:2],
        sample_weight=data[2] if len(data) > 2 else None,
        batch_size=_BATCH_SIZE,
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
    tokens = _padded()
    some = [i for i in range(_NUM_EXAMPLES) if tokens[i].any()]
    results = []
    for padding in (0, 2):
      features = np.concatenate([tokens[some], np.zeros_like(tokens[:padding])])
      tf.keras.utils.set_random_seed(1)
      results.append(
          evaluation.build_evaluation(
              _token_model(True),
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

    model = _model(1)
    labels = _numbers()
    result = evaluation.build_evaluation(
        model, (_FEATURES, labels, _WEIGHTS), loss_fn=lambda: loss
    )()
    errors = np.square(model(_FEATURES).numpy()[:, 0] - labels)
    self.assertEqual(list(result), ['test_loss'])
    self.assertAllClose(
        result['test_loss'], np.average(errors, weights=_WEIGHTS)
    )

  def test_uses_the_current_weights_and_inference_mode(self):
    model = tf.keras.Sequential(
        [tf.keras.Input((2,)), _keras.Dropout(0.9), *_model().layers]
    )
    evaluate = evaluation.build_evaluation(model, _data(50))
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
        _model(), _data(), preprocess_fn=preprocess, batch_size=_BATCH_SIZE
    )
    before = len(traces)  # For the spec of what enters the model.
    evaluate()
    evaluate()
    self.assertLen(traces, before + 1)

  def test_takes_labels_of_any_integer_type(self):
    model = _model()
    results = [
        evaluation.build_evaluation(model, _data(9, dtype))()
        for dtype in (np.uint8, np.int32, np.int64, '>i4')
    ]
    self.assertEqual(results[1:], results[:1] * 3)

  def test_dataset_equals_its_arrays(self):
    model = _model()
    dataset = tf.data.Dataset.from_tensor_slices(_data())
    of_dicts = dataset.map(lambda x, y: {'x': x, 'y': y})
    expected = evaluation.build_evaluation(
        model, _data(), batch_size=_BATCH_SIZE
    )()
    for data in (dataset, of_dicts):
      evaluate = evaluation.build_evaluation(model, data.batch(_BATCH_SIZE))
      self.assertEqual(evaluate(), expected)

  def test_refuses_no_examples(self):
    with self.assertRaisesRegex(ValueError, 'got 0 examples'):
      evaluation.build_evaluation(_model(), _data(0))
    dataset = tf.data.Dataset.from_tensor_slices(_data()).take(0).batch(1)
    evaluate = evaluation.build_evaluation(_model(), dataset)
    with self.assertRaisesRegex(ValueError, 'got 0 examples'):
      evaluate()

  def test_refuses_missing_labels(self):
    features, labels = _data(4)
    with self.assertRaisesRegex(ValueError, r'Test has .* \(4, 2\) and labels .* \(3,\)'):
      evaluation.build_evaluation(_model(), (features, labels[:3]))

  def test_refuses_metric_that_is_no_scalar_at_once(self):
    with self.assertRaisesRegex(ValueError, r"metric 'f1' must be a scalar.*4"):
      evaluation.build_evaluation(
          _model(4),
          (_FEATURES, _numbers(4)),
          loss_fn=_losses.MeanSquaredError,
          metrics_fn=lambda: [_metrics.F1Score(name='f1')],
      )


class ClientEvaluationTest(tf.test.TestCase):

  def test_mean_and_deciles_of_clients_with_examples(self):
    model = _model()
    sizes = (3, 0, 7, 1, 0, 5)
    features, labels = _data(sum(sizes))
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
    results = evaluation.build_client_evaluation(_model(), [_data(0)] * 2)()
    self.assertEqual(results.pop('test_clients_empty'), 2.0)
    self.assertLen(results, 20)
    self.assertAllEqual(np.isnan(list(results.values())), [True] * 20)

  def test_refuses_no_clients(self):
    with self.assertRaisesRegex(ValueError, 'clients must not be empty'):
      evaluation.build_client_evaluation(_model(), [])


if __name__ == '__main__':
  tf.test.main()
