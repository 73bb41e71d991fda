# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the plot of runs."""

import pathlib
import struct
import tempfile

from absl.testing import absltest

from tests.tff_binary.programs import fake_runs
from tff_binary.programs import curves
from tff_binary.programs import run_folder

_PNG = b'\x89PNG\r\n'


class CurvesTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    self.png = self.path / 'curves.png'

  def _run(self, name, accuracies):
    path = self.path / name
    fake_runs.write(path, accuracies)
    return str(path)

  def test_draws_runs_of_different_lengths(self):
    runs = {'A': self._run('a', [0.5, 0.6]), 'B': self._run('b', [0.7])}
    curves.plot_curves(runs, self.png)
    self.assertStartsWith(self.png.read_bytes(), _PNG)

  def test_draws_what_is_asked_for(self):
    runs = {'A': self._run('a', [0.5, 0.6])}
    widths = []
    for against in (['total'], ['rounds', 'uplink'], list(curves.AXES)):
      curves.plot_curves(runs, self.png, against)
      widths.append(struct.unpack('>I', self.png.read_bytes()[16:20])[0])
    self.assertEqual(widths, sorted(set(widths)))
    for against in ([], ['time']):
      with self.assertRaisesRegex(ValueError, 'against must be some of rounds'):
        curves.plot_curves(runs, self.png, against)

  def test_writes_nothing_of_a_folder_without_accuracies(self):
    with self.assertRaisesRegex(run_folder.RunFolderError, 'no round'):
      curves.plot_curves({'A': self._run('b', [None])}, self.png)
    self.assertFalse(self.png.exists())


if __name__ == '__main__':
  absltest.main()
