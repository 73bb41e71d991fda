# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for process."""

import collections
import functools
import tempfile
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tasks import models
from tests.tff_binary import tiny
from tff_binary import aggregators
from tff_binary import algorithms
from tff_binary import layers
from tff_binary import learning
from tff_binary import wire

@functools.lru_cache(maxsize=None)
def _process(
    name='fedbat',
    build_model=tiny.batch_norm_model,
    features_shape=(tiny.NUM_FEATURES,),
    other_bits=32,
):
  """A process, its client work and the types of all that it aggregates."""
  spec = tiny.element_spec(features_shape)
  with tiny.aggregated_types() as types, mock.patch.object(
      tff.learning.templates,
      'compose_learning_process',
      wraps=tff.learning.templates.compose_learning_process,
  ) as compose:
    process = algorithms.get(name).build(
        learning.keras_model_fn(build_model, spec),
        element_spec=spec,
        local_training=learning.LocalTraining(local_epochs=2, batch_size=4),
        other_bits=other_bits,
    )
  client_work = compose.call_args.args[2]
  return process, client_work, types


def _run(process, clients, state=None):
  output = process.next(
      process.initialize() if state is None else state, clients
  )
  return process.get_model_weights(output.state), output


def _build_payloads(client_work, codec):
  """The clients' half of a round: a TFF computation that returns messages."""
  result_type = client_work.next.type_signature.result.result.member
  encodings = collections.OrderedDict()
  for half, factory in (
      ('trainable', aggregators.PackedMeanFactory(codec)),
      ('non_trainable', aggregators.PackedMeanFactory(wire.Float32Codec())),
  ):
    if len(result_type.update[half]):  # pylint: disable=g-explicit-length-test
      encodings[half] = factory.create_encode(
          result_type.update[half], result_type.update_weight
      )

  @tff.federated_computation(client_work.next.type_signature.parameter)
  def payloads(args):
    result = client_work.next(*args).result
    return [
        tff.federated_map(
            encode, (result.update[half], result.update_weight)
        )[0]
        for half, encode in encodings.items()
    ]

  return payloads


def _image_client(client_id, num_examples):
  random = np.random.RandomState(client_id)
  return learning.client_dataset(
      random.rand(num_examples, 28, 28, 1).astype(np.float32),
      random.randint(10, size=num_examples).astype(np.int32),
      client_id,
  )


