# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of launchers.analyze, on what launchers.train writes."""

import os
import pathlib
import tempfile

from absl.testing import absltest

from tests.launchers import in_process
from tests.launchers import processes


class AnalyzeTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))

  def test_analyzes_a_run(self):
    run = self.path / 'fedbif'
    in_process.train(
        task='digits',
        train_examples=120,
        num_clients=4,
        clients_per_round=2,
        local_epochs=1,
        rounds=2,
        algorithm='fedbif',
        kernel_initializer='kaiming',
        runtime='local',
        keep_models_every=1,
        observe_updates=True,
        output_dir=str(run),
    )
    folder = self.path / 'analysis'
    status, out, err = processes.run(
        'analyze', str(run), '--labels=FedBiF', f'--output_dir={folder}'
    )
    self.assertEqual((status, err), (0, ''))
    names = (
        'lipschitz_bound', 'sparsity', 'downlink_sparsity', 'step_size',
        'flipped_bits', 'histograms',
    )  # pyformat: disable
    self.assertCountEqual(
        os.listdir(folder),
        [f'{name}.{ending}' for name in names for ending in ('csv', 'png')],
    )
    self.assertRegex(out, r'\| FedBiF \| lipschitz_bound \| 0\.\.2 \|')
    self.assertRegex(out, r'\| FedBiF \| flipped_bits \| 1\.\.2 \|')
    self.assertEndsWith(out, f'files in {folder}\n')

  def test_answers_by_one_line(self):
    for arguments, status, message in (
        ([], 2, 'name at least one folder of a run'),
        (['a', '--labels=x,y'], 2, '--labels must hold one label'),
        (['a', 'b', '--labels=x,x'], 2, '--labels must tell the runs apart'),
        ([str(self.path)], 1, f'{self.path} holds no finished run'),
    ):
      done = processes.run('analyze', *arguments)
      self.assertEqual((done[0], done[1], done[2].count('\n')), (status, '', 1))
      self.assertIn(message, done[2])


if __name__ == '__main__':
  absltest.main()
