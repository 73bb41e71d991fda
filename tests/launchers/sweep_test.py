# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of launchers.sweep."""

import json
import pathlib
import tempfile

from absl import flags
from absl.testing import absltest

from launchers import train
from tests.launchers import processes
from tff_binary.programs import metrics
from tff_binary.programs import run_folder

_FLAGS = """
--task=digits
--algorithm=fedavg
--rounds=1
--local_epochs=1
--num_clients=2
--clients_per_round=2
--runtime=local
"""


def setUpModule():
  if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()


class SweepTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.path = pathlib.Path(folder)

  def _sweep(self, *arguments):
    return processes.run(
        'sweep', f'--output_dir={self.path / "runs"}', *map(str, arguments)
    )

  def test_runs_every_flagfile_and_goes_on_after_a_failure(self):
    bad, good = self.path / 'bad.flags', self.path / 'good.flags'
    bad.write_text('--rounds=0')
    good.write_text(_FLAGS)
    status, out, err = self._sweep(bad, good)
    self.assertEqual(status, 1, err)
    self.assertRegex(err, 'not finished: .*bad_seed1\n$')
    self.assertRegex(out, r'\| good \| 1 \| \d+\.\d\d \|.* 32\.0000 \|')
    self.assertNotIn('| bad |', out)
    # What is done stays in the table, without another run.
    again = self._sweep('--table_only', bad, good)
    self.assertEqual(again[0], 0, again)
    self.assertEqual(again[1].splitlines(), out.splitlines()[-3:])

  def test_runs_a_grid_two_at_a_time(self):
    flagfile = self.path / 'digits.flags'
    flagfile.write_text(_FLAGS)
    status, out, err = self._sweep(
        flagfile,
        '--jobs=2',
        '--grid=local_epochs=1,0,-1',
        '--',
        '--batch_size=32',
    )
    self.assertEqual(status, 1, err)
    bad = [
        self.path / 'runs' / f'digits_local_epochs={number}_seed1'
        for number in (0, -1)
    ]
    self.assertEndsWith(err, f'not finished: {bad[0]}, {bad[1]}\n')
    for path in bad:
      self.assertIn('--local_epochs', path.with_suffix('.log').read_text())
    self.assertRegex(out, r'\| digits_local_epochs=1 \| 1 \|')
    self.assertEqual((self.path / 'runs' / 'table.md').read_text(), out)
    config = self.path / 'runs' / 'digits_local_epochs=1_seed1' / 'config.json'
    given = json.loads(config.read_text())['flags']
    self.assertEqual((given['batch_size'], given['seed']), (32, 1))

  def _write_run(self, name, *arguments):
    """Writes what a run of one round leaves that had these flags."""
    folder = run_folder.RunFolder(self.path / 'runs' / name)
    folder.path.mkdir(parents=True)
    settings = train.read_settings(arguments)
    settings.update(partition='iid', num_clients=100)  # Known from the task.
    folder.write_settings({'flags': settings})
    history = metrics.History()
    history.append({
        'round_num': 1,
        'test_accuracy': 0.5,
        **dict.fromkeys(metrics.SUMMARIZED, 1.0),
    })
    history.write(folder.path)
    folder.write_result(metrics.summarize(history.rows))

  def test_table_leaves_out_what_was_run_with_other_flags(self):
    common = '--task=digits', '--batch_size=32'
    for rate in ('0.1', '0.01'):
      flag = f'learning_rate={rate}'
      self._write_run(f'{flag}_seed1', *common, f'--{flag}')
    grid = '--table_only', '--grid=learning_rate=0.1,0.01', '--'
    # More rounds, and where data are, make no other runs.
    status, out, err = self._sweep(*grid, *common, '--rounds=9', '--data_dir=x')
    self.assertEqual((status, err), (0, ''))
    for rate in ('0.1', '0.01'):
      self.assertIn(f'| learning_rate={rate} | 1 | 50.00 |', out)
    status, out, err = self._sweep(*grid, '--task=digits')
    self.assertEqual((status, err.count('\n')), (0, 2), err)
    self.assertRegex(
        err, r'learning_rate=0.1_seed1 is not .*: batch_size 32 \(64\)\n'
    )
    self.assertNotIn('learning_rate', out)

  def test_grid_is_what_the_names_say(self):
    flagfile = self.path / 'other.flags'
    flagfile.write_text(f'{_FLAGS}\n--batch_size=16')
    status, out, err = self._sweep(
        '--grid=batch_size=32', '--', f'--flagfile={flagfile}'
    )
    self.assertEqual(status, 0, err)
    self.assertIn('| batch_size=32 | 1 |', out)
    config = self.path / 'runs' / 'batch_size=32_seed1' / 'config.json'
    given = json.loads(config.read_text())['flags']
    self.assertEqual((given['batch_size'], given['local_epochs']), (32, 1))

  def test_a_failed_run_is_not_in_the_table(self):
    self._write_run('rounds=0_seed1', '--task=digits', '--rounds=1')
    status, out, err = self._sweep('--grid=rounds=0', '--', '--task=digits')
    self.assertEqual((status, out.count('| rounds=0 |')), (1, 0))
    self.assertRegex(err, 'not finished: .*rounds=0_seed1\n$')

  def test_answers_errors_by_one_line(self):
    grid = '--grid=rho=1,2', '--grid=augment=true,false'
    for arguments, message in (
        (
            [*grid, '--', '--task=digits', '--rho=3'],
            '--rho=3: --rho is in --grid',
        ),
        ([*grid, '--', '-rho', '3'], '-rho: --rho is in --grid'),
        ([*grid, '--', '--noaugment'], '--noaugment: --augment is in --grid'),
        ([*grid, '--', '--seed=9'], '--seed=9: --seed is set by the sweep'),
        (
            [*grid, '--', '--output_dir', '/x'],
            '--output_dir: --output_dir is set by the sweep',
        ),
        ([*grid, '--rounds=3'], '--rounds is for the runs: give it after --'),
        (
            [f'--grid=data_dir={"x" * 237}'],
            'names of runs must have at most 251 bytes, got 252 in data_dir=xx',
        ),
        ([], 'at least one flagfile'),
        (['--grid=rho'], '--grid must be flag=value,value,..., got'),
        (['--grid=seed=1,2'], 'seed is set by the sweep'),
        (['--grid=rho=1', '--grid=rho=2'], 'rho is there twice'),
        (['/missing.flags'], '/missing.flags is not an existing file'),
    ):
      status, out, err = self._sweep(*arguments)
      self.assertEqual((status, out, err.count('\n')), (2, '', 1), err)
      self.assertIn(message, err)


if __name__ == '__main__':
  absltest.main()
