# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of launchers.reproduce."""

import json
import pathlib
import tempfile

from absl import flags
from absl.testing import absltest

from launchers import published
from launchers import train
from tests.launchers import processes
from tff_binary.programs import metrics

_TINY = (
    '--task=digits',
    '--train_examples=120',
    '--num_clients=4',
    '--clients_per_round=2',
    '--local_epochs=1',
    '--runtime=local',  # Starts faster than the default.
)


def setUpModule():
  if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()


class ReproduceTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.path = pathlib.Path(folder) / 'runs'

  def _reproduce(self, *arguments):
    return processes.run(
        'reproduce',
        '--table=fedbat_1',
        f'--output_dir={self.path}',
        *arguments,
    )

  def _write_run(self, name, seed, accuracies, *more):
    """Writes what a run leaves after so many rounds."""
    (cell,) = published.load('fedbat_1').select([name])
    folder = self.path / f'{name.replace("/", "-")}_seed{seed}'
    folder.mkdir(parents=True)
    settings = {'flags': train.read_settings([*cell.flags, *more])}
    (folder / 'config.json').write_text(json.dumps(settings))
    history = metrics.History()
    for round_num, accuracy in enumerate(accuracies, 1):
      history.append({
          'round_num': round_num,
          'train_accuracy': 0.5,
          'test_accuracy': accuracy,
          'uplink_bytes': 1,
          'downlink_bytes': 1,
          'uplink_bits_per_param': 1.5,
          'downlink_bits_per_param': 32.0,
          'uplink_bits_per_param_total': 1.5,
          'downlink_bits_per_param_total': 32.0,
          'round_seconds': 1.0,
      })
    history.write(folder)

  def _cells(self, out):
    """Returns the rows of the table in a text, by their first column."""
    rows = [
        [column.strip() for column in line.strip('|').split('|')]
        for line in out.splitlines()
        if line.startswith('| fmnist')
    ]
    return {row[0]: row[1:] for row in rows}

  def test_measures_runs_resumes_and_compares(self):
    chosen = '--cells=fmnist/iid/100/fedavg'
    status, out, err = self._reproduce(chosen, '--', *_TINY, '--rounds=3')
    self.assertEqual(status, 0, err)
    # Two rounds were run to measure one, and count.
    self.assertRegex(
        out,
        r'0 of 1 runs are done\nmeasuring 2 rounds of 1 runs\n(.*\n)*'
        r'1 runs, 1 rounds of \S+ to \S+ s, 1 at a time: about 1 min',
    )
    row = self._cells(out)['fmnist/iid/100/fedavg']
    self.assertEqual(row[0], '92.0 ± 0.1')
    self.assertAlmostEqual(float(row[2]), float(row[1]) - 92.0)
    self.assertEqual(row[3:6], ['32.0000', '1', '3'])
    self.assertEqual(
        row[6],
        '1 of 5 seeds; 3 of 100 rounds; task digits (fmnist); train_examples'
        ' 120 (None); num_clients 4 (100); clients_per_round 2 (10);'
        ' local_epochs 1 (10)',
    )
    self.assertEndsWith(out, (self.path / 'table.md').read_text())

    # One run more, whose time follows from the one before, which rests.
    folder = self.path / 'fmnist-iid-100-fedavg_seed1'
    before = (folder / 'metrics.csv').stat().st_mtime_ns
    chosen = '--cells=fmnist/iid/100/fedavg,fmnist/iid/100/fedbat'
    arguments = chosen, '--jobs=2', '--', *_TINY, '--rounds=3'
    status, out, err = self._reproduce(*arguments)
    self.assertEqual(status, 0, err)
    self.assertStartsWith(out, '1 of 2 runs are done\n1 runs, 3 rounds of ')
    self.assertLen(self._cells(out), 2)
    status, again, err = self._reproduce(*arguments)
    self.assertEqual(status, 0, err)
    self.assertEqual(self._cells(again), self._cells(out))
    self.assertStartsWith(again, '2 of 2 runs are done\n')
    after = (folder / 'metrics.csv').stat().st_mtime_ns
    self.assertEqual(after, before)

    # Other settings are not taken for those of the run that is there.
    chosen = '--cells=fmnist/iid/100/fedbat'
    status, out, err = self._reproduce(
        chosen, *arguments[1:], '--batch_size=32'
    )
    self.assertEqual(status, 1)
    self.assertRegex(err, 'not finished: .*fedbat_seed1\n$')
    log = self.path / 'fmnist-iid-100-fedbat_seed1.log'
    self.assertIn('--batch_size was 64, now it is 32', log.read_text())

  def test_reports_partial_results(self):
    self._write_run('fmnist/iid/100/fedavg', 1, [0.8] * 99 + [0.92])
    self._write_run('fmnist/iid/100/fedavg', 2, [0.9, 0.93] + [0.5] * 98)
    # It is still running.
    self._write_run('fmnist/iid/100/fedavg', 3, [0.1])
    (self.path / 'fmnist-iid-100-fedavg_seed3.log').write_text('some')
    self._write_run('fmnist/iid/30/fedbat', 1, [0.7, 0.6], '--rho=2')
    status, out, err = self._reproduce('--report')
    self.assertEqual(status, 0, err)
    self.assertEqual(
        self._cells(out),
        {
            'fmnist/iid/100/fedavg': [
                '92.0 ± 0.1', '92.50 ± 0.71', '+0.50', '1.5000', '2', '100',
                '2 of 5 seeds; 1 runs with fewer rounds left out',
            ],
            'fmnist/iid/30/fedbat': [
                '92.5 ± 0.1', '70.00', '-22.50', '1.5000', '1', '2',
                '1 of 5 seeds; 2 of 100 rounds; rho 2.0 (6.0)',
            ],
        },  # pyformat: disable
    )
    self.assertIn('\n2 of 168 cells.', out)
    self.assertFalse((self.path / 'table.md').exists())

  def test_runs_what_is_damaged_again(self):
    chosen = '--cells=fmnist/iid/100/fedavg', '--', *_TINY, '--rounds=3'
    status, out, err = self._reproduce(*chosen)
    self.assertEqual(status, 0, err)
    expected = self._cells(out)
    folder = self.path / 'fmnist-iid-100-fedavg_seed1'
    for name in ('metrics.csv', 'result.json'):
      file = folder / name
      file.write_text(file.read_text()[:-3])
    # Not measured: two rounds would be too few for what it has.
    status, out, err = self._reproduce(*chosen)
    self.assertEqual(status, 0, err)
    self.assertStartsWith(out, '0 of 1 runs are done\n1 runs, 3 rounds (')
    self.assertEqual(self._cells(out), expected)
    # Although the result is whole.
    file = folder / 'metrics.csv'
    file.write_text(file.read_text()[:-3])
    status, out, err = self._reproduce(*chosen)
    self.assertEqual(status, 0, err)
    self.assertStartsWith(out, '0 of 1 runs are done\n')
    self.assertEqual(self._cells(out), expected)

  def test_reports_that_nothing_is_there(self):
    status, out, err = self._reproduce('--report')
    self.assertEqual((status, err), (0, ''))
    self.assertIn('\n0 of 168 cells.', out)

  def test_lists_the_cells_with_their_flags(self):
    status, out, _ = self._reproduce('--list', '--cells=svhn/niid1/30/fedbat')
    self.assertEqual(status, 0)
    self.assertRegex(
        out,
        '\nsvhn/niid1/30/fedbat  91.1 ± 0.1  --.*--task=svhn.*--rho=6',
    )
    status, out, _ = processes.run('reproduce', '--list')
    self.assertEqual(status, 0)
    for name in published.names():
      self.assertIn(f'\n{name}: ', f'\n{out}')

  def test_answers_errors_by_one_line(self):
    for arguments, message in (
        (['--table=x'], '--table=x: .*<fedbat_1|'),
        (['--cells=mnist/*'], 'matches no cell of fedbat_1; they are data set'),
        (['--seeds=0'], '--seeds=0: 0 is not a positive integer'),
        (['--rounds=3'], '--rounds is for the runs: give it after --'),
        (['--runtime=local'], '--runtime is for the runs: give it after --'),
        (['--', '--rouns=3'], "Unknown command line flag 'rouns'"),
        (['--', '--seed=3'], '--seed is set by launchers.reproduce'),
        (['--', '-output_dir', 'x'], '--output_dir is set by launchers.repro'),
        (['--', '--rho=300'], r'--rho=300: it must be a number in \[0, 100\]'),
        (
            ['--cells=*/fedavg', '--', '--rho=3'],
            '--rho=3.0 is a flag of fedbat, .*not of --algorithm=fedavg',
        ),
        (['--', 'x'], "all arguments are flags, got 'x'"),
    ):
      with self.subTest(arguments):
        status, out, err = self._reproduce(*arguments)
        self.assertEqual((status, out, err.count('\n')), (2, '', 1), err)
        self.assertRegex(err, message)
    for arguments, message in (
        ([], '--table must be one of fedbat_1, fedbat_2, '),
        (['--list', '--cells=svhn/*'], '--cells is for the cells of one --table'),
    ):
      status, out, err = processes.run('reproduce', *arguments)
      self.assertEqual((status, out, err.count('\n')), (2, '', 1), err)
      self.assertIn(message, err)


if __name__ == '__main__':
  absltest.main()
