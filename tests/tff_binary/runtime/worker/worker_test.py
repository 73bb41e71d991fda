# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of whole TFF computations on the worker."""

import collections
import contextlib
import os
import pathlib
import subprocess
import sys
import threading

from absl.testing import absltest
from absl.testing import parameterized
import grpc
import numpy as np
import psutil
import tensorflow as tf
import tensorflow_federated as tff
from tensorflow_federated.python.core.environments.tensorflow_frontend import tensorflow_computation

from tests.tff_binary import tiny
from tff_binary import algorithms
from tff_binary import learning
from tff_binary import runtime
from tff_binary.runtime import worker

_ROOT = pathlib.Path(__file__).resolve().parents[4]

# A Python with a newer TensorFlow and without TFF, for the worker.
_PYTHON = os.environ.get('TFF_BINARY_WORKER_PYTHON')

# Trains clients, with both of TFF's training loops, on two of three devices.
# Prints where operations were placed, by number of log lines.
_PLACEMENT_PROGRAM = """
import collections, os, re
import tensorflow as tf
cpu = tf.config.list_physical_devices('CPU')[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 3)
tf.debugging.set_log_device_placement(True)
log = os.memfd_create('log')
stderr, stdout = os.dup(2), os.dup(1)
os.dup2(log, 2)
os.dup2(log, 1)
import tests.tff_binary.runtime.worker.worker_test as test
with test.worker_context(devices=('CPU:1', 'CPU:2'), clients_per_device=1):
  for reduce in (False, True):
    process = test.tff_process(reduce)
    process.next(process.initialize(), test.tff_clients(6))
os.dup2(stdout, 1)
os.dup2(stderr, 2)
os.lseek(log, 0, 0)
found = collections.Counter()
for line in os.fdopen(log, errors='replace'):
  match = re.search(
      r'\\((VarHandleOp|MatMul|\\w*Dataset\\w*|\\w*Iterator\\w*|Optional\\w+)'
      r'\\): .*/device:(CPU:\\d)', line)
  if match:
    kind = match[1] if match[1] in ('VarHandleOp', 'MatMul') else 'data'
    found[kind + ' ' + match[2]] += 1
print(dict(found))
"""


@contextlib.contextmanager
def context_of(address):
  """Runs TFF's computations on the worker at an address."""
  channel = grpc.insecure_channel(
      address,
      [
          ('grpc.max_receive_message_length', -1),
          ('grpc.max_send_message_length', -1),
      ],
  )
  with channel:
    grpc.channel_ready_future(channel).result(timeout=30)
    stub = tff.framework.RemoteExecutorGrpcStub(channel)

    def create_executor(cardinalities):
      executor = tff.framework.RemoteExecutor(stub)
      executor.set_cardinalities({tff.CLIENTS: 0, **cardinalities})
      return executor

    context = tff.framework.SyncExecutionContext(
        executor_fn=tff.framework.ResourceManagingExecutorFactory(
            create_executor
        ),
        compiler_fn=tff.backends.native.desugar_and_transform_to_native,
        transform_args=tensorflow_computation.transform_args,
        transform_result=tensorflow_computation.transform_result,
    )
    with tff.framework.get_context_stack().install(context):
      yield


@contextlib.contextmanager
def worker_context(**kwargs):
  """Runs TFF's computations on a worker in this process."""
  with worker.start(**kwargs) as server, context_of(server.address):
    yield


@contextlib.contextmanager
def _process_context(python):
  """Runs TFF's computations on a worker process, which it yields."""
  process = subprocess.Popen(
      [python, '-m', 'tff_binary.runtime.worker', '--port=0'],
      cwd=_ROOT,
      stdin=subprocess.DEVNULL,
      stdout=subprocess.PIPE,
      text=True,
  )
  try:
    with context_of(process.stdout.readline().split()[-1]):
      yield process
  finally:
    process.kill()
    process.wait()
    process.stdout.close()


