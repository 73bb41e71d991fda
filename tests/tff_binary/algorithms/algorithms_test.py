# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of what every registered algorithm must do."""

import asyncio
import functools
import gc
import logging

from absl.testing import parameterized
import numpy as np
import psutil
import tensorflow as tf
import tensorflow_federated as tff

from tensorflow_federated.python.core.environments.tensorflow_frontend import tensorflow_computation
from tests.tff_binary import tiny
from tff_binary import algorithms
from tff_binary import learning
from tff_binary import runtime
from tff_binary.runtime import contexts


# Methods whose last kernel is not compressed by default.
_SPARES_LAST = ('bifl', 'bifl_full')
# Clients ask for what they get, which no stock form has a place for.
_SELECTS = ('heterofl', 'splitmix')
# Each rate and each base takes its time, here on three engines.
_HYPERPARAMETERS = {
    'heterofl': {'rates': '1,0.5'},
    'splitmix': {'num_bases': 2},
}
_CLIENTS = [tiny.client(n, client_id=i) for i, n in enumerate((12, 5, 7))]


def _wide_model():
  """Weights of 1 MB, so that a copy that is left behind shows."""
  dense = lambda units, seed: tf.keras.layers.Dense(
      units, kernel_initializer=tf.keras.initializers.GlorotUniform(seed)
  )
  return tf.keras.Sequential([
      tf.keras.Input((tiny.NUM_FEATURES,)),
      dense(512, 1),
      tf.keras.layers.ReLU(),
      dense(502, 2),
      dense(tiny.NUM_CLASSES, 3),
  ])


def _build(name, **hyperparameters):
  """Returns a process and the types of all that it aggregates."""
  algorithm = algorithms.get(name)
  with tiny.aggregated_types() as types:
    process = algorithm.build(
        learning.keras_model_fn(_wide_model, tiny.element_spec()),
        hyperparameters=algorithm.hyperparameters(**hyperparameters),
        element_spec=tiny.element_spec(),
        local_training=learning.LocalTraining(local_epochs=2, batch_size=8),
        seed=3,
    )
  return process, types


_cached_build = functools.lru_cache(maxsize=None)(_build)


def _train(process, num_rounds=2):
  """Returns the weights after some rounds, and the metrics of each."""
  state, rows = process.initialize(), []
  data = [tiny.client(12, 0), tiny.client(5, 1)]
  has_client_states = isinstance(process, learning.StatefulLearningProcess)
  if has_client_states:
    client_states = [process.initialize_client(i) for i in range(len(data))]
  for _ in range(num_rounds):
    if has_client_states:
      state, client_states, metrics = process.next(state, client_states, data)
    else:
      state, metrics = process.next(state, data)
    rows.append(learning.round_metrics(metrics))
  return process.get_model_weights(state), rows


# Of every algorithm one process and what it returns serve several tests.
@functools.lru_cache(maxsize=None)
def _cached_outcome(name):
  return _train(_cached_build(name)[0])


class _Warnings(logging.Handler):
  """Keeps what AutoGraph warns of: functions that it fails to read."""

  def __init__(self):
    super().__init__(logging.WARNING)
    self.messages = []

  def emit(self, record):
    if 'AutoGraph' in record.getMessage():
      self.messages.append(record.getMessage())


def _resident_megabytes():
  """Returns the memory of TFF's workers and of this process."""
  gc.collect()
  python = psutil.Process()
  workers = [p for p in python.children() if p.name() == 'worker_binary']
  return [
      sum(p.memory_info().rss for p in processes) / 1e6
      for processes in (workers, [python])
  ]


