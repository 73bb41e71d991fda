# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the plot of runs."""

import pathlib
import tempfile

from absl.testing import absltest

from tff_binary import files
from tff_binary.programs import curves
from tff_binary.programs import metrics
from tff_binary.programs import run_folder

_PNG = b'\x89PNG\r\n'


class CurvesTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    self.png = self.path / 'curves.png'

  def _run(self, name, accuracies):
    path = self.path / name
    path.mkdir()
    history = metrics.History()
    for i, accuracy in enumerate(accuracies, start=1):
      history.append(
          {
              'round_num': i,
              'train_accuracy': 0.0,
              'uplink_bytes': 500_000,
              'downlink_bytes': 1_000_000,
              'test_accuracy': accuracy,
          }
      )
    history.write(path)
    return str(path)

  def test_reads_evaluated_rounds_and_cumulative_megabytes(self):
    folder = self._run('a', [None, 0.5, None, 0.75])
    self.assertEqual(
        curves._read_curve(folder),
        ('test_accuracy', ((2, 4), (1.0, 2.0), (3.0, 6.0), (0.5, 0.75))),
    )

  def test_draws_runs_of_different_lengths(self):
    runs = {'A': self._run('a', [0.5, 0.6]), 'B': self._run('b', [0.7])}
    curves.plot_curves(runs, self.png)
    self.assertStartsWith(self.png.read_bytes(), _PNG)

  def test_names_runs_that_monitor_something_else(self):
    other = self.path / 'b'
    other.mkdir()
    history = metrics.History()
    history.append({
        'round_num': 1,
        'uplink_bytes': 1,
        'downlink_bytes': 1,
        'test_loss': 0.5,
    })
    history.write(other)
    self.assertEqual(curves._read_curve(other)[0], 'test_loss')
    with self.assertRaisesRegex(
        run_folder.RunFolderError, f'{other} has test_loss'
    ):
      curves.plot_curves({'A': self._run('a', [0.5]), 'B': other}, self.png)

  def test_names_a_file_that_ends_too_early(self):
    folder = self._run('a', [0.5, 0.6])
    (self.path / 'a' / 'result.json').write_text('{"rounds": 3}')
    with self.assertRaisesRegex(
        files.DamagedFileError, 'metrics.csv is damaged: it has 2 rounds of 3'
    ):
      curves.plot_curves({'A': folder}, self.png)

  def test_names_a_folder_without_a_column(self):
    for name in ('uplink_bytes', 'downlink_bytes'):
      path = self.path / name
      path.mkdir()
      history = metrics.History()
      history.append({'round_num': 1, name: 1, 'test_loss': 0.5})
      history.write(path)
      with self.assertRaisesRegex(
          run_folder.RunFolderError, f'{path} has no .*link_bytes'
      ):
        curves.plot_curves({'A': str(path)}, self.png)

  def test_names_a_folder_without_accuracies(self):
    for folder in (str(self.path / 'missing'), self._run('b', [None])):
      with self.assertRaisesRegex(run_folder.RunFolderError, folder):
        curves.plot_curves({'A': folder}, self.png)
    self.assertFalse(self.png.exists())


if __name__ == '__main__':
  absltest.main()
