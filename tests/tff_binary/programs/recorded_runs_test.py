# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of reading the folders of runs."""

import json
import pathlib
import tempfile

from absl.testing import absltest
from absl.testing import parameterized

from tests.tff_binary.programs import fake_runs
from tff_binary import files
from tff_binary.programs import metrics
from tff_binary.programs import recorded_runs
from tff_binary.programs import run_folder


class RecordedRunsTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))

  def _run(self, name, accuracies):
    path = self.path / name
    fake_runs.write(path, accuracies)
    return path

  def test_reads_evaluated_rounds_and_cumulative_megabytes(self):
    (run,) = recorded_runs.read([self._run('a', [None, 0.5, None, 0.75])])
    self.assertEqual(
        (run.monitor, len(run.rows), run.settings), ('test_accuracy', 4, {})
    )
    self.assertEqual(
        run.points,
        [
            recorded_runs.Point(2, 1.0, 3.0, 0.5),
            recorded_runs.Point(4, 2.0, 6.0, 0.75),
        ],
    )

  @parameterized.parameters(
      # What is best of a user's metric, the run has recorded.
      ('test_error', 'min', True, [0.5], 0.4, 0.6),
      ('test_error', 'min', True, [0.5, 0.5], 0.4, 0.6),
      ('test_recall', 'max', True, [0.5], 0.6, 0.4),
      ('test_loss', 'max', True, [0.5], 0.6, 0.4),
      # What is best of a loss or an accuracy is known.
      ('test_loss', None, True, [0.5], 0.4, 0.6),
      ('test_loss', None, False, [0.5, 0.5], 0.4, 0.6),
      ('test_accuracy', None, False, [0.5], 0.6, 0.4),
      # Else it follows from the values.
      ('test_error', 'min', False, [0.5, 0.7], 0.4, 0.6),
      ('test_recall', 'max', False, [0.5, 0.4], 0.6, 0.4),
  )
  def test_a_target_is_reached_from_the_worse_side(
      self, monitor, mode, is_recorded, values, missed, reached
  ):
    history = metrics.History(monitor=monitor, mode=mode)
    for i, value in enumerate(values, start=1):
      history.append({
          'round_num': i,
          monitor: value,
          'uplink_bytes': 500_000,
          'downlink_bytes': 1_000_000,
      })
    path = self.path / 'a'
    path.mkdir()
    history.write(path)
    if is_recorded:
      settings = {'flags': {'a': 1}, 'arguments': {'mode': mode}}
      (path / 'config.json').write_text(json.dumps(settings))
    ((run,),) = [c.runs for c in recorded_runs.read_configurations([path])]
    self.assertIsNone(run.megabytes_to(missed))
    self.assertEqual(run.megabytes_to(reached), 1.5)
    self.assertEqual(run.megabytes_to(0.5), 1.5)

  def test_finds_runs_in_a_folder_of_runs(self):
    b, a = self._run('many/b', [0.5]), self._run('many/a', [0.5])
    (self.path / 'many' / 'not_begun').mkdir()
    (self.path / 'many' / 'a.log').touch()
    missing = self.path / 'missing'
    self.assertEqual(
        recorded_runs.find([b, str(self.path / 'many'), missing]),
        [b, a, missing],
    )

  def test_names_are_as_long_as_they_must_be(self):
    self.assertEqual(recorded_runs.names(['x/a', 'y/b/']), ['a', 'b'])
    self.assertEqual(recorded_runs.names(['x/a', 'y/a']), ['x/a', 'y/a'])
    self.assertEqual(recorded_runs.names([]), [])

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
    self.assertEqual(recorded_runs.read([other])[0].monitor, 'test_loss')
    with self.assertRaisesRegex(
        run_folder.RunFolderError, f'{other} has test_loss'
    ):
      recorded_runs.read([self._run('a', [0.5]), other])

  def test_names_a_file_that_ends_too_early(self):
    folder = self._run('a', [0.5, 0.6])
    (folder / 'result.json').write_text('{"rounds": 3}')
    with self.assertRaisesRegex(
        files.DamagedFileError, 'metrics.csv is damaged: it has 2 rounds of 3'
    ):
      recorded_runs.read([folder])

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
        recorded_runs.read([path])

  def test_names_a_folder_without_accuracies(self):
    for folder in (self.path / 'missing', self._run('b', [None])):
      with self.assertRaisesRegex(run_folder.RunFolderError, str(folder)):
        recorded_runs.read([folder])


if __name__ == '__main__':
  absltest.main()
