# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of many runs: they end with the launcher that has started them."""

import pathlib
import signal
import subprocess
import tempfile
import time

from absl.testing import absltest
from absl.testing import parameterized
import psutil

from launchers import cli
from launchers import runs
from tests.launchers import processes
from tff_binary.programs import metrics


class RunsTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.path = pathlib.Path(folder) / 'runs'

  # Killed; its terminal closed.
  @parameterized.parameters(
      (signal.SIGKILL, -signal.SIGKILL), (signal.SIGHUP, 128 + signal.SIGHUP)
  )
  def test_trainings_end_with_their_launcher(self, number, status):
    # These tests may themselves be run by nohup, which programs inherit.
    old = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    self.addCleanup(signal.signal, signal.SIGHUP, old)
    sweep = processes.start(
        'sweep',
        f'--output_dir={self.path}',
        '--grid=task=digits',
        '--',
        '--algorithm=fedavg',
        '--rounds=10000',
        '--local_epochs=1',
        '--runtime=local',
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not metrics.exists(self.path / 'task=digits_seed1'):
      self.assertIsNone(sweep.poll(), 'The sweep has ended too early.')
      time.sleep(0.1)
    started = psutil.Process(sweep.pid).children(recursive=True)
    self.assertGreater(len(started), 1)  # The training and its worker.
    sweep.send_signal(number)
    ended = sweep.wait(timeout=60)
    _, alive = psutil.wait_procs(started, timeout=60)
    # Nobody may be there to wait for an orphan.
    alive = [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]
    for process in alive:
      process.kill()
    self.assertEqual((ended, alive), (status, []))

  def test_refuses_a_name_that_is_too_long_before_any_run(self):
    short, long = (runs.Setting('é' * n, ()) for n in (1, 123))
    with self.assertRaisesRegex(
        cli.UsageError, 'names of runs must have at most 251 bytes, got 252 in'
    ):
      runs.run([(short, 1), (long, 1)], str(self.path), 1)
    self.assertFalse(self.path.exists())


if __name__ == '__main__':
  absltest.main()