class BytesTest(tf.test.TestCase, parameterized.TestCase):

  def _run_and_check_bytes(self, name, codec, clients, *args):
    """Returns the kernels, the other tensors, metrics and their bytes."""
    process, client_work, types = _process(name, *args)
    payloads = _build_payloads(client_work, codec)
    # The computation sends exactly what the process sends.
    self.assertEqual(
        [message.member for message in payloads.type_signature.result], types
    )
    state = process.initialize()
    weights = process.get_model_weights(state)
    messages = payloads(0, [weights] * len(clients), clients)
    metrics = process.next(state, clients).metrics
    row = learning.round_metrics(metrics)
    self.assertEqual(
        row['uplink_bytes'],
        sum(np.asarray(x).nbytes for x in tf.nest.flatten(messages)),
    )
    return weights, metrics['aggregator']['trainable'], row

  @parameterized.named_parameters(
      ('fedavg', 'fedavg', wire.Float32Codec(), tiny.dense_model, 4 * 45),
      # 30 and 15 bits in 4 and 2 bytes, and two step sizes.
      ('fedbat', 'fedbat', wire.BinaryCodec(), tiny.batch_norm_model, 6 + 8),
  )
  def test_reported_bytes_are_those_of_the_payloads(
      self, name, codec, build_model, kernel_bytes
  ):
    clients = [tiny.client(5, 0), tiny.client(0, 1), tiny.client(9, 2)]
    weights, measured, row = self._run_and_check_bytes(
        name, codec, clients, build_model
    )
    self.assertEqual(
        measured['compressed_uplink_bytes'], len(clients) * kernel_bytes
    )
    self.assertAllClose(row['uplink_bits_per_param'], 8 * kernel_bytes / 45)
    others = sum(
        w.size for w in weights.trainable + weights.non_trainable if w.ndim == 1
    )
    # Each of the two aggregations is sent the client's weight.
    num_aggregations = 2 if weights.non_trainable else 1
    self.assertEqual(
        row['uplink_bytes'],
        len(clients) * (kernel_bytes + 4 * others + 4 * num_aggregations),
    )

  def test_other_bits_are_those_of_all_but_kernels(self):
    clients = [tiny.client(5, 0), tiny.client(9, 1)]
    exact, _, _ = _process()
    process, _, _ = _process(other_bits=8)
    expected, _ = _run(exact, clients)
    weights, output = _run(process, clients)
    row = learning.round_metrics(output.metrics)
    # Kernels of 30 and 15 bits and their step sizes; a byte for each of 13
    # trainable and 10 non-trainable numbers; two scales and two weights.
    self.assertEqual(row['uplink_bytes'], 2 * (6 + 8 + 13 + 10 + 8 + 8))
    self.assertAllClose(row['uplink_bits_per_param'], 8 * 14 / 45)
    for w, w0 in zip(weights.trainable, expected.trainable):
      self.assertEqual(np.array_equal(w, w0), w.ndim == 2)
    for w, w0 in zip(weights.non_trainable, expected.non_trainable):
      self.assertNotAllEqual(w, w0)
      self.assertAllClose(w, w0, atol=0.25)

  def test_other_bits_are_not_for_step_sizes_of_kernels(self):
    with self.assertRaisesRegex(ValueError, 'other_bits must be 32 .* got 8'):
      algorithms.build_fedbif(
          learning.keras_model_fn(tiny.dense_model, tiny.element_spec()),
          hyperparameters=algorithms.get('fedbif').hyperparameters(
              learn_step_size=True
          ),
          element_spec=tiny.element_spec(),
          other_bits=8,
      )

  def test_bytes_of_the_cnn_of_the_paper(self):
    weights, measured, row = self._run_and_check_bytes(
        'fedbat',
        wire.BinaryCodec(),
        [_image_client(0, 2), _image_client(1, 3)],
        models.fedbat_cnn,
        (28, 28, 1),
    )
    kernels = [w for w in weights.trainable if w.ndim >= 2]
    self.assertLen(kernels, 5)
    self.assertEqual(sum(w.size for w in kernels), 389_920)
    # 389,920 bits and 5 step sizes.
    self.assertEqual(389_920 // 8 + 5 * 4, 48_760)
    self.assertEqual(measured['compressed_uplink_bytes'], 2 * 48_760)
    self.assertEqual(f"{row['uplink_bits_per_param']:.4f}", '1.0004')
    # gamma, beta and two moving statistics of 480 channels, two weights.
    self.assertEqual(row['uplink_bytes'], 2 * (48_760 + 4 * 4 * 480 + 2 * 4))
    self.assertEqual(f"{row['uplink_bits_per_param_total']:.3f}", '1.158')


def _transfer_model():
  """Trains a head of 15 weights and 3 biases on a frozen backbone."""
  backbone = tiny.batch_norm_model()
  backbone.pop()
  backbone.trainable = False
  return tf.keras.Sequential([
      tf.keras.Input((tiny.NUM_FEATURES,)),
      tf.keras.layers.Normalization(mean=[0.1] * 6, variance=[2.0] * 6),
      backbone,
      tf.keras.layers.Dense(tiny.NUM_CLASSES),
  ])


class FrozenLayersTest(tf.test.TestCase):

  def test_travel_neither_up_nor_down_again(self):
    process, _, _ = _process('fedbat', _transfer_model)
    state = process.initialize()
    before = process.get_model_weights(state)
    clients = [tiny.client(5, 0), tiny.client(9, 1)]
    weights, output = _run(process, clients, state)
    for w, w0 in zip(weights.non_trainable, before.non_trainable):
      self.assertAllEqual(w, w0)
    self.assertNotAllEqual(weights.trainable[0], before.trainable[0])
    row = learning.round_metrics(output.metrics)
    # 15 signs, a step size, 3 biases and the client's weight.
    self.assertEqual(row['uplink_bytes'], 2 * (2 + 4 + 4 * 3 + 4))
    # 18 weights and the number of the round.
    self.assertEqual(row['downlink_bytes'], 2 * 4 * (18 + 1))
    self.assertEqual(
        output.metrics['distributor']['static_downlink_bytes_per_client'],
        4 * sum(w.size for w in before.non_trainable),
    )


def _wider_model():
  """Kernels of 360 and 180 entries: codes of few entries have no order."""
  dense = lambda units, seed: tf.keras.layers.Dense(
      units, kernel_initializer=tf.keras.initializers.GlorotUniform(seed)
  )
  return tf.keras.Sequential([
      tf.keras.Input((tiny.NUM_FEATURES,)),
      dense(60, 1),
      tf.keras.layers.ReLU(),
      dense(tiny.NUM_CLASSES, 2),
  ])


class DownlinkTest(tf.test.TestCase, parameterized.TestCase):

  # Kernels that are trained in place, by layers, and by layers with a state.
  @parameterized.parameters('fedavg', 'fedbat', 'ef_signsgd')
  def test_codings_change_the_bits_alone(self, name):
    weights, bits = {}, {}
    for coding in ('packed', 'entropy', 'changes'):
      process = algorithms.get(name).build(
          learning.keras_model_fn(_wider_model, tiny.element_spec()),
          element_spec=tiny.element_spec(),
          local_training=learning.LocalTraining(batch_size=8),
          downlink_bits=4,
          downlink_step_scale=0.5,
          downlink_coding=coding,
      )
      state, bits[coding] = process.initialize(), []
      has_states = isinstance(process, learning.StatefulLearningProcess)
      self.assertEqual(has_states, name == 'ef_signsgd' or coding == 'changes')
      kept = {}
      # Client 2 misses a round.
      for ids in ([0, 1, 2], [0, 1], [0, 1, 2]):
        data = [tiny.client(12, i) for i in ids]
        if has_states:
          old = [kept.get(i) or process.initialize_client(i) for i in ids]
          state, new, metrics = process.next(state, old, data)
          kept.update(zip(ids, new))
        else:
          state, metrics = process.next(state, data)
        bits[coding].append(
            learning.round_metrics(metrics)['downlink_bits_per_param']
        )
      weights[coding] = process.get_model_weights(state)
    for coding in ('entropy', 'changes'):
      tf.nest.map_structure(
          self.assertAllEqual, weights[coding], weights['packed']
      )
    step_sizes = 2 * 32 / 540
    self.assertAllClose(bits['packed'], [4 + step_sizes] * 3)
    for before, after in zip(bits['packed'], bits['entropy']):
      self.assertLess(after, before)
    self.assertAllClose(bits['changes'][0], bits['entropy'][0])
    for before, after in zip(bits['entropy'][1:], bits['changes'][1:]):
      self.assertLess(after, before)


  def test_differences_are_counted_and_take_the_place_of_kernels(self):
    process = algorithms.get('fedavg').build(
        learning.keras_model_fn(_wider_model, tiny.element_spec()),
        element_spec=tiny.element_spec(),
        local_training=learning.LocalTraining(batch_size=8),
        downlink_bits=4,
        downlink_coding='differences',
        downlink_difference_bits=0.5,
    )
    state, kept, bits = process.initialize(), {}, []
    # Client 2 misses a round.
    for ids in ([0, 1, 2], [0, 1], [0, 1, 2]):
      weights = process.get_model_weights(state)
      data = [tiny.client(12, i) for i in ids]
      old = [kept.get(i) or process.initialize_client(i) for i in ids]
      state, new, metrics = process.next(state, old, data)
      kept.update(zip(ids, new))
      row = learning.round_metrics(metrics)
      bits.append(row['downlink_bits_per_param'])
      # The biases in float32 and the number of the round.
      self.assertAllClose(
          row['downlink_bytes'],
          len(ids) * (540 * bits[-1] / 8 + 4 * (60 + tiny.NUM_CLASSES + 1)),
          atol=1.0,
      )
      # What clients keep is close to what the server had, and not the same.
      kernel = weights.trainable[0]
      for state_of_client in new:
        error = _kept_kernel(state_of_client) - kernel
        share = np.sum(error**2) / np.sum(kernel**2)
        self.assertBetween(share, 1e-6, 0.2)
    # Two seeds, twelve scales in all, checksums and chances to be learned.
    self.assertBetween(bits[0], 4.0, 7.0)
    self.assertLess(bits[1], bits[0] - 2.0)


def _kept_kernel(client_state):
  """Returns the kernel of 360 entries that a client has kept."""
  (kernel,) = [
      x
      for x in map(np.asarray, tf.nest.flatten(client_state))
      if x.size == 6 * 60
  ]
  return kernel


class RoundTest(tf.test.TestCase):

  def test_server_adds_the_weighted_mean_to_weights_and_statistics(self):
    process, _, _ = _process()
    client = tiny.EagerClient(
        tiny.batch_norm_model,
        build_weight_layer=layers.LearnableBinarization,
        local_epochs=2,
        batch_size=4,
    )
    clients = [tiny.client(5, 0), tiny.client(9, 1)]
    weights, _ = _run(process, clients)
    first, second = [client.train(c)[0] for c in clients]
    expected = tf.nest.map_structure(
        lambda u, v: (5 * u + 9 * v) / 14, first, second
    )
    for half in ('trainable', 'non_trainable'):
      for new, old, mean in zip(
          getattr(weights, half), getattr(client.weights, half), expected[half]
      ):
        self.assertAllClose(new - old, mean, rtol=1e-4, atol=1e-6)
        self.assertNotAllEqual(new, old)

  def test_non_finite_client_changes_nothing_but_its_count(self):
    process, _, _ = _process()
    clients = [tiny.client(5, 0), tiny.client(9, 2)]
    broken = tiny.client(7, 1, num_nan=1)
    weights, output = _run(process, clients)
    other_weights, other_output = _run(
        process, [clients[0], broken, clients[1]]
    )
    self.assertAllClose(weights.trainable, other_weights.trainable)
    self.assertAllClose(weights.non_trainable, other_weights.non_trainable)
    metrics = learning.round_metrics(output.metrics)
    other_metrics = learning.round_metrics(other_output.metrics)
    self.assertEqual(metrics['non_finite_clients'], 0)
    self.assertEqual(other_metrics['non_finite_clients'], 1)
    self.assertEqual(other_metrics['num_clients'], 3)
    for name in ('num_examples', 'train_loss', 'clamped_step_sizes'):
      self.assertAllClose(metrics[name], other_metrics[name])

  def test_round_without_usable_client_counts_and_changes_nothing(self):
    process, _, _ = _process()
    before, output = _run(process, [tiny.client(9)])
    after, last = _run(
        process,
        [tiny.client(0, 1), tiny.client(4, 2, num_nan=4)],
        output.state,
    )
    tf.nest.map_structure(self.assertAllEqual, after, before)
    self.assertEqual(output.state.client_work, 1)
    self.assertEqual(last.state.client_work, 2)
    metrics = learning.round_metrics(last.metrics)
    self.assertEqual(metrics['num_examples'], 0)
    self.assertEqual(metrics['non_finite_clients'], 1)

  def test_data_from_a_store_give_the_same_round(self):
    process, _, _ = _process()
    clients = [tiny.arrays(n, seed=i) for i, n in enumerate([5, 0, 9])]
    folder = self.enter_context(tempfile.TemporaryDirectory())
    store = learning.ClientStore.write(folder, clients)
    by_id = tff.simulation.compose_dataset_computation_with_learning_process(
        store.dataset_computation, process
    )
    from_store = by_id.next(by_id.initialize(), [2, 1, 0])
    _, output = _run(
        process, [tiny.client(9, 2), tiny.client(0, 1), tiny.client(5, 0)]
    )
    tf.nest.map_structure(self.assertAllEqual, from_store.state, output.state)

  def test_weights_fit_the_keras_model(self):
    process, _, _ = _process()
    state = process.initialize()
    model = tiny.batch_norm_model()
    initial = model.get_weights()
    process.get_model_weights(state).assign_weights_to(model)
    for w, w0 in zip(model.get_weights(), initial):
      self.assertAllEqual(w, w0)
    model.set_weights([w + 1.0 for w in initial])
    weights = tff.learning.models.ModelWeights.from_model(model)
    weights = tf.nest.map_structure(lambda v: v.numpy(), weights)
    state = process.set_model_weights(state, weights)
    for w, v in zip(
        process.get_model_weights(state).trainable, weights.trainable
    ):
      self.assertAllEqual(w, v)


class HparamsTest(tf.test.TestCase, parameterized.TestCase):

  # The plain finalizer, also with client states, one around it, and a moving
  # average.
  @parameterized.parameters('fedbat', 'ef_signsgd', 'fedmrn', 'lpt')
  def test_are_those_of_the_server_optimizer(self, name):
    process = algorithms.get(name).build(
        learning.keras_model_fn(tiny.dense_model, tiny.element_spec()),
        element_spec=tiny.element_spec(),
        server_optimizer=tff.learning.optimizers.build_sgdm(0.5, momentum=0.3),
    )
    state = process.initialize()
    hparams = process.get_hparams(state)
    self.assertEqual(list(hparams), ['client_work', 'finalizer'])
    self.assertAllClose(
        hparams['finalizer'], dict(learning_rate=0.5, momentum=0.3)
    )
    hparams['finalizer']['learning_rate'] = np.float32(0.0)
    stopped = process.set_hparams(state, hparams)
    self.assertAllClose(process.get_hparams(stopped), hparams)
    before = process.get_model_weights(state).trainable
    clients = [tiny.client(9)]
    is_stateful = isinstance(process, learning.StatefulLearningProcess)
    client_states = [[process.initialize_client(0)]] if is_stateful else []
    for start, is_equal in ((state, False), (stopped, True)):
      new_state, *_ = process.next(start, *client_states, clients)
      after = process.get_model_weights(new_state).trainable
      for w, w0 in zip(after, before):
        self.assertEqual(np.allclose(w, w0, atol=1e-7), is_equal)


class StartUpTest(tf.test.TestCase):

  def test_builds_the_model_less_often_than_tff_does(self):
    build_model = mock.Mock(wraps=tiny.dense_model)
    spec = tiny.element_spec()
    model_fn = learning.keras_model_fn(build_model, spec)
    tff.learning.algorithms.build_weighted_fed_avg(
        model_fn, tff.learning.optimizers.build_sgdm(0.1)
    )
    self.assertEqual(build_model.call_count, 3)
    build_model.reset_mock()
    learning.build_learning_process(model_fn, element_spec=spec)
    # For its types and initial weights, and to train it.
    self.assertEqual(build_model.call_count, 2)


class ErrorsTest(tf.test.TestCase):

  def test_refuses_keras_model(self):
    with self.assertRaisesRegex(TypeError, 'must return a tff.*keras_model_fn'):
      algorithms.build_fedbat(tiny.dense_model)

  def test_refuses_functional_model(self):
    model = tff.learning.models.functional_model_from_keras(
        tiny.dense_model(),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        (
            tf.TensorSpec([None, tiny.NUM_FEATURES]),
            tf.TensorSpec([None], tf.int32),
        ),
    )
    with self.assertRaisesRegex(TypeError, 'model_fn must be a .*Functional'):
      learning.build_learning_process(model)

  def test_refuses_model_without_compressed_tensors(self):
    with self.assertRaisesRegex(
        ValueError, r"No trainable variable.*'dense/kernel:0', 'dense/bias:0'"
    ):
      algorithms.build_fedbat(
          learning.keras_model_fn(tiny.dense_model, tiny.element_spec()),
          is_compressed=lambda spec: False,
      )


if __name__ == '__main__':
  tf.test.main()
