# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of launchers.quickstart."""

import pathlib
import tempfile

from absl.testing import absltest

from tests.launchers import processes


class QuickstartTest(absltest.TestCase):

  def test_compares_fedavg_and_fedbat(self):
    path = self.enter_context(tempfile.TemporaryDirectory())
    status, out, err = processes.run(
        'quickstart', f'--output_dir={path}', '--rounds=2'
    )
    self.assertEqual(status, 0, err)
    self.assertRegex(out, r'FedAvg +0\.\d{4} +32\.0000 +32\.0000 +1,733,280 ')
    self.assertRegex(out, r'FedBAT +0\.\d{4} +1\.0045 +32\.0000 +84,320 ')
    # Nothing but the progress reaches the terminal.
    self.assertLen(err.splitlines(), 4)
    png = pathlib.Path(path) / 'curves.png'
    self.assertIn(str(png), out)
    self.assertStartsWith(png.read_bytes(), b'\x89PNG')


if __name__ == '__main__':
  absltest.main()
