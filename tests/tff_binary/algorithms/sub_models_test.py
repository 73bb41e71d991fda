# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for heterofl and splitmix."""

import functools

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tests.tff_binary import tiny
from tff_binary import algorithms
from tff_binary import learning
from tff_binary import runtime

_LOCAL_TRAINING = dict(local_epochs=2, batch_size=8)


def _model(hidden=6):
  return tf.keras.Sequential([
      tf.keras.Input((tiny.NUM_FEATURES,)),
      tf.keras.layers.Dense(
          hidden, kernel_initializer=tf.keras.initializers.GlorotUniform(1)
      ),
      tf.keras.layers.Activation('tanh'),
      tf.keras.layers.Dense(
          tiny.NUM_CLASSES,
          kernel_initializer=tf.keras.initializers.GlorotUniform(2),
      ),
  ])


@functools.lru_cache(maxsize=None)
def _build(name, build_model=_model, options=(), **hyperparameters):
  algorithm = algorithms.get(name)
  return algorithm.build(
      learning.keras_model_fn(build_model, tiny.element_spec()),
      hyperparameters=algorithm.hyperparameters(**hyperparameters),
      element_spec=tiny.element_spec(),
      local_training=learning.LocalTraining(**_LOCAL_TRAINING),
      seed=3,
      **dict(options),
  )


def _client(num_examples, client_id, labels=range(tiny.NUM_CLASSES)):
  """A client with examples of all these labels and no others."""
  features, _ = tiny.arrays(num_examples, seed=client_id)
  return learning.client_dataset(
      features,
      np.resize(np.array(labels, np.int32), num_examples),
      client_id,
  )


def _train(process, data, num_rounds=2, state=None):
  """Returns the last state and a row for each round."""
  state, rows = state or process.initialize(), []
  for _ in range(num_rounds):
    state, metrics = process.next(state, data)
    rows.append(learning.round_metrics(metrics))
  return state, rows


def _num_params(hidden):
  """Returns the entries of kernels and of all tensors of `_model`."""
  inputs, outputs = tiny.NUM_FEATURES, tiny.NUM_CLASSES
  kernels = inputs * hidden + hidden * outputs
  return kernels, kernels + hidden + outputs


