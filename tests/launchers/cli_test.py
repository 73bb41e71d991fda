# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of what launchers do at their edges: streams, signals, errors."""

import os
import pathlib
import shlex
import signal
import subprocess
import sys
import tempfile
from unittest import mock

from absl.testing import absltest

from tff_binary.programs import metrics

_ROOT = pathlib.Path(__file__).parents[2]


def _shell(command):
  """Returns exit status, output and errors of a launcher in a shell."""
  done = subprocess.run(
      f'{shlex.quote(sys.executable)} -m launchers.{command}',
      shell=True,
      capture_output=True,
      text=True,
      cwd=_ROOT,
  )
  return done.returncode, done.stdout, done.stderr


class CliTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.path = pathlib.Path(folder)
    history = metrics.History()
    history.append({
        'round_num': 1,
        'uplink_bytes': 1,
        'downlink_bytes': 1,
        'test_loss': 0.5,
    })
    history.write(self.path)
    self.plot = f'plot --output={self.path}/x.png {self.path}'

  def test_a_full_output_is_one_line(self):
    for unbuffered, command, name in (
        ('', self.plot, 'plot.py'),
        ('1', self.plot, 'plot.py'),
        ('', 'sweep --help', 'sweep.py'),
    ):
      with mock.patch.dict(os.environ, PYTHONUNBUFFERED=unbuffered):
        status, _, err = _shell(f'{command} >/dev/full')
      self.assertEqual(status, 1)
      self.assertEqual(
          err,
          f'{name}: cannot write to standard output: No space left on device\n',
      )

  def test_a_folder_that_cannot_be_made_is_one_line_before_any_work(self):
    (self.path / 'file').touch()
    folder = self.path / 'file' / 'runs'
    for name, arguments in (
        ('sweep', '--grid=task=digits'),
        ('reproduce', '--table=fedbat_1 --cells=fmnist/iid/100/fedavg'),
        ('analyze', self.path),
    ):
      status, out, err = _shell(f'{name} --output_dir={folder} {arguments}')
      self.assertEqual((status, out), (2, ''), err)
      self.assertEqual(
          err,
          f'{name}.py: --output_dir={folder} cannot be written: Not a'
          ' directory\n',
      )

  def test_default_worker_ends_without_a_word(self):
    script = """
import tensorflow_federated as tff
from launchers import cli

def main(argv):
  print(tff.tensorflow.computation(lambda: 2)())

cli.run(main)
"""
    done = subprocess.run(
        [sys.executable, '-c', script],
        capture_output=True,
        text=True,
        cwd=_ROOT,
        timeout=120,
        check=True,
    )
    self.assertEqual(done.stdout, '2\n')
    self.assertNotIn('Traceback', done.stderr)

  def test_a_closed_terminal_ends_a_launcher_unless_that_is_ignored(self):
    script = """
import os, signal, sys
from launchers import cli

def main(argv):
  os.kill(os.getpid(), signal.SIGHUP)
  print('went on')

signal.signal(signal.SIGHUP, getattr(signal, sys.argv.pop()))
cli.run(main)
"""
    for handler, expected in (
        ('SIG_DFL', (128 + signal.SIGHUP, '', '')),
        ('SIG_IGN', (0, 'went on\n', '')),  # As nohup does.
    ):
      done = subprocess.run(
          [sys.executable, '-c', script, handler],
          capture_output=True,
          text=True,
          cwd=_ROOT,
          timeout=120,
      )
      self.assertEqual((done.returncode, done.stdout, done.stderr), expected)

  def test_closed_streams_are_no_fault(self):
    for closed in ('<&-', '2>&-', '>&-', '<&- >&- 2>&-'):
      status, out, err = _shell(f'{self.plot} {closed}')
      self.assertEqual((status, err), (0, ''))
      if '>&-' not in closed.replace('2>&-', ''):
        self.assertEqual(out, f'{self.path}/x.png\n')

  def test_trains_with_standard_error_closed(self):
    status, out, err = _shell(
        'train --task=digits --algorithm=fedavg --num_clients=2 --rounds=1'
        ' --clients_per_round=1 --local_epochs=1 --train_examples=100'
        f' --output_dir={self.path}/run 2>&-'
    )
    self.assertEqual((status, err), (0, ''))
    self.assertStartsWith(out, 'FedAvg on digits: 1 rounds')

  def test_a_damaged_file_is_one_line(self):
    file = self.path / 'metrics.csv'
    file.write_text(file.read_text()[:-3])
    status, out, err = _shell(self.plot)
    self.assertEqual((status, out), (1, ''))
    self.assertRegex(err, f'^plot.py: {file} is damaged: [^\n]*\n$')


if __name__ == '__main__':
  absltest.main()
