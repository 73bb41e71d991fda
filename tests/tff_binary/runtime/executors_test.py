# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for executors."""

import collections

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tests.tff_binary import tiny
from tests.tff_binary.runtime import worker_processes
from tff_binary import algorithms
from tff_binary import learning
from tff_binary import runtime
from tff_binary.runtime import worker

_MAX_WORKERS = 4


@tff.tensorflow.computation(np.float32, np.float32)
def _add(x, y):
  return x + y


@tff.tensorflow.computation(np.float32)
def _identity(x):
  return x


@tff.tensorflow.computation
def _zero():
  return np.float32(0.0)


@tff.tensorflow.computation
def _start_and_end():
  """Returns when it starts and when, some time later, it ends, in seconds."""
  start = tf.timestamp()
  with tf.control_dependencies([start]):
    # From 0, which the compiler must not know: it would count to the end.
    zero = tf.cast(start * 1e-12, tf.int32)
    count = tf.while_loop(lambda i: i < 30000, lambda i: [i + 1], [zero])[0]
  with tf.control_dependencies([count]):
    end = tf.timestamp()
  # Nor would it count at all for what is only waited for.
  return start, tf.where(count > 0, end, start)


@tff.federated_computation(tff.FederatedType(np.float32, tff.CLIENTS))
def _fold(values):
  """Sums strictly in order, so that the order shows in the last bits."""
  return tff.federated_aggregate(values, _zero(), _add, _add, _identity)


def _digits(process, clients, rounds=2):
  """Returns all bytes that a process's rounds have produced."""
  state = process.initialize()
  found = []
  for _ in range(rounds):
    state, output = process.next(state, clients)
    found += [np.asarray(x).tobytes() for x in tf.nest.flatten(output)]
  weights = process.get_model_weights(state)
  return found + [x.tobytes() for x in tf.nest.flatten(weights.trainable)]


def _build(algorithm):
  return algorithms.get(algorithm).build(
      learning.keras_model_fn(tiny.dense_model, tiny.element_spec()),
      element_spec=tiny.element_spec(),
      local_training=learning.LocalTraining(batch_size=4),
      seed=1,
  )


def _remote(workers, **kwargs):
  return runtime.execution_context(
      runtime.Runtime('remote', workers=workers, **kwargs)
  )


