# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of launchers.sweep."""

import json
import pathlib
import tempfile

from absl.testing import absltest

from tests.launchers import processes

_FLAGS = """
--task=digits
--algorithm=fedavg
--rounds=1
--local_epochs=1
--num_clients=2
--clients_per_round=2
--runtime=local
"""


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

  def test_answers_errors_by_one_line(self):
    for arguments, message in (
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
