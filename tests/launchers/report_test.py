# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of launchers.report."""

import json
import pathlib
import tempfile

from absl.testing import absltest

from launchers import runs
from tests.launchers import processes
from tff_binary.programs import metrics

_ROW = {
    'round_num': 1,
    'test_accuracy': 0.5,
    'uplink_bytes': 1000,
    'downlink_bytes': 2000,
    'uplink_bits_per_param': 1.0,
    'downlink_bits_per_param': 2.0,
    'uplink_bits_per_param_total': 3.0,
    'downlink_bits_per_param_total': 4.0,
    'round_seconds': 0.5,
}


class ReportTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.path = pathlib.Path(folder)
    self.page = self.path / 'report.html'
    self.sweep = self.path / 'sweep'
    for name, seed, cores in (('a', 1, 1), ('a', 2, 2), ('b', 1, 1)):
      run = pathlib.Path(runs.Setting(name, ()).folder(self.sweep, seed))
      run.mkdir(parents=True)
      history = metrics.History()
      history.append(_ROW)
      history.write(run)
      flags = {
          'algorithm': name,
          'seed': seed,
          'output_dir': str(run),
          'max_concurrent_clients': cores,
      }
      (run / 'config.json').write_text(json.dumps({'flags': flags}))

  def _report(self, *arguments):
    return processes.run('report', f'--output={self.page}', *arguments)

  def test_writes_a_page_about_a_sweep(self):
    answer = self._report(str(self.sweep), '--labels=First,Second')
    self.assertEqual(answer, (0, f'{self.page}\n', ''))
    text = self.page.read_text()
    self.assertIn('Test accuracy of 2 configurations', text)
    for name in ('First', 'Second', 'a_<wbr>seed2'):
      self.assertIn(name, text)
    self.assertNotIn('max_<wbr>concurrent', text)  # Does not change a result.

  def test_answers_errors_by_one_line(self):
    for arguments, status, message in (
        ([], 2, 'at least one folder'),
        (['/missing'], 1, '/missing holds no round'),
        ([str(self.path)], 1, f'{self.path} holds no round'),
        ([str(self.sweep), '--labels=A'], 2, '--labels must be one for each'),
        ([str(self.sweep), '--target=88'], 2, '--target must be a number in'),
        ([str(self.sweep), '--rounds=1'], 2, 'Unknown command line flag'),
        ([str(self.sweep), '--output=/missing/x'], 2, '/missing/x'),
    ):
      returncode, out, err = self._report(*arguments)
      self.assertEqual((returncode, out, err.count('\n')), (status, '', 1), err)
      self.assertIn(message, err)


if __name__ == '__main__':
  absltest.main()