class _LocalTest(tf.test.TestCase, parameterized.TestCase):
  """In a context whose compiler compiles a process once for all tests."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.enter_context(runtime.execution_context(runtime.Runtime('local')))


class AlgorithmsTest(_LocalTest):

  def setUp(self):
    super().setUp()
    self._warnings = _Warnings()
    tf.get_logger().addHandler(self._warnings)

  def tearDown(self):
    tf.get_logger().removeHandler(self._warnings)
    self.assertEmpty(self._warnings.messages)
    super().tearDown()

  @parameterized.parameters(*algorithms.names())
  def test_trains_and_reports_what_it_sends(self, name):
    process, types = _cached_build(name)
    initial = process.get_model_weights(process.initialize())
    weights, rows = _cached_outcome(name)
    for w, w0 in zip(weights.trainable, initial.trainable):
      self.assertAllEqual(np.isfinite(w), np.ones_like(w, bool))
      self.assertNotAllEqual(w, w0)
    kernels = [w for w in weights.trainable if w.ndim >= 2]
    if name in _SPARES_LAST:
      kernels.pop()
    num_compressed = sum(w.size for w in kernels)
    # Those of tensors of any length are counted in the codecs' own tests.
    has_static_size = all(map(tiny.has_static_size, types))
    num_bytes = sum(map(tiny.num_bytes, types)) if has_static_size else None
    for row in rows:
      self.assertTrue(np.isfinite(row['train_loss']))
      self.assertEqual(row['num_clients'], 2)
      self.assertEqual(row['num_examples'], 2 * (12 + 5))
      if has_static_size:
        self.assertEqual(row['uplink_bytes'], 2 * num_bytes)
        self.assertAllClose(
            row['uplink_bits_per_param_total'] * num_compressed, 8 * num_bytes
        )
      self.assertLessEqual(
          row['uplink_bits_per_param'], row['uplink_bits_per_param_total']
      )
      # The weights themselves and the number of the round.
      self.assertGreaterEqual(
          row['downlink_bytes'], 2 * row['downlink_bits_per_param'] / 8
      )

  @parameterized.parameters(*algorithms.names())
  def test_is_a_function_of_the_seed(self, name):
    weights, rows = _cached_outcome(name)
    other_weights, other_rows = _train(_build(name)[0])
    self.assertEqual(rows, other_rows)
    for w, v in zip(weights.trainable, other_weights.trainable):
      self.assertAllEqual(w, v)


class MemoryTest(tf.test.TestCase, parameterized.TestCase):
  """In TFF's own context, whose worker is a child of this process."""

  # What may leave memory behind is the process: one without weight layers, one
  # with, and one with client states.
  @parameterized.parameters('fedavg', 'fedbat', 'ef_signsgd')
  def test_memory_does_not_grow_with_the_rounds(self, name):
    # In each of 60 rounds both clients make several copies of the weights of
    # 1 MB. One of them left behind by each would be 120 MB in the worker, one
    # left by the round 60 MB here. The worker's heap takes some hundred rounds
    # to reach its size: it was seen to grow by 1 to 45 MB in these 60, and in
    # later ones, as with stock FedAvg, by less than 0.1 MB a round.
    process, _ = _cached_build(name)
    _train(process, num_rounds=20)
    worker, python = _resident_megabytes()
    self.assertGreater(worker, 50.0)  # It was found.
    _train(process, num_rounds=60)
    worker_after, python_after = _resident_megabytes()
    self.assertLess(worker_after - worker, 90.0)
    self.assertLess(python_after - python, 30.0)


def _flat(output):
  return [
      np.asarray(x)
      for x in tff.structure.flatten(
          tff.structure.from_container(output, recursive=True)
      )
  ]


def _async_context():
  """Returns TFF's asynchronous context, which starts a C++ worker."""
  stock = tff.backends.native.create_async_local_cpp_execution_context()
  return tff.framework.AsyncExecutionContext(
      executor_fn=stock.executor_factory,
      compiler_fn=contexts.compile_to_native,  # The same; it keeps results.
      transform_args=tensorflow_computation.transform_args,
      transform_result=tensorflow_computation.transform_result,
  )


def _process(name):
  return _cached_build(name, **_HYPERPARAMETERS.get(name, {}))[0]


class EnginesTest(_LocalTest):
  """TFF's own engines can run every algorithm."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    workers = [_async_context() for _ in range(2)]
    cls._one_worker = workers[0]
    cls._two_workers = (
        tff.backends.native.create_mergeable_comp_execution_context(workers)
    )

  @classmethod
  def tearDownClass(cls):
    del cls._one_worker, cls._two_workers
    gc.collect()  # Ends TFF's workers.
    super().tearDownClass()

  @parameterized.parameters(*algorithms.names())
  def test_compiles_to_stock_forms(self, name):
    process = _process(name)
    if isinstance(process, learning.StatefulLearningProcess):
      with self.assertRaisesRegex(TypeError, 'Expected `comp` to take two'):
        runtime.distribute_aggregate_form(process.next)
      return
    if name in _SELECTS:
      with self.assertRaisesRegex(ValueError, 'intrinsic federated_select'):
        tff.backends.mapreduce.get_map_reduce_form_for_computation(process.next)
      return
    # Without TensorFlow's optimizer, which takes seconds.
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    tff.backends.mapreduce.get_map_reduce_form_for_computation(
        process.next, grappler_config=config
    )
    runtime.distribute_aggregate_form(process.next)

  @parameterized.parameters(*algorithms.names())
  def test_runs_in_stock_engines(self, name):
    process = _process(name)
    if isinstance(process, learning.StatefulLearningProcess):
      message = f'^merge must be in_order for {name}, whose clients keep states'
      with self.assertRaisesRegex(ValueError, message):
        contexts.check_merges(process.next, name)
      return
    if name == 'splitmix':  # Clients' turns are found out before.
      message = f'^merge must be in_order for {name}, whose rounds are more'
      with self.assertRaisesRegex(ValueError, message):
        contexts.check_merges(process.next, name)
      return
    # Clients compute the same everywhere: only sums may differ.
    state = process.initialize()
    expected = process.next(state, _CLIENTS)
    stack = tff.framework.get_context_stack()
    with stack.install(self._one_worker):
      one = asyncio.run(_call(process.next, state))
    with stack.install(self._two_workers):
      two = process.next(state, _CLIENTS)
    for output in (one, two):
      for x, y in zip(_flat(output), _flat(expected)):
        self.assertAllClose(x, y, rtol=1e-5, atol=1e-6)


async def _call(next_fn, state):
  return await next_fn(state, _CLIENTS)


if __name__ == '__main__':
  tf.test.main()
