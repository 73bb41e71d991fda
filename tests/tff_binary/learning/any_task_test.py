# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""FedBAT trains more than classifiers: two rounds of four other tasks in TFF.

Each is a whole example: build the model, say loss and metrics, give the data.
"""

import tempfile

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import algorithms
from tff_binary import learning
from tff_binary.programs import evaluation

_layers = tf.keras.layers
_losses = tf.keras.losses
_metrics = tf.keras.metrics


def _regression(random):
  def build_model():
    return tf.keras.Sequential([
        tf.keras.Input((4,)),
        _layers.Dense(8, 'relu'),
        _layers.Dense(1),
    ])

  def client(n):
    features = random.randn(n, 4).astype(np.float32)
    return features, features @ np.float32([1.0, -2.0, 0.5, 3.0])

  return build_model, client, dict(
      loss_fn=_losses.MeanSquaredError,
      metrics_fn=lambda: [_metrics.MeanAbsoluteError(name='mae')],
  )


def _multi_label(random):
  def build_model():
    return tf.keras.Sequential([
        tf.keras.Input((4,)),
        _layers.Dense(8, 'relu'),
        _layers.Dense(3, 'sigmoid'),
    ])

  def client(n):
    features = random.randn(n, 4).astype(np.float32)
    return features, (features[:, :3] > 0).astype(np.int32)

  return build_model, client, dict(
      loss_fn=_losses.BinaryCrossentropy,
      metrics_fn=lambda: [
          _metrics.BinaryAccuracy(name='accuracy'),
          _metrics.Recall(name='recall'),
      ],
  )


def _tokens_with_padding(random):
  """The next token, in sequences of different lengths filled up with 0."""

  def build_model():
    return tf.keras.Sequential([
        tf.keras.Input((None,)),
        _layers.Embedding(5, 8, mask_zero=True),
        _layers.Dense(5),
    ])

  def client(n):
    start = random.randint(4, size=[n, 1])
    tokens = (start + np.arange(8)) % 4 + 1
    tokens[np.arange(8) >= random.randint(2, 9, size=[n, 1])] = 0
    # Each example with a weight of its own.
    weights = 0.5 + random.rand(n).astype(np.float32)
    return tokens[:, :-1], tokens[:, 1:], weights

  return build_model, client, {}


def _two_inputs(random):
  """Numbers, and a string that the model looks up."""

  def build_model():
    numbers = tf.keras.Input((3,), name='numbers')
    word = tf.keras.Input((1,), name='word', dtype=tf.string)
    index = _layers.StringLookup(vocabulary=['minus', 'plus'])(word)
    embedded = _layers.Flatten()(_layers.Embedding(3, 4)(index))
    hidden = _layers.Concatenate()([numbers, embedded])
    return tf.keras.Model(
        {'numbers': numbers, 'word': word},
        _layers.Dense(2)(_layers.Dense(16, 'tanh')(hidden)),
    )

  def client(n):
    numbers = random.randn(n, 3).astype(np.float32)
    word = random.choice(['minus', 'plus'], size=[n, 1])
    labels = (numbers[:, 0] + np.where(word[:, 0] == 'plus', 1, -1)) > 0
    return {'word': word, 'numbers': numbers}, labels.astype(np.int32)

  return build_model, client, {}


class AnyTaskTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('regression', _regression, ['mae']),
      ('multi_label', _multi_label, ['accuracy', 'recall']),
      ('tokens_with_padding', _tokens_with_padding, ['accuracy']),
      ('two_inputs', _two_inputs, ['accuracy']),
  )
  def test_two_rounds(self, task, metrics):
    tf.keras.utils.set_random_seed(1)
    build_model, client, losses_and_metrics = task(np.random.RandomState(0))
    clients = [client(n) for n in (64, 40)]
    folder = self.enter_context(tempfile.TemporaryDirectory())
    store = learning.ClientStore.write(folder, clients)
    process = algorithms.build_fedbat(
        learning.keras_model_fn(
            build_model, store.element_spec, **losses_and_metrics
        ),
        element_spec=store.element_spec,
        local_training=learning.LocalTraining(
            local_epochs=10,
            batch_size=8,
            optimizer=tff.learning.optimizers.build_adam(0.01),
        ),
    )
    next_round = tff.simulation.compose_dataset_computation_with_computation(
        store.dataset_computation, process.next
    )
    model = build_model()
    evaluate = evaluation.build_evaluation(
        model, client(100), **losses_and_metrics
    )
    state = process.initialize()
    process.get_model_weights(state).assign_weights_to(model)
    before = evaluate()
    losses = []
    for _ in range(2):
      output = next_round(state, [0, 1])
      state = output.state
      row = learning.round_metrics(output.metrics)
      losses.append(row['train_loss'])
      for name in metrics:
        self.assertBetween(row[f'train_{name}'], 0.0, np.inf)
    process.get_model_weights(state).assign_weights_to(model)
    after = evaluate()
    self.assertEqual(
        list(after), ['test_loss', *(f'test_{name}' for name in metrics)]
    )
    # Seeds decide all of it: it never fails by chance.
    self.assertLess(losses[1], losses[0])
    self.assertLess(after['test_loss'], 0.9 * before['test_loss'])
    self.assertEqual(row['num_examples'], 10 * sum(len(c[1]) for c in clients))
    self.assertLess(row['uplink_bits_per_param'], 3.0)


if __name__ == '__main__':
  tf.test.main()
