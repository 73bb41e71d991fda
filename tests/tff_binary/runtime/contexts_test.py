# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for contexts."""

import contextlib
import functools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import grpc
import numpy as np
import psutil
import tensorflow as tf
import tensorflow_federated as tff

from tests.tff_binary.runtime import worker_processes
from tff_binary import runtime
from tff_binary.runtime import contexts
from tff_binary.runtime import worker

_ROOT = pathlib.Path(__file__).resolve().parents[3]

# Imports all that programs need, once, and then is one for every line that it
# reads: a fork, which prints the worker's pid and ends in some way. The pipe that
# it writes to ends only when the worker, which inherits nothing, does not hold it.
_PROGRAMS = """
import json, os, psutil, signal, sys, threading
import numpy as np, tensorflow as tf, tensorflow_federated as tff
from tff_binary import runtime

# A shell's background jobs inherit that it is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

print('ready', flush=True)
for line in sys.stdin:
  program = json.loads(line)
  pid = os.fork()
  if pid == 0:
    break
  _, status = os.waitpid(pid, 0)
  print(os.waitstatus_to_exitcode(status), flush=True)
else:
  sys.exit()

os.dup2(os.open(program['out'], os.O_WRONLY), 1)

@tff.tensorflow.computation(np.int64)
def count(limit):
  return tf.while_loop(lambda i: i < limit, lambda i: [i + 1], [np.int64(0)])[0]

def main():
  count(1)
  print(psutil.Process().children()[0].pid, flush=True)
  exec(program['ending'])

context = runtime.execution_context(runtime.Runtime(program['kind']))
if program['leaves_block']:
  with context:
    main()
else:
  context.__enter__()
  main()
"""


@tff.tensorflow.computation(np.float32)
def _small(value):
  @tf.function
  def check(value):
    tf.debugging.assert_less(value, 1.0, message='the value is too large')
    return value

  return check(value)


@tff.federated_computation(tff.FederatedType(np.float32, tff.CLIENTS))
def _sum_of_small(values):
  return tff.federated_sum(tff.federated_map(_small, values))


@tff.tensorflow.computation(np.int64)
def _count(limit):
  return tf.while_loop(lambda i: i < limit, lambda i: [i + 1], [np.int64(0)])[0]


@tff.federated_computation(tff.FederatedType(np.int64, tff.CLIENTS))
def _sum_of_counts(limits):
  return tff.federated_sum(tff.federated_map(_count, limits))


# What takes a worker days.
_DAYS = 10**12


def _new_worker(before):
  """Returns the child process that is not among `before`."""
  (worker,) = set(psutil.Process().children()) - set(before)
  return worker


def _has_ended(process, seconds=10):
  """Whether a process, here perhaps an orphan, ends within some seconds."""
  deadline = time.monotonic() + seconds
  while time.monotonic() < deadline:
    try:
      if process.status() == psutil.STATUS_ZOMBIE:
        return True
    except psutil.NoSuchProcess:
      return True
    time.sleep(0.05)
  return False

_LOCAL = runtime.Runtime('local')


@functools.lru_cache(None)
def _seconds():
  """Returns what takes a C++ worker about three seconds on this machine."""
  count = 50_000
  with runtime.execution_context(_LOCAL):
    _sum_of_counts([1])  # Traces.
    start = time.monotonic()
    _sum_of_counts([count])
    return int(3.0 * count / (time.monotonic() - start))


def setUpModule():
  _seconds()


class LocalTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self._before = psutil.Process().children()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self._folder = pathlib.Path(folder)
    self._log = self._folder / 'worker.log'

  @parameterized.parameters('local', 'device')
  def test_computations_run_in_worker_that_ends_with_block(self, kind):
    context = tff.framework.get_context_stack().current
    with runtime.execution_context(runtime.Runtime(kind)):
      process = _new_worker(self._before)
      self.assertIsNot(tff.framework.get_context_stack().current, context)
      self.assertAlmostEqual(_sum_of_small([0.25, 0.5]), 0.75)
      self.assertEqual(_sum_of_small([]), 0.0)
      if kind == 'device':  # Its socket is for this user alone.
        (path,) = re.findall('--socket=(.*)', '\n'.join(process.cmdline()))
        folder = pathlib.Path(path).parent
        self.assertEqual(folder.stat().st_mode & 0o777, 0o700)
    self.assertTrue(_has_ended(process, seconds=0.5))
    self.assertIs(tff.framework.get_context_stack().current, context)

  def test_device_worker_in_this_process(self):
    with runtime.execution_context(runtime.Runtime('device', in_process=True)):
      self.assertEqual(psutil.Process().children(), self._before)
      self.assertAlmostEqual(_sum_of_small([0.25, 0.5]), 0.75)

  def test_batch_normalization_of_two_channels_on_the_device_worker(self):
    @tff.tensorflow.computation(tff.TensorType(np.float32, [None, 1, 1, 2]))
    def normalize(x):
      layers = [
          tf.keras.layers.DepthwiseConv2D(1, depthwise_initializer='ones'),
          tf.keras.layers.BatchNormalization(),
      ]
      for layer in layers:
        layer.build(x.shape)

      @tf.function
      def run():
        return tf.nn.relu(layers[1](layers[0](x), training=True))

      return run()

    x = np.array([[1.0, 5.0], [3.0, 1.0]], np.float32).reshape(2, 1, 1, 2)
    with runtime.execution_context(runtime.Runtime('device', in_process=True)):
      np.testing.assert_allclose(
          normalize(x).reshape(2, 2), [[0.0, 1.0], [1.0, 0.0]], atol=1e-3
      )

  def test_exception_ends_worker_and_restores_context(self):
    context = tff.framework.get_context_stack().current
    with self.assertRaisesRegex(KeyError, 'mine'):
      with runtime.execution_context(_LOCAL):
        process = _new_worker(self._before)
        raise KeyError('mine')
    self.assertTrue(_has_ended(process, seconds=0.5))
    self.assertIs(tff.framework.get_context_stack().current, context)

  def test_inner_block_leaves_outer_worker_running(self):
    with runtime.execution_context(_LOCAL):
      with runtime.execution_context(_LOCAL):
        self.assertLen(psutil.Process().children(), len(self._before) + 2)
      self.assertEqual(_sum_of_small([0.5]), 0.5)

  def test_error_of_client_names_its_cause_and_worker_lives_on(self):
    self._log.write_text('earlier\n')
    with runtime.execution_context(_LOCAL, self._log):
      process = _new_worker(self._before)
      with self.assertRaisesRegex(Exception, 'the value is too large'):
        _sum_of_small([0.5, 1.5])
      self.assertEqual(_sum_of_small([0.5]), 0.5)
      self.assertEqual(_new_worker(self._before), process)
    self.assertRegex(
        self._log.read_text(), r'^earlier\n(.|\n)*the value is too large'
    )

  def test_what_tff_cannot_compile_is_run_as_it_is(self):
    @tff.tensorflow.computation(np.int64)
    def add_two(x):
      return x + 2

    with mock.patch.object(
        tff.framework, 'to_call_dominant', side_effect=ValueError
    ) as compiler, runtime.execution_context(_LOCAL):
      self.assertEqual(add_two(3), 5)
    compiler.assert_called_once()

  @parameterized.parameters(signal.SIGKILL, signal.SIGSTOP)
  def test_worker_that_dies_or_hangs_is_replaced(self, number):
    settings = runtime.Runtime('local', worker_deadline=1.0)
    with runtime.execution_context(settings, log_path=self._log):
      process = _new_worker(self._before)
      threading.Timer(0.5, process.send_signal, [number]).start()
      self.assertEqual(_sum_of_counts([_seconds(), 1]), _seconds() + 1)
      self.assertNotEqual(_new_worker(self._before), process)
    self.assertTrue(_has_ended(process, seconds=0.5))

  def test_worker_that_always_dies_is_an_error_and_not_a_hang(self):
    def kill():
      while not done.wait(0.3):
        for process in set(psutil.Process().children()) - set(self._before):
          process.kill()

    done = threading.Event()
    with runtime.execution_context(_LOCAL, self._log):
      thread = threading.Thread(target=kill)
      thread.start()
      with self.assertRaisesRegex(
          runtime.WorkerError, rf'died \(SIGKILL\); the end of {self._log}'
      ):
        _count(_DAYS)
      done.set()
      thread.join()
      self.assertEqual(_count(1), 1)

  def test_worker_that_does_not_start_is_an_error_with_its_last_words(self):
    binary = self._folder / 'worker'
    binary.write_text('#!/bin/sh\necho no more ports >&2\nexit 3\n')
    binary.chmod(0o755)
    with mock.patch.object(contexts, '_BINARY', binary):
      with self.assertRaisesRegex(
          runtime.WorkerError, r'exit status 3\); the end of .*\nno more ports'
      ):
        with runtime.execution_context(_LOCAL, self._log):
          pass
      with runtime.execution_context(_LOCAL, self._log, wait=False):
        with self.assertRaisesRegex(runtime.WorkerError, 'no more ports'):
          _count(1)

  def test_block_may_begin_before_its_worker_is_ready(self):
    wait = contexts.connections.Connection.wait_until_ready
    with mock.patch.object(
        contexts.connections.Connection, 'wait_until_ready', autospec=True
    ) as mocked:
      mocked.side_effect = wait
      with runtime.execution_context(_LOCAL, wait=False):
        process = _new_worker(self._before)
        mocked.assert_not_called()
        self.assertEqual(_count(3), 3)
        self.assertEqual(_count(4), 4)
        mocked.assert_called_once()
    self.assertTrue(_has_ended(process, seconds=0.5))

  @parameterized.parameters(
      (None, len(os.sched_getaffinity(0))), (3, 3)
  )
  def test_concurrency_reaches_worker(self, value, expected):
    settings = runtime.Runtime('local', max_concurrent_clients=value)
    with runtime.execution_context(settings):
      self.assertIn(
          f'--max_concurrent_computation_calls={expected}',
          _new_worker(self._before).cmdline(),
      )


