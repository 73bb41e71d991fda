# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of launchers.plot."""

import pathlib
import tempfile

from absl.testing import absltest

from tests.launchers import processes
from tff_binary.programs import metrics


class PlotTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.path = pathlib.Path(folder)
    self.png = self.path / 'curves.png'
    self.runs = []
    for name in ('a', 'b'):
      (self.path / name).mkdir()
      history = metrics.History()
      history.append(
          {
              'round_num': 1,
              'uplink_bytes': 1000,
              'downlink_bytes': 2000,
              'test_accuracy': 0.5,
          }
      )
      history.write(self.path / name)
      self.runs.append(str(self.path / name))

  def _plot(self, *arguments):
    return processes.run('plot', f'--output={self.png}', *arguments)

  def test_draws_runs(self):
    self.assertEqual(
        self._plot(*self.runs, '--labels=A,B'), (0, f'{self.png}\n', '')
    )
    self.assertStartsWith(self.png.read_bytes(), b'\x89PNG')

  def test_draws_a_folder_of_runs(self):
    self.assertEqual(
        self._plot(str(self.path), '--labels=A,B', '--against=total')[0], 0
    )
    self.assertStartsWith(self.png.read_bytes(), b'\x89PNG')

  def test_answers_errors_by_one_line(self):
    for arguments, status, message in (
        ([], 2, 'at least one folder'),
        (['/missing'], 1, '/missing holds no round'),
        ([*self.runs, '--labels=A'], 2, '--labels must be one for each'),
        ([*self.runs, '--labels=A,A'], 2, '--labels must tell'),
        ([self.runs[0], '--against=bits'], 1, 'has no uplink_bits_per_param'),
        ([self.runs[0], '--output=/missing/x.png'], 2, '/missing/x.png'),
        ([self.runs[0], '--against=time'], 2, '--against must be some of'),
    ):
      returncode, out, err = self._plot(*arguments)
      self.assertEqual((returncode, out, err.count('\n')), (status, '', 1), err)
      self.assertIn(message, err)


if __name__ == '__main__':
  absltest.main()