class SpreadTest(parameterized.TestCase):
  """Several workers do what one does."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.cpp = cls.enter_context(worker_processes.cpp_workers(_MAX_WORKERS))
    cls.device = [
        cls.enter_context(worker.start()).address
        for _ in range(_MAX_WORKERS)
    ]

  @parameterized.parameters(('cpp', 'fedavg'), ('device', 'fedbat'))
  def test_number_and_order_of_workers_change_no_bit(self, kind, algorithm):
    workers = getattr(self, kind)
    process = _build(algorithm)
    # Of different sizes, and a client without data.
    clients = [tiny.client(7 * (i % 4), i) for i in range(6)]
    with _remote(workers[:1]):
      expected = _digits(process, clients)
    for spread in workers[:2], workers, workers[::-1]:
      with _remote(spread):
        self.assertEqual(_digits(process, clients), expected)

  def test_folds_in_client_order(self):
    values = np.random.RandomState(0).randn(101).astype(np.float32)
    expected = np.float32(0.0)
    for value in values:
      expected += value
    # Else the test could not fail.
    self.assertNotEqual(expected, values[::-1].cumsum()[-1])
    for number in range(1, _MAX_WORKERS + 1):
      with _remote(self.cpp[:number]):
        self.assertEqual(_fold(list(values)), expected)

  @parameterized.parameters(0, 1, 2, 3, 5)
  def test_any_number_of_clients(self, num_clients):
    with _remote(self.cpp):
      self.assertEqual(_fold([1.5] * num_clients), 1.5 * num_clients)

  def test_values_at_clients_keep_their_order(self):
    at_clients = tff.FederatedType(np.float32, tff.CLIENTS)

    @tff.federated_computation(at_clients, at_clients, np.float32)
    def compute(x, y, z):
      everywhere = tff.federated_broadcast(
          tff.federated_map(_identity, tff.federated_value(z, tff.SERVER))
      )
      z_of_clients = tff.federated_map(_add, (y, everywhere))
      return (
          tff.federated_map(_add, (x, z_of_clients)),
          tff.federated_zip((x, y)),
          everywhere,
          tff.federated_eval(_zero, tff.CLIENTS),
          z,
      )

    with _remote(self.cpp[:3]):
      sums, pairs, everywhere, zeros, z = compute(
          [1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0], 100.0
      )
    self.assertEqual(sums, [111.0, 122.0, 133.0, 144.0])
    self.assertEqual(
        [tuple(pair) for pair in pairs],
        [(1.0, 10.0), (2.0, 20.0), (3.0, 30.0), (4.0, 40.0)],
    )
    self.assertEqual((everywhere, zeros, z), (100.0, [0.0] * 4, 100.0))

  @parameterized.product(kind=('cpp', 'device'), num_workers=(1, 2))
  def test_values_of_all_types_arrive(self, kind, num_workers):
    value_type = tff.to_type(
        collections.OrderedDict(
            vector=(np.float32, [2]),
            texts=(np.str_, [2]),
            pair=(np.bool_, tff.types.tensorflow_to_type((tf.bfloat16, [1]))),
            nothing=(np.int64, [0]),
            empty=(),
        )
    )
    given = [
        collections.OrderedDict(
            vector=np.array([i, np.inf], np.float32),
            texts=np.array([b'', b'text'], np.object_),
            pair=(bool(i), np.array([i], tf.bfloat16.as_numpy_dtype)),
            nothing=np.zeros([0], np.int64),
            empty=(),
        )
        for i in range(3)
    ]

    @tff.federated_computation(
        tff.FederatedType(value_type, tff.CLIENTS),
        tff.FederatedType(value_type, tff.SERVER),
        value_type,
    )
    def compute(at_clients, at_server, unplaced):
      return at_clients, at_server, unplaced

    with _remote(getattr(self, kind)[:num_workers]):
      at_clients, at_server, unplaced = compute(given, given[1], given[2])
    results = [*at_clients, at_server, unplaced]
    for got, expected in zip(results, given + given[1:]):
      for x, y in zip(tf.nest.flatten(got), tf.nest.flatten(expected)):
        self.assertEqual(np.asarray(x).dtype, np.asarray(y).dtype)
        np.testing.assert_array_equal(x, y)

  def test_clients_select_their_slices(self):
    @tff.tensorflow.computation(
        tff.types.to_type((np.float32, [5])), np.int32
    )
    def select(table, key):
      return tf.gather(table, key)

    @tff.tensorflow.computation(tff.SequenceType(np.float32))
    def total(slices):
      return slices.reduce(np.float32(0.0), lambda a, b: a + b)

    @tff.federated_computation(
        tff.FederatedType((np.int32, [2]), tff.CLIENTS),
        tff.FederatedType((np.float32, [5]), tff.SERVER),
    )
    def compute(keys, table):
      slices = tff.federated_select(
          keys, tff.federated_value(5, tff.SERVER), table, select
      )
      return tff.federated_map(total, slices)

    keys = [np.array(k, np.int32) for k in ([0, 1], [2, 3], [4, 4], [1, 0])]
    with _remote(self.cpp[:3]):
      self.assertEqual(
          compute(keys, np.float32([1, 10, 100, 1000, 10000])),
          [11.0, 1100.0, 20000.0, 11.0],
      )

  def test_processes_of_tff_learning(self):
    def model_fn():
      return tff.learning.models.from_keras_model(
          tiny.dense_model(),
          loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
          input_spec=spec,
          metrics=[tf.keras.metrics.SparseCategoricalAccuracy()],
      )

    def client(seed):
      return tf.data.Dataset.from_tensor_slices(
          tiny.arrays(9, seed)
      ).batch(4)

    spec = client(0).element_spec
    clients = [client(seed) for seed in range(5)]
    process = tff.learning.algorithms.build_weighted_fed_avg(
        model_fn,
        tff.learning.optimizers.build_sgdm(0.1),
        model_aggregator=tff.learning.robust_aggregator(
            zeroing=True, clipping=True
        ),
    )
    with _remote(self.cpp[:1]):
      expected = _digits(process, clients)
    with _remote(self.cpp[:3]):
      self.assertEqual(_digits(process, clients), expected)

  @parameterized.parameters('cpp', 'device')
  def test_workers_compute_at_the_same_time(self, kind):
    @tff.federated_computation(tff.FederatedType(np.float32, tff.CLIENTS))
    def trace(values):
      del values  # They tell how many clients there are.
      return tff.federated_eval(_start_and_end, tff.CLIENTS)

    with _remote(getattr(self, kind)[:2]):
      trace([0.0, 0.0])  # Imports the graph.
      (start_0, end_0), (start_1, end_1) = trace([0.0, 0.0])
    self.assertLess(max(start_0, start_1), min(end_0, end_1))

  def test_error_of_a_client_is_not_repeated(self):
    @tff.tensorflow.computation(np.float32)
    def check(value):
      @tf.function
      def check(value):
        tf.debugging.assert_less(value, 1.0, message='the value is too large')
        return value

      return check(value)

    @tff.federated_computation(tff.FederatedType(np.float32, tff.CLIENTS))
    def compute(values):
      return tff.federated_sum(tff.federated_map(check, values))

    for workers in self.cpp, self.device:
      with _remote(workers):
        with self.assertRaisesRegex(Exception, 'the value is too large'):
          compute([0.5, 0.5, 0.5, 1.5])
        self.assertEqual(compute([0.25, 0.5]), 0.75)


if __name__ == '__main__':
  absltest.main()