def tff_process(reduce):
  """TFF's own federated averaging, with one of its two training loops."""
  loops = tff.learning.LoopImplementation
  spec = (
      tf.TensorSpec([None, tiny.NUM_FEATURES], tf.float32),
      tf.TensorSpec([None], tf.int32),
  )

  def model_fn():
    return tff.learning.models.from_keras_model(
        tiny.batch_norm_model(),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        input_spec=spec,
    )

  return tff.learning.algorithms.build_weighted_fed_avg(
      model_fn,
      client_optimizer_fn=tff.learning.optimizers.build_sgdm(0.1, 0.9),
      loop_implementation=(
          loops.DATASET_REDUCE if reduce else loops.DATASET_ITERATOR
      ),
  )


def tff_clients(number):
  return [
      tf.data.Dataset.from_tensor_slices(tiny.arrays(5 + i, seed=i)).batch(4)
      for i in range(number)
  ]


def _our_process(name):
  return algorithms.get(name).build(
      learning.keras_model_fn(tiny.dense_model, tiny.element_spec()),
      element_spec=tiny.element_spec(),
      local_training=learning.LocalTraining(local_epochs=2, batch_size=4),
  )


def _our_clients(number):
  return [tiny.client(5 + i, i) for i in range(number)]


def _weights_after_round(process, clients):
  state = process.next(process.initialize(), clients).state
  return tf.nest.flatten(process.get_model_weights(state))


class SameAsCppTest(parameterized.TestCase):
  """One round of learning, compared with TFF's own worker."""

  _PROCESSES = {
      'FedAvg': (lambda: _our_process('fedavg'), _our_clients),
      'FedBAT': (lambda: _our_process('fedbat'), _our_clients),
      'FedAvg of TFF': (lambda: tff_process(reduce=True), tff_clients),
  }

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls._rounds = {
        name: (build(), make_clients(7))
        for name, (build, make_clients) in cls._PROCESSES.items()
    }
    with runtime.execution_context(runtime.Runtime('local')):
      cls._expected = {
          name: _weights_after_round(*args)
          for name, args in cls._rounds.items()
      }

  def _assert_same_as_cpp(self):
    for name, args in self._rounds.items():
      with self.subTest(name):
        weights = _weights_after_round(*args)
        for ours, expected in zip(weights, self._expected[name]):
          np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-6)

  def _assert_memory_is_flat(self, process, num_clients=50):
    """Fails if every round leaves more than 10 KB a client; a leak is 50."""
    memory = psutil.Process(process.pid).memory_info
    clients = _our_clients(num_clients)
    growth = []
    for _ in range(6):
      before = memory().rss
      _weights_after_round(self._rounds['FedAvg'][0], clients)
      growth.append((memory().rss - before) / num_clients)
    with self.subTest('memory'):
      self.assertLess(min(growth), 10_000, growth)

  def test_worker_process(self):
    with _process_context(sys.executable) as process:
      self._assert_same_as_cpp()
      self._assert_memory_is_flat(process)

  @absltest.skipUnless(_PYTHON, 'TFF_BINARY_WORKER_PYTHON is not set')
  def test_worker_process_on_newer_tensorflow(self):
    subprocess.run(
        [
            _PYTHON,
            '-c',
            'import importlib.util as u, tensorflow as tf\n'
            'assert tuple(map(int, tf.__version__.split(".")[:2])) > (2, 14)\n'
            'assert not u.find_spec("tensorflow_federated")',
        ],
        check=True,
    )
    with _process_context(_PYTHON) as process:
      self._assert_same_as_cpp()
      self._assert_memory_is_flat(process)

  def test_bits_do_not_depend_on_the_number_of_threads(self):
    results = {'FedBAT': [], 'FedAvg of TFF': []}
    for clients_per_device in (1, 3):
      with worker_context(
          devices=('CPU:0',), clients_per_device=clients_per_device
      ):
        for name, weights in results.items():
          after = _weights_after_round(*self._rounds[name])
          weights.append([w.tobytes() for w in after])
    for name, (one, three) in results.items():
      with self.subTest(name):
        self.assertEqual(one, three)


