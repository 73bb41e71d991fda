# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Supervised tasks of many kinds, for what must be done as Keras does it."""

import numpy as np
import tensorflow as tf

_keras = tf.keras.layers
_losses = tf.keras.losses
_metrics = tf.keras.metrics

# Two full batches of 4 and one of 3.
NUM_EXAMPLES = 11
BATCH_SIZE = 4
LENGTH = 6
NUM_TOKENS = 9


def model(units=3, activation=None):
  return tf.keras.Sequential(
      [tf.keras.Input((2,)), _keras.Dense(units, activation)]
  )


def token_model(mask_zero=False, length=LENGTH, units=NUM_TOKENS):
  return tf.keras.Sequential([
      tf.keras.Input((length,)),
      _keras.Embedding(NUM_TOKENS, 4, mask_zero=mask_zero),
      _keras.Dense(units),
  ])


def two_inputs_model():
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


def _frozen_model():
  return tf.keras.Sequential([
      tf.keras.Input((2,)),
      _keras.Dense(4, trainable=False),
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


def data(num_examples=NUM_EXAMPLES, dtype=np.int32):
  random = np.random.RandomState(0)
  features = random.randn(num_examples, 2).astype(np.float32)
  return features, random.randint(0, 3, num_examples).astype(dtype)


def numbers(*shape):
  return np.random.RandomState(1).randn(NUM_EXAMPLES, *shape)


def num_examples(examples):
  return len(tf.nest.flatten(examples)[0])


def tokens(num_examples=NUM_EXAMPLES, seed=0):
  random = np.random.RandomState(seed)
  return random.randint(NUM_TOKENS, size=[num_examples, LENGTH])


def padded():
  features = tokens()
  features[::2, 3:] = 0
  features[1] = 0
  return features


FEATURES, LABELS = data()
WEIGHTS = np.abs(numbers())
_TWO_LABELS = (LABELS, numbers())


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


# Name, model, examples, loss_fn, metrics_fn and loss_weights.
TASKS = (
    _classification('labels', model, FEATURES, LABELS),
    _classification('labels_n_1', model, FEATURES, LABELS[:, np.newaxis]),
    _classification('labels_n_t', token_model, tokens(), tokens(seed=1)),
    # As many examples as tokens in one.
    _classification(
        'labels_n_n', token_model, tokens(LENGTH), tokens(LENGTH, seed=1)
    ),
    _classification('weights', model, FEATURES, LABELS, WEIGHTS),
    _classification(
        'weights_n_t',
        token_model,
        padded(),
        tokens(),
        (padded() > 0).astype(np.int32),
    ),
    _classification('mask', lambda: token_model(True), padded(), tokens()),
    _classification(
        'mask_and_weights_n',
        lambda: token_model(True), padded(), tokens(), WEIGHTS,
    ),  # pyformat: disable
    _classification(
        'mask_and_weights_n_t',
        lambda: token_model(True),
        padded(),
        tokens(),
        np.abs(numbers(LENGTH)),
    ),
    _classification(
        'two_inputs', two_inputs_model, {'b': FEATURES, 'a': -FEATURES},
        LABELS,
    ),  # pyformat: disable
    _classification('add_loss', _regularized_model, FEATURES, LABELS),
    _classification('frozen_layer', _frozen_model, FEATURES, LABELS),
    _classification(
        'strings',
        _string_model,
        np.array([['a', 'zz']] * 9 + [['b', 'a']] * 2),
        LABELS,
    ),
    (
        'probabilities',
        lambda: model(3, 'softmax'),
        (FEATURES, LABELS),
        _losses.SparseCategoricalCrossentropy,
        _accuracy,
        None,
    ),
    (
        'regression',
        lambda: model(1),
        (FEATURES, numbers()),
        _losses.MeanSquaredError,
        lambda: [*_errors(), _metrics.R2Score(name='r2')],
        None,
    ),
    (
        'regression_by_name',
        lambda: model(1),
        (FEATURES, numbers(1), WEIGHTS),
        lambda: 'huber',
        _errors,
        None,
    ),
    (
        'regression_n_t',
        lambda: token_model(units=1),
        (tokens(), numbers(LENGTH)),
        lambda: _losses.mse,
        _errors,
        None,
    ),
    (
        'multi_label',
        lambda: model(4, 'sigmoid'),
        (FEATURES, (numbers(4) > 0).astype(np.float32)),
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
        (FEATURES, _TWO_LABELS, WEIGHTS),
        _two_losses,
        _two_metrics,
        [0.3, 2.0],
    ),
    (
        'two_outputs_of_a_dict',
        lambda: _two_outputs_model(as_dict=True),
        (FEATURES, dict(zip(('kind', 'size'), _TWO_LABELS))),
        lambda: dict(zip(('kind', 'size'), _two_losses())),
        _two_metrics,
        {'size': 0.1, 'kind': 1.0},
    ),
    (
        'one_loss_of_two_outputs',
        _two_outputs_model,
        (FEATURES, dict(zip(('kind', 'size'), _TWO_LABELS))),
        lambda: {'size': 'mae'},
        lambda: {'size': _errors()},
        None,
    ),
    (
        'subclassed',
        _SubclassedModel,
        (FEATURES, _TWO_LABELS),
        _two_losses,
        lambda: [_accuracy(), _errors()],
        None,
    ),
)
