# Copyright 2026 The tff_binary Authors.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Tests for local."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np
import psutil
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary.runtime import local

_ROOT = pathlib.Path(__file__).resolve().parents[3]

# Programs print the worker's pid, then end in some way. The pipe that they
# write to ends only when the worker, which inherits nothing, does not hold it.
_PROGRAM = """
import os, psutil, signal, sys, threading
import numpy as np, tensorflow as tf, tensorflow_federated as tff
from tff_binary.runtime import local

@tff.tensorflow.computation(np.int64)
def count(limit):
  return tf.while_loop(lambda i: i < limit, lambda i: [i + 1], [np.int64(0)])[0]

# A shell's background jobs inherit that it is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

def main():
  count(1)
  print(psutil.Process().children()[0].pid, flush=True)
  {ending}

if {leaves_block}:
  with local.local_worker():
    main()
else:
  block = local.local_worker()
  block.__enter__()
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


class LocalWorkerTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self._before = psutil.Process().children()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self._folder = pathlib.Path(folder)
    self._log = self._folder / 'worker.log'

  def test_computations_run_in_worker_that_ends_with_block(self):
    context = tff.framework.get_context_stack().current
    with local.local_worker():
      worker = _new_worker(self._before)
      self.assertEqual(worker.name(), 'worker_binary')
      self.assertIsNot(tff.framework.get_context_stack().current, context)
      self.assertAlmostEqual(_sum_of_small([0.25, 0.5]), 0.75)
      self.assertEqual(_sum_of_small([]), 0.0)
    self.assertTrue(_has_ended(worker, seconds=0.5))
    self.assertIs(tff.framework.get_context_stack().current, context)

  def test_exception_ends_worker_and_restores_context(self):
    context = tff.framework.get_context_stack().current
    with self.assertRaisesRegex(KeyError, 'mine'):
      with local.local_worker():
        worker = _new_worker(self._before)
        raise KeyError('mine')
    self.assertTrue(_has_ended(worker, seconds=0.5))
    self.assertIs(tff.framework.get_context_stack().current, context)

  def test_inner_block_leaves_outer_worker_running(self):
    with local.local_worker():
      with local.local_worker():
        self.assertLen(psutil.Process().children(), len(self._before) + 2)
      self.assertEqual(_sum_of_small([0.5]), 0.5)

  def test_error_of_client_names_its_cause_and_worker_lives_on(self):
    self._log.write_text('earlier\n')
    with local.local_worker(self._log):
      with self.assertRaisesRegex(Exception, 'the value is too large'):
        _sum_of_small([0.5, 1.5])
      self.assertEqual(_sum_of_small([0.5]), 0.5)
    self.assertRegex(
        self._log.read_text(), r'^earlier\n(.|\n)*the value is too large'
    )

  def test_death_of_worker_is_an_error_and_not_a_hang(self):
    with local.local_worker(self._log):
      worker = _new_worker(self._before)
      threading.Timer(1.0, worker.kill).start()
      with self.assertRaisesRegex(
          local.WorkerError, rf'died \(SIGKILL\); the end of {self._log}'
      ):
        _count(10**12)
      with self.assertRaisesRegex(local.WorkerError, 'died'):
        _count(1)

  def test_worker_that_does_not_start_is_an_error_with_its_last_words(self):
    binary = self._folder / 'worker'
    binary.write_text('#!/bin/sh\necho no more ports >&2\nexit 3\n')
    binary.chmod(0o755)
    with mock.patch.object(local, '_BINARY', binary):
      with self.assertRaisesRegex(
          local.WorkerError, r'exit status 3\); the end of .*\nno more ports'
      ):
        with local.local_worker(self._log):
          pass

  @parameterized.parameters(
      (None, len(os.sched_getaffinity(0))), (3, 3)
  )
  def test_concurrency_reaches_worker(self, value, expected):
    with local.local_worker(max_concurrent_computation_calls=value):
      self.assertIn(
          f'--max_concurrent_computation_calls={expected}',
          _new_worker(self._before).cmdline(),
      )

  def test_concurrency_below_one_is_refused(self):
    with self.assertRaisesRegex(
        ValueError, 'max_concurrent_computation_calls must be at least 1, got 0'
    ):
      with local.local_worker(max_concurrent_computation_calls=0):
        pass

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
  )
  def test_worker_ends_with_program(self, ending, leaves_block, returncode):
    program = subprocess.run(
        [
            sys.executable,
            '-c',
            _PROGRAM.format(ending=ending, leaves_block=leaves_block),
        ],
        cwd=_ROOT,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    self.assertEqual(program.returncode, returncode, program.stderr)
    pid = int(program.stdout)
    try:
      worker = psutil.Process(pid)
    except psutil.NoSuchProcess:
      return
    self.assertTrue(_has_ended(worker))


if __name__ == '__main__':
  absltest.main()
