# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for the comparison of workers."""

from unittest import mock

from absl.testing import absltest
import tensorflow_federated as tff

from benchmarks import worker
from tff_binary import runtime


class _NoContext(tff.framework.SyncContext):
  """Stands for TFF's default context, which leaves a worker behind."""

  def invoke(self, comp, arg):
    raise AssertionError('a computation runs in no worker of the benchmark')


class RoundsTest(absltest.TestCase):

  def test_everything_runs_in_the_given_worker(self):
    stack = tff.framework.get_context_stack()
    with runtime.execution_context(
        runtime.Runtime('device', in_process=True)
    ):
      context = stack.current
      with stack.install(_NoContext()), mock.patch.dict(
          worker._TASKS, {'logistic': (worker._logistic, (20,), 2, 2, 10, 10)}
      ):
        rounds = worker.Rounds(*worker.build('logistic', 'reduce'), context)
        before = rounds.weights()
        rounds()
        self.assertNotAlmostEqual(abs(rounds.weights() - before).max(), 0.0)


if __name__ == '__main__':
  absltest.main()
