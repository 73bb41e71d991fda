# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of checkpoints."""

import collections
import os
import pathlib
import shutil
import tempfile
from unittest import mock

from absl.testing import absltest
import numpy as np

from tff_binary import files
from tff_binary.programs import checkpoints
from tff_binary.programs import run_folder


def _notes(round_num):
  return {'history': [{'round_num': i + 1} for i in range(round_num)]}


def _state(value):
  return collections.OrderedDict(
      weights=[np.full([3], value, np.float32)], round_num=np.int32(value)
  )


class CheckpointsTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.path = pathlib.Path(folder) / 'checkpoints'
    self.said = []

  def _save(self, *round_nums):
    saved = checkpoints.Checkpoints(self.path)
    for round_num in round_nums:
      saved.save(_state(round_num), round_num, _notes(round_num))

  def _newest(self):
    return checkpoints.Checkpoints(self.path).newest(self.said.append)

  def test_starts_without_any(self):
    self.assertIsNone(self._newest())

  def test_keeps_two_and_reads_the_newest(self):
    self._save(*range(1, 12))
    self.assertLen(list(self.path.iterdir()), 2)
    checkpoint = self._newest()
    self.assertEqual(checkpoint.round_num, 11)
    self.assertEqual(checkpoint.notes, _notes(11))
    state = checkpoint.state(_state(0))
    self.assertEqual(list(state['weights'][0]), [11.0, 11.0, 11.0])
    self.assertEqual(state['round_num'], 11)
    self.assertEmpty(self.said)

  def test_survives_a_save_that_was_cut_off(self):
    self._save(1)
    # The last step makes the checkpoint visible.
    with mock.patch.object(os, 'replace', side_effect=SystemError):
      with self.assertRaises(SystemError):
        self._save(2)
    self.assertEqual(self._newest().round_num, 1)
    self._save(2)
    self.assertEqual(self._newest().round_num, 2)
    self.assertLen(list(self.path.iterdir()), 2)

  def test_goes_back_to_the_round_before_and_says_so(self):
    for contents in (b'', b'garbage', None):
      self.said.clear()
      self._save(1, 2)
      newest = self.path / 'round_2.npz'
      whole = newest.read_bytes()
      newest.write_bytes(whole[:1000] if contents is None else contents)
      self.assertEqual(self._newest().round_num, 1)
      (line,) = self.said
      self.assertStartsWith(line, f'{newest} is damaged: ')
      self.assertEndsWith(line, '; going back to round 1')
      # Nothing is lost by looking.
      newest.write_bytes(whole)
      self.assertEqual(self._newest().round_num, 2)

  def test_a_copy_under_another_name_is_damage(self):
    self._save(1, 2)
    for name in ('round_8.npz', 'round_9.npz'):
      shutil.copy(self.path / 'round_1.npz', self.path / name)
    self.assertEqual(self._newest().round_num, 2)
    self.assertEqual(
        self.said[0],
        f'{self.path}/round_9.npz is damaged: it is of round 1; going back to'
        ' round 2',
    )
    # They do not take the place of those that a resume needs.
    self._save(3)
    self.assertEqual(self._newest().round_num, 3)
    (self.path / 'round_3.npz').unlink()
    self.assertEqual(self._newest().round_num, 2)

  def test_a_file_of_something_else_is_damage(self):
    self._save(1)
    for metadata in ({}, ['2', 2], {'round_num': 2}, None):
      self.said.clear()
      files.write_arrays(self.path / 'round_2.npz', [np.zeros(3)], metadata)
      self.assertEqual(self._newest().round_num, 1)
      self.assertIn('round_2.npz is damaged: it is no ch', self.said[0])

  def test_names_the_newest_if_all_are_damaged(self):
    self._save(1, 2)
    for path in self.path.iterdir():
      path.write_bytes(b'')
    with self.assertRaisesRegex(
        run_folder.RunFolderError,
        f'^{self.path}/round_2.npz is damaged: .* no older .* is whole; '
        f'restore it .* move {self.path} away to train from round 1$',
    ):
      self._newest()

  def test_refuses_programs_of_earlier_versions(self):
    (self.path / 'round_2').mkdir(parents=True)
    (self.path / 'round_2' / 'saved_model.pb').touch()
    with self.assertRaisesRegex(
        run_folder.RunFolderError, 'round_2 is .* of format 1, of tff_bin.* 0.1'
    ):
      self._newest()

  def test_refuses_later_formats_and_other_trainings(self):
    self._save(2)
    with self.assertRaisesRegex(
        run_folder.RunFolderError, 'round_2.npz is not of this training: it'
    ):
      self._newest().state({'weights': np.zeros(3)})
    with mock.patch.object(checkpoints, '_FORMAT', 3):
      self._save(3)
    with self.assertRaisesRegex(
        run_folder.RunFolderError, 'round_3.npz has format 3, .* reads 2;'
    ):
      self._newest()


if __name__ == '__main__':
  absltest.main()