class SubModelsTest(tf.test.TestCase, parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.enter_context(runtime.execution_context(runtime.Runtime('local')))

  @parameterized.parameters(
      ('heterofl', dict(rates='1', weighting='examples')),
      ('splitmix', dict(num_bases=1)),
  )
  def test_whole_model_for_all_is_fedavg(self, name, hyperparameters):
    data = [_client(n, i) for i, n in enumerate((12, 5, 7))]
    expected, _ = _train(_build('fedavg'), data)
    process = _build(name, **hyperparameters)
    state, _ = _train(process, data)
    for w, v in zip(
        process.get_model_weights(state).trainable,
        expected.global_model_weights.trainable,
    ):
      self.assertAllEqual(w, v)

  def test_server_optimizer_and_moving_statistics_are_those_of_fedavg(self):
    data = [tiny.client(n, i) for i, n in enumerate((12, 8))]
    optimizer = tff.learning.optimizers.build_sgdm(0.5, 0.9)
    states = [
        _train(
            _build(
                name,
                tiny.batch_norm_model,
                (('server_optimizer', optimizer),),
                **hyperparameters,
            ),
            data,
        )[0]
        for name, hyperparameters in (
            ('fedavg', {}),
            ('splitmix', dict(num_bases=1)),
        )
    ]
    weights = [tf.nest.flatten(s.global_model_weights) for s in states]
    for w, v in zip(*weights):
      self.assertAllEqual(w, v)

  def test_client_gets_trains_and_sends_what_its_rate_says(self):
    # A third rate of 0.5 for client 2; rate 0.3 of 6 channels are 2.
    process = _build('heterofl', rates='0.5,0.3,0.5')
    data = [_client(8, i, labels=[0, 2]) for i in (0, 1, 5)]
    initial = process.initialize()
    state, rows = _train(process, data, num_rounds=3, state=initial)
    sizes = [_num_params(hidden) for hidden in (3, 2, 3)]
    kernels, everything = (4 * sum(s) for s in zip(*sizes))
    for row in rows:  # In each round the same.
      self.assertEqual(
          row['uplink_bits_per_param'], 8 * kernels / (3 * _num_params(6)[0])
      )
      self.assertEqual(
          row['downlink_bits_per_param'], row['uplink_bits_per_param']
      )
      # The labels, weight, number and the number before that; the round.
      self.assertEqual(row['uplink_bytes'], everything + 3 * (1 + 4 + 4 + 4))
      self.assertEqual(row['downlink_bytes'], everything + 3 * 4)
      self.assertEqual(row['num_examples'], 2 * 3 * 8)
    # Nobody has the other channels, nor the label 1.
    changed = [
        w != v
        for w, v in zip(
            state.global_model_weights.trainable,
            initial.global_model_weights.trainable,
        )
    ]
    self.assertTrue(changed[0][:, :3].all() and changed[1][:3].all())
    self.assertFalse(changed[0][:, 3:].any() or changed[1][3:].any())
    self.assertTrue(changed[2][:3, [0, 2]].all() and changed[3][[0, 2]].all())
    self.assertFalse(changed[2][3:].any() or changed[2][:, 1].any())
    self.assertFalse(changed[3][1])
    # So the model does without those channels.
    trained = process.get_model_weights(state).trainable
    weights = state.global_model_weights.trainable
    self.assertAllEqual(trained[0][:, :3], weights[0][:, :3])
    self.assertFalse(trained[0][:, 3:].any() or trained[1][3:].any())
    self.assertFalse(trained[2][3:].any())

  def test_moving_statistics_are_those_of_the_whole_models(self):
    # Client 0 is whole, client 1 has 3 of 5 channels.
    process = _build('heterofl', tiny.batch_norm_model, rates='1,0.5')
    data = [_client(8, i) for i in range(2)]
    initial = process.initialize()
    state, (row,) = _train(process, data, num_rounds=1, state=initial)
    alone, _ = _train(process, data[:1], num_rounds=1, state=initial)
    narrow, _ = _train(process, data[1:], num_rounds=1, state=initial)
    statistics = [
        s.global_model_weights.non_trainable
        for s in (initial, state, alone, narrow)
    ]
    for before, both, whole, half in zip(*statistics):
      self.assertAllEqual(both, whole)
      self.assertAllEqual(half, before)
      self.assertNotAllEqual(both, before)
    # Without a bias in front of gamma and beta; statistics are as long as they.
    sent = [
        tiny.NUM_FEATURES * c + 2 * c + (c + 1) * tiny.NUM_CLASSES
        for c in (5, 3)
    ]
    self.assertEqual(
        row['downlink_bytes'], 4 * (sum(sent) + 2 * 5) + 2 * 4
    )

  def test_splitmix_sends_its_budget(self):
    process = _build('splitmix', num_bases=3, budgets='0.34,1')
    data = [_client(8, i) for i in range(4)]
    initial = process.initialize()
    state, rows = _train(process, data, num_rounds=2, state=initial)
    kernels, everything = _num_params(2)
    num_bases = 2 * (1 + 3)
    for row in rows:
      self.assertEqual(
          row['uplink_bits_per_param'],
          32 * num_bases * kernels / (4 * _num_params(6)[0]),
      )
      self.assertEqual(
          row['downlink_bits_per_param'], row['uplink_bits_per_param']
      )
      # For each base weight, number and the number before; each client's id.
      self.assertEqual(
          row['uplink_bytes'],
          num_bases * (4 * everything + 4 + 4 + 4) + 4 * 4,
      )
      # The round and all ids to each.
      self.assertEqual(
          row['downlink_bytes'], num_bases * 4 * everything + 4 * (4 + 4 * 4)
      )
      self.assertEqual(row['num_examples'], 2 * 4 * 8)  # Not once for a base.
    own, old = (s.global_model_weights.trainable for s in (state, initial))
    # All bases are trained; the model has theirs of hidden units and logits.
    for w, v in zip(own, old):
      self.assertNotAllEqual(w, v)
    used = process.get_model_weights(state).trainable
    self.assertAllClose(used[0], 3.0 * own[0])
    self.assertAllClose(used[2], own[2] / 3.0)
    self.assertAllClose(used[3], own[3])

  def test_state_and_round_alone_decide(self):
    # What a resumed run has is the state.
    drawn = _build('heterofl', rates='1,0.5', rate_choice='drawn')
    data = [_client(8, i) for i in range(4)]
    for process in (
        drawn, _build('splitmix', num_bases=3, budgets='0.34,1')
    ):  # pyformat: disable
      whole, rows = _train(process, data, num_rounds=4)
      half, _ = _train(process, data)
      resumed, last_rows = _train(process, data, state=half)
      self.assertEqual(last_rows, rows[2:])
      for w, v in zip(
          whole.global_model_weights.trainable,
          resumed.global_model_weights.trainable,
      ):
        self.assertAllEqual(w, v)
      if process is drawn:
        self.assertGreater(len({row['uplink_bytes'] for row in rows}), 1)

  def test_diverged_and_empty_clients_change_nothing(self):
    process = _build('heterofl', rates='1,0.5', rate_choice='drawn')
    good = _client(8, 1)
    state, _ = _train(process, [good], num_rounds=1)
    bad = tiny.client(8, 2, num_nan=3)
    other, rows = _train(process, [bad, good, _client(0, 3)], num_rounds=1)
    self.assertEqual(rows[0]['non_finite_clients'], 1)
    self.assertEqual(rows[0]['num_examples'], 16)
    for w, v in zip(
        state.global_model_weights.trainable,
        other.global_model_weights.trainable,
    ):
      self.assertAllEqual(w, v)

  @parameterized.parameters(np.int32, np.int16, np.float32)
  def test_clients_may_be_datasets_of_batches(self, labels_dtype):
    batches = []
    for i in range(3):
      features, labels = tiny.arrays(12, seed=i)
      batches.append(
          tf.data.Dataset.from_tensor_slices(
              (features, labels.astype(labels_dtype))
          ).batch(4)
      )
    for name, hyperparameters in (
        ('heterofl', {}),
        ('splitmix', dict(num_bases=2)),
    ):
      algorithm = algorithms.get(name)
      process = algorithm.build(
          learning.keras_model_fn(_model, batches[0].element_spec),
          hyperparameters=algorithm.hyperparameters(**hyperparameters),
          seed=3,
      )
      _, rows = _train(process, batches)
      self.assertEqual(rows[0]['num_examples'], 36)
      self.assertTrue(np.isfinite(rows[1]['train_loss']))

  def test_shuffled_clients_take_their_turns(self):
    batches = [
        tf.data.Dataset.from_tensor_slices(tiny.arrays(64, seed=i))
        .shuffle(64)
        .batch(4)
        for i in range(3)
    ]
    process = algorithms.build_splitmix(
        learning.keras_model_fn(_model, batches[0].element_spec),
        hyperparameters=algorithms.SplitMix(num_bases=3, budgets='0.34'),
        seed=3,
    )
    state = process.initialize()
    for _ in range(4):
      old = state.global_model_weights.trainable[0]
      state = process.next(state, batches).state
      new = state.global_model_weights.trainable[0]
      # Each client trains another one of the three bases, of two units each.
      is_trained = np.any(np.not_equal(old, new), axis=0)
      self.assertAllEqual(is_trained, [True] * 6)

  @parameterized.parameters(
      ('heterofl', 'rates', ''),
      ('heterofl', 'rates', '1, 0.5,'),
      ('heterofl', 'rates', '0'),
      ('heterofl', 'rates', '1.5'),
      ('heterofl', 'rates', 'nan'),
      ('splitmix', 'budgets', '1;0.5'),
  )
  def test_refuses_shares(self, name, field, value):
    with self.assertRaisesRegex(
        ValueError, f"{field} must be numbers > 0 and <= 1.*, got '{value}'"
    ):
      algorithms.get(name).hyperparameters(**{field: value})

  def test_refuses_what_sub_models_exclude(self):
    build = functools.partial(
        algorithms.build_heterofl,
        learning.keras_model_fn(_model, tiny.element_spec()),
        element_spec=tiny.element_spec(),
    )
    with self.assertRaisesRegex(ValueError, 'local_bits must be 32 .* got 8'):
      build(local_bits=8)
    with self.assertRaisesRegex(ValueError, 'other_bits must be 32 .* got 8'):
      build(other_bits=8)
    with self.assertRaisesRegex(ValueError, 'downlink_bits=8 is for methods'):
      build(downlink_bits=8)
    with self.assertRaisesRegex(ValueError, 'wrap_aggregator is for methods'):
      build(wrap_aggregator=lambda factory: factory)
    with self.assertRaisesRegex(ValueError, 'observe_updates must be False'):
      build(observe_updates=True)
    with self.assertRaisesRegex(ValueError, 'keep_optimizer_state must be F'):
      build(
          local_training=learning.LocalTraining(
              optimizer=tff.learning.optimizers.build_adam(0.1),
              keep_optimizer_state=True,
          )
      )
    regression = learning.keras_model_fn(
        _model, tiny.element_spec(), loss_fn=tf.keras.losses.MeanSquaredError
    )
    with self.assertRaisesRegex(ValueError, 'mask_labels=True needs labels'):
      algorithms.build_heterofl(regression, element_spec=tiny.element_spec())


if __name__ == '__main__':
  tf.test.main()