class WorkerTest(parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.enter_context(worker_context(devices=('CPU:0',), clients_per_device=2))

  def test_failing_client_is_an_error_that_names_the_operation(self):
    done = []

    @tff.tensorflow.computation(np.float32)
    def check(x):
      @tf.function
      def run(x):
        tf.debugging.assert_less(x, 50.0, 'too large', name='my_check')
        return x

      return run(x)

    @tff.federated_computation(tff.FederatedType(np.float32, tff.CLIENTS))
    def total(values):
      return tff.federated_sum(tff.federated_map(check, values))

    def fail():
      with self.assertRaises(grpc.RpcError) as caught:
        total([float(i) for i in range(51)])
      done.append(caught.exception)

    context = tff.framework.get_context_stack().current

    def in_context():
      with tff.framework.get_context_stack().install(context):
        fail()

    thread = threading.Thread(target=in_context, daemon=True)
    thread.start()
    thread.join(timeout=60)
    self.assertLen(done, 1, 'the call hangs')
    self.assertEqual(done[0].code(), grpc.StatusCode.INVALID_ARGUMENT)
    self.assertRegex(done[0].details(), r'too large(.|\n)*my_check')
    self.assertEqual(total([1.0, 2.0]), 3.0)

  def test_failed_precondition_of_tensorflow_is_not_repeated(self):
    @tff.tensorflow.computation
    def read_uninitialized():
      table = tf.raw_ops.HashTableV2(key_dtype=tf.int64, value_dtype=tf.int64)
      return tf.raw_ops.LookupTableFindV2(
          table_handle=table, keys=np.int64(1), default_value=np.int64(0)
      )

    with self.assertRaisesRegex(
        grpc.RpcError, 'Table not initialized'
    ) as caught:
      read_uninitialized()
    self.assertEqual(caught.exception.code(), grpc.StatusCode.INTERNAL)

  def test_long_error_message_arrives(self):
    @tff.tensorflow.computation(np.str_)
    def fail(text):
      @tf.function
      def run(text):
        tf.debugging.assert_equal(text, '', summarize=10**6)
        return text

      return run(text)

    with self.assertRaisesRegex(grpc.RpcError, 'xxx'):
      fail('x' * 10**5)

  def test_clients_values_keep_their_order(self):
    @tff.tensorflow.computation(np.int32)
    def square(x):
      return x * x

    @tff.federated_computation(tff.FederatedType(np.int32, tff.CLIENTS))
    def squares(values):
      return tff.federated_map(square, values)

    self.assertEqual(
        squares(list(range(100))), [i * i for i in range(100)]
    )

  def test_aggregate_folds_from_zero_in_client_order_and_never_merges(self):
    @tff.tensorflow.computation
    def zero():
      return '0'

    @tff.tensorflow.computation(np.str_, np.int32)
    def accumulate(total, value):
      return tf.strings.join([total, tf.strings.as_string(value)], ',')

    @tff.tensorflow.computation(np.str_, np.str_)
    def merge(a, b):
      return tf.strings.join([a, b], ' merged ')

    @tff.tensorflow.computation(np.str_)
    def report(total):
      return tf.strings.join(['<', total, '>'])

    @tff.federated_computation(tff.FederatedType(np.int32, tff.CLIENTS))
    def join(values):
      return tff.federated_aggregate(values, zero(), accumulate, merge, report)

    numbers = list(range(1, 40))
    expected = '<' + ','.join(map(str, [0, *numbers])) + '>'
    self.assertEqual(join(numbers), expected.encode())

  def test_clients_select_slices_of_a_server_value(self):
    @tff.tensorflow.computation(tff.TensorType(np.int32, [3]), np.int32)
    def take(values, key):
      return tf.gather(values, key)

    @tff.tensorflow.computation(tff.SequenceType(np.int32))
    def total(slices):
      return slices.reduce(np.int32(0), lambda x, y: x * 10 + y)

    @tff.tensorflow.computation
    def max_key():
      return np.int32(3)

    @tff.federated_computation(
        tff.FederatedType(tff.TensorType(np.int32, [2]), tff.CLIENTS),
        tff.FederatedType(tff.TensorType(np.int32, [3]), tff.SERVER),
    )
    def select(keys, values):
      key = tff.federated_value(max_key(), tff.SERVER)
      return tff.federated_map(
          total, tff.federated_select(keys, key, values, take)
      )

    keys = [np.array(k, np.int32) for k in ([0, 2], [2, 1], [1, 1])]
    self.assertEqual(select(keys, np.array([4, 5, 6], np.int32)), [46, 65, 55])

  def test_sequences_are_mapped_and_reduced(self):
    element = tff.StructType([('b', np.int32), ('a', np.int32)])

    @tff.tensorflow.computation(element)
    def difference(x):
      return x['b'] * 10 - x['a']

    @tff.tensorflow.computation(np.int32, np.int32)
    def add(x, y):
      return x + y

    @tff.federated_computation(tff.SequenceType(element))
    def total(sequence):
      return tff.sequence_reduce(
          tff.sequence_map(difference, sequence), 0, add
      )

    dataset = tf.data.Dataset.from_tensor_slices(
        collections.OrderedDict(
            b=np.array([1, 2], np.int32), a=np.array([3, 4], np.int32)
        )
    )
    self.assertEqual(total(dataset), (10 - 3) + (20 - 4))

  def test_datasets_of_clients_go_in_and_out(self):
    element = collections.OrderedDict(b=np.int64, a=np.str_)

    @tff.tensorflow.computation(tff.SequenceType(element))
    def head(dataset):
      return dataset.take(2), ()

    @tff.federated_computation(
        tff.FederatedType(tff.SequenceType(element), tff.CLIENTS)
    )
    def heads(datasets):
      return tff.federated_map(head, datasets)

    dataset = tf.data.Dataset.range(5).map(
        lambda i: collections.OrderedDict(b=i, a=tf.strings.as_string(i))
    )
    for taken, empty in heads([dataset] * 2):
      self.assertEqual(empty, ())
      self.assertEqual(
          list(taken.as_numpy_iterator()),
          [dict(b=0, a=b'0'), dict(b=1, a=b'1')],
      )

  def test_values_are_made_at_clients_and_server(self):
    @tff.tensorflow.computation
    def seven():
      return 7

    @tff.federated_computation
    def make():
      return (
          tff.federated_eval(seven, tff.SERVER),
          tff.federated_sum(tff.federated_eval(seven, tff.CLIENTS)),
          tff.federated_value((), tff.SERVER),
      )

    # Without an argument there are no clients.
    self.assertEqual(tuple(make()), (7, 0, ()))

  def test_no_clients(self):
    @tff.federated_computation(tff.FederatedType(np.int32, tff.CLIENTS))
    def total(values):
      return tff.federated_sum(values)

    self.assertEqual(total([]), 0)


class PlacementTest(absltest.TestCase):

  def test_training_is_on_the_devices_and_data_on_the_cpu(self):
    result = subprocess.run(
        [sys.executable, '-c', _PLACEMENT_PROGRAM],
        cwd=_ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=200,
    )
    found = eval(result.stdout)  # pylint: disable=eval-used
    for operation in ('VarHandleOp', 'MatMul'):
      self.assertGreater(found[f'{operation} CPU:1'], 0)
      self.assertGreater(found[f'{operation} CPU:2'], 0)
      self.assertNotIn(f'{operation} CPU:0', found)
    self.assertGreater(found['data CPU:0'], 0)
    self.assertNotIn('data CPU:1', found)
    self.assertNotIn('data CPU:2', found)


if __name__ == '__main__':
  absltest.main()