class ProgramsTest(parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.programs = cls.enter_context(
        subprocess.Popen(
            [sys.executable, '-c', _PROGRAMS],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    )
    assert cls.programs.stdout.readline() == 'ready\n'

  def _run(self, **program):
    """Returns the exit status and the output of a program."""
    folder = self.enter_context(tempfile.TemporaryDirectory())
    out = os.path.join(folder, 'out')
    os.mkfifo(out)
    print(
        json.dumps({**program, 'out': out}),
        file=self.programs.stdin,
        flush=True,
    )
    limit = threading.Timer(60, os.killpg, (self.programs.pid, signal.SIGKILL))
    limit.start()
    self.addCleanup(limit.cancel)
    text = pathlib.Path(out).read_text()
    return int(self.programs.stdout.readline()), text

  @parameterized.named_parameters(
      ('normally', 'pass', True, 0),
      ('never_leaving_the_block', 'sys.exit(4)', False, 4),
      ('killed', 'os.kill(os.getpid(), signal.SIGKILL)', True, -signal.SIGKILL),
      ('ended', 'os.kill(os.getpid(), signal.SIGTERM)', True, -signal.SIGTERM),
      (
          'interrupted_in_a_computation',
          'threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start();'
          'count(10**12)',
          True,
          -signal.SIGINT,
      ),
      (
          'device_worker_of_one_killed',
          'os.kill(os.getpid(), signal.SIGKILL)',
          True,
          -signal.SIGKILL,
          'device',
      ),
  )
  def test_worker_ends_with_program(
      self, ending, leaves_block, returncode, kind='local'
  ):
    status, out = self._run(ending=ending, leaves_block=leaves_block, kind=kind)
    self.assertEqual(status, returncode)
    pid = int(out)
    try:
      process = psutil.Process(pid)
    except psutil.NoSuchProcess:
      return
    self.assertTrue(_has_ended(process))


class RemoteTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.processes = []
    self.workers = []
    for _ in range(2):
      process, address = worker_processes.start_cpp()
      self.addCleanup(worker_processes.stop, process)
      self.processes.append(process)
      self.workers.append(address)

  def _context(self, **kwargs):
    return runtime.execution_context(
        runtime.Runtime('remote', workers=self.workers, **kwargs)
    )

  @parameterized.product(
      number=[signal.SIGKILL, signal.SIGSTOP], position=[0, 1]
  )
  def test_lost_worker_is_an_error_that_names_it(self, number, position):
    with self._context(worker_deadline=1.5):
      process = self.processes[position]
      threading.Timer(0.5, process.send_signal, [number]).start()
      start = time.monotonic()
      with self.assertRaisesRegex(
          runtime.WorkerError,
          f'the worker {self.workers[position]} cannot be reached for 1.5 sec',
      ):
        _sum_of_counts([_DAYS, _DAYS])
      self.assertLess(time.monotonic() - start, 30)

  @parameterized.parameters(signal.SIGKILL, signal.SIGSTOP)
  def test_others_take_over_the_clients_of_a_lost_worker(self, number):
    # Far longer than the deadline: a C++ worker answers no call while it
    # disposes of an executor that still computes, as the other one's does here.
    limits = [_seconds(), 1, 2, 2 * _seconds()]
    with self._context(worker_deadline=1.0, allow_lost_workers=True):
      process = self.processes[0]
      threading.Timer(0.5, process.send_signal, [number]).start()
      self.assertEqual(_sum_of_counts(limits), sum(limits))
      self.assertEqual(_sum_of_counts([1, 2, 3]), 6)

  def test_worker_that_comes_back_is_used_again(self):
    def restart():
      worker_processes.stop(self.processes[1])
      time.sleep(10.0)
      port = int(self.workers[1].rpartition(':')[2])
      process, _ = worker_processes.start_cpp(port)
      self.addCleanup(worker_processes.stop, process)

    with self._context():
      thread = threading.Timer(0.5, restart)
      thread.start()
      self.assertEqual(_sum_of_counts([1, _seconds()]), _seconds() + 1)
      thread.join()

  def test_worker_restarted_between_computations(self):
    with self._context():
      self.assertEqual(_sum_of_counts([1, 2]), 3)
      worker_processes.stop(self.processes[0])
      port = int(self.workers[0].rpartition(':')[2])
      process, _ = worker_processes.start_cpp(port)
      self.addCleanup(worker_processes.stop, process)
      self.assertEqual(_sum_of_counts([1, 2]), 3)

  def test_computation_is_repeated_if_only_its_connection_breaks(self):
    proxy = worker_processes.Proxy(self.workers[1])
    self.addCleanup(proxy.close)
    self.workers[1] = proxy.address
    with self._context():
      threading.Timer(0.5, proxy.cut).start()
      self.assertEqual(_sum_of_counts([1, _seconds()]), _seconds() + 1)
    self.assertGreater(proxy.num_connections, 1)

  def test_long_computation_is_not_taken_for_a_lost_worker(self):
    with self._context(worker_deadline=1.0):
      start = time.monotonic()
      self.assertEqual(_sum_of_counts([_seconds(), 1]), _seconds() + 1)
      self.assertGreater(time.monotonic() - start, 1.5)

  def test_computation_s_own_failed_precondition_is_not_repeated(self):
    @tff.tensorflow.computation
    def look_up():
      table = tf.raw_ops.HashTableV2(
          key_dtype=tf.string, value_dtype=tf.int64, shared_name='t'
      )
      return tf.raw_ops.LookupTableFindV2(
          table_handle=table, keys='a', default_value=np.int64(0)
      )

    with self._context():
      with self.assertRaisesRegex(Exception, 'not initialized') as raised:
        look_up()
    self.assertNotIsInstance(raised.exception, runtime.WorkerError)

  def test_unreachable_worker_is_found_at_the_start(self):
    with socket.create_server(('127.0.0.1', 0)) as silent:
      self.workers.append(f'127.0.0.1:{silent.getsockname()[1]}')
      with self.assertRaisesRegex(
          runtime.WorkerError,
          f'the worker {self.workers[-1]} cannot be reached for 0.5 seconds',
      ):
        with self._context(worker_deadline=0.5):
          pass


class MergeTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.workers = self.enter_context(worker_processes.cpp_workers(2))

  def _context(self, workers=None, **kwargs):
    workers = workers or self.workers
    return runtime.execution_context(
        runtime.Runtime('remote', workers=workers, merge='tff', **kwargs)
    )

  def test_adds_the_sums_of_workers_that_compute_at_the_same_time(self):
    both = threading.Barrier(2, timeout=60)
    first_two = iter([both.wait] * 2)
    invoke = contexts._WatchedContext.invoke

    def invoke_together(context, comp, arg):
      next(first_two, lambda: None)()
      return invoke(context, comp, arg)

    with self._context():
      with mock.patch.object(
          contexts._WatchedContext, 'invoke', invoke_together
      ):
        self.assertEqual(_sum_of_counts([1, 2, 30]), 33)
      # Fewer clients than workers, and none at all.
      self.assertEqual(_sum_of_counts([5]), 5)
      self.assertEqual(_count(7), 7)

  def test_each_worker_s_part_is_repeated_by_itself(self):
    proxy = worker_processes.Proxy(self.workers[1])
    self.addCleanup(proxy.close)
    with self._context([self.workers[0], proxy.address]):
      threading.Timer(0.5, proxy.cut).start()
      self.assertEqual(_sum_of_counts([1, _seconds()]), _seconds() + 1)
    self.assertGreater(proxy.num_connections, 1)

  def test_errors_of_clients_and_of_workers(self):
    with self._context(worker_deadline=1.0):
      with self.assertRaisesRegex(Exception, 'the value is too large'):
        _sum_of_small([0.5, 2.0])
    with self.assertRaisesRegex(
        runtime.WorkerError, 'the worker localhost:1 cannot be reached'
    ):
      with self._context([self.workers[0], 'localhost:1'], worker_deadline=0.5):
        pass

  def test_refuses_what_is_more_than_one_aggregation(self):
    at_clients = tff.FederatedType(np.float32, tff.CLIENTS)

    @tff.tensorflow.computation(np.float32, np.float32)
    def difference(x, y):
      return x - y

    @tff.federated_computation(at_clients)
    def mean_deviation(values):
      mean = tff.federated_broadcast(tff.federated_mean(values))
      return tff.federated_mean(tff.federated_map(difference, (values, mean)))

    @tff.federated_computation(at_clients)
    def same(values):
      return values

    with self._context():
      for computation, reason in (
          (mean_deviation, 'rounds are more than one broadcast and one'),
          (same, 'clients keep states'),
      ):
        with self.assertRaisesRegex(
            ValueError, f'^merge must be in_order for this computation, .*{reason}'
        ):
          computation([1.0, 2.0])


class EncryptionTest(absltest.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = cls.enter_context(tempfile.TemporaryDirectory())
    for name in ('authority', 'stranger'):
      _make_certificate(cls.folder, name)
    _make_certificate(cls.folder, 'worker', 'authority', 'serverAuth')
    _make_certificate(cls.folder, 'client', 'authority', 'clientAuth')
    files = [
        pathlib.Path(cls.folder, name).read_bytes()
        for name in ('worker.key', 'worker.pem', 'authority.pem')
    ]
    server = worker.start(
        '127.0.0.1:0',
        credentials=grpc.ssl_server_credentials(
            [tuple(files[:2])], files[2], require_client_auth=True
        ),
    )
    cls.addClassCleanup(server.stop)
    cls.workers = [server.address]

  def _context(self, client='client', authority='authority', **kwargs):
    return runtime.execution_context(
        runtime.Runtime(
            'remote',
            workers=self.workers,
            certificate=f'{self.folder}/{client}.pem',
            private_key=f'{self.folder}/{client}.key',
            worker_authority=f'{self.folder}/{authority}.pem',
            **kwargs,
        )
    )

  def test_client_with_certificate_is_served(self):
    with self._context():
      self.assertAlmostEqual(_sum_of_small([0.25, 0.5]), 0.75)

  def test_strangers_are_refused(self):
    for context in (
        self._context(client='stranger', worker_deadline=0.5),
        # Its key is on other machines than the clients' keys.
        self._context(client='worker', worker_deadline=0.5),
        self._context(authority='stranger', worker_deadline=0.5),
        runtime.execution_context(
            runtime.Runtime(
                'remote', workers=self.workers, worker_deadline=0.5
            )
        ),
    ):
      with self.assertRaisesRegex(
          runtime.WorkerError,
          f'{self.workers[0]} cannot be reached.*somebody.*certificate',
      ):
        with context:
          pass


def _make_certificate(folder, name, authority=None, usage=None):
  """Makes name.key and name.pem, signed by an authority or by itself."""
  signer = []
  if authority is not None:
    signer = ['-CA', f'{authority}.pem', '-CAkey', f'{authority}.key']
    for extension in (
        'basicConstraints=critical,CA:FALSE',
        f'extendedKeyUsage={usage}',
        'subjectAltName=DNS:localhost,IP:127.0.0.1',
    ):
      signer += ['-addext', extension]
  subprocess.run(
      [
          *('openssl', 'req', '-x509', *signer, '-days', '1', '-nodes'),
          *('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'),
          *('-subj', f'/CN={name}', '-keyout', f'{name}.key'),
          *('-out', f'{name}.pem'),
      ],
      cwd=folder,
      check=True,
      capture_output=True,
  )


if __name__ == '__main__':
  absltest.main()
