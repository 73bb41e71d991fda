# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of run folders."""

import errno
import fcntl
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

from tff_binary import files
from tff_binary.programs import run_folder


class RunFolderTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.path = pathlib.Path(folder) / 'run'

  def test_takes_missing_and_empty_folders(self):
    with run_folder.RunFolder(self.path):
      self.assertTrue(self.path.is_dir())
    with run_folder.RunFolder(self.path):
      pass

  def test_refuses_a_folder_of_something_else(self):
    self.path.mkdir()
    (self.path / 'thesis.tex').touch()
    with self.assertRaisesRegex(run_folder.RunFolderError, 'has thesis.tex'):
      run_folder.RunFolder(self.path).__enter__()
    self.assertEqual(os.listdir(self.path), ['thesis.tex'])

  def _write(self, contents):
    for name, text in contents.items():
      (self.path / name).parent.mkdir(parents=True, exist_ok=True)
      (self.path / name).write_text(text)

  @parameterized.named_parameters(
      ('config', {'config.json': '{"model_type": "bert"}'}),
      ('environment', {'config.json': '{"environment": "CartPole"}'}),
      ('versions', {'config.json': '{"environment": {"versions": {}}}'}),
      ('list', {'config.json': '["tff_binary"]'}, 'config.json is damaged: it'),
      ('yaml', {'config.json': 'model: bert'}, 'config.json is damaged: '),
      ('checkpoints', {'checkpoints/mine.pt': ''}),
      ('best', {'checkpoints/round_best.npz': ''}),
      (
          'all',
          {
              'config.json': '{"model_type": "bert"}',
              'checkpoints/mine.pt': '',
              'client_data/patients.csv': '',
          },
      ),
  )
  def test_refuses_a_folder_of_another_program(
      self, contents, message='is not empty and holds no run'
  ):
    self._write(contents)
    before = sorted(self.path.rglob('*'))
    with self.assertRaisesRegex(
        run_folder.RunFolderError, f'{message}.* choose'
    ):
      run_folder.RunFolder(self.path).__enter__()
    self.assertEqual(sorted(self.path.rglob('*')), before)

  @parameterized.named_parameters(
      ('start', {'.lock': '', 'worker.log': '', '.tmp_config.json': '{'}),
      ('without_config', {'checkpoints/round_3.npz': ''}),
      (
          'damaged_config',
          {'checkpoints/round_3.npz': '', 'config.json': '{', 'models': ''},
      ),
  )
  def test_takes_what_a_killed_run_has_left(self, contents):
    self._write(contents)
    (self.path / 'checkpoints').mkdir(exist_ok=True)
    with run_folder.RunFolder(self.path):
      pass

  def test_takes_a_run_without_checkpoints(self):
    with run_folder.RunFolder(self.path) as folder:
      folder.write_settings({})
    (self.path / 'model.keras').touch()
    with run_folder.RunFolder(self.path):
      pass

  def test_refuses_a_file(self):
    self.path.touch()
    with self.assertRaisesRegex(run_folder.RunFolderError, 'run: .*exists'):
      run_folder.RunFolder(self.path).__enter__()

  def test_refuses_a_name_that_no_file_can_have(self):
    for name in ('a\0b', 300 * 'x'):
      with self.assertRaisesRegex(run_folder.RunFolderError, 'cannot use'):
        run_folder.RunFolder(self.path / name).__enter__()

  def test_locks_out_other_processes(self):
    enter = (
        'import sys; from tff_binary.programs import run_folder\n'
        'run_folder.RunFolder(sys.argv[1]).__enter__()'
    )
    command = [sys.executable, '-c', enter, str(self.path)]
    with run_folder.RunFolder(self.path):
      second = subprocess.run(command, capture_output=True, text=True)
    self.assertIn('another process is training in', second.stderr)
    self.assertEqual(subprocess.run(command).returncode, 0)

  def test_names_a_folder_that_cannot_be_locked(self):
    error = OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    with mock.patch.object(fcntl, 'flock', side_effect=error):
      with self.assertRaisesRegex(
          run_folder.RunFolderError,
          f'^cannot lock {self.path}: No locks available; choose a folder on',
      ):
        run_folder.RunFolder(self.path).__enter__()

  def test_records_settings_and_environment(self):
    with run_folder.RunFolder(self.path) as folder:
      folder.write_settings({'flags': {'seed': 1}})
    config = json.loads((self.path / 'config.json').read_text())
    self.assertEqual(config['flags'], {'seed': 1})
    self.assertIn('tensorflow', config['environment']['versions'])
    self.assertIn('git_revision', config['environment'])

  @parameterized.named_parameters(
      ('value', {'seed': 2, 'rounds': 9}, '--seed was 1, now it is 2'),
      ('fewer_rounds', {'seed': 1, 'rounds': 8}, '--rounds was 9.* go up'),
  )
  def test_names_the_changed_setting(self, flags, message):
    folder = run_folder.RunFolder(self.path)
    with self.assertRaisesRegex(run_folder.RunFolderError, message):
      folder.check_settings(
          {'flags': flags}, {'flags': {'seed': 1, 'rounds': 9}}
      )

  def test_takes_settings_of_another_version(self):
    folder = run_folder.RunFolder(self.path)
    old = {'flags': {'seed': 1, 'old': 0}}
    folder.check_settings({'flags': {'seed': 1, 'new': 0}}, old)
    folder.check_settings({'flags': {'seed': 1}, 'options': {'new': 0}}, old)

  @parameterized.parameters(
      ({'a': 1}, {}, 'a was 1, now it is "default"'),
      ({}, {'a': 1}, 'a was "default", now it is 1'),
  )
  def test_an_option_that_is_not_there_has_its_default(self, old, new, message):
    folder = run_folder.RunFolder(self.path)
    with self.assertRaisesRegex(run_folder.RunFolderError, message):
      folder.check_settings(
          {run_folder.OPTIONS: new}, {run_folder.OPTIONS: old}
      )

  def test_lets_rounds_go_up_and_free_settings_change(self):
    run_folder.RunFolder(self.path).check_settings(
        {'flags': {'rounds': 10, 'data_dir': 'b'}},
        {'flags': {'rounds': 9, 'data_dir': 'a'}},
        ['data_dir'],
    )

  def test_result_round_trips(self):
    with run_folder.RunFolder(self.path) as folder:
      self.assertIsNone(folder.read_result())
      folder.write_result({'rounds': 3})
      self.assertEqual(folder.read_result(), {'rounds': 3})

  @parameterized.parameters('config.json', 'result.json')
  def test_names_a_cut_file(self, name):
    with run_folder.RunFolder(self.path) as folder:
      folder.write_settings({'flags': {'seed': 1}})
      folder.write_result({'rounds': 3})
    whole = (self.path / name).read_text()
    for contents in ('', whole[: len(whole) // 2], '[]', '\0' * 20):
      (self.path / name).write_text(contents)
      with self.assertRaisesRegex(
          run_folder.RunFolderError,
          f'^[^\n]*{name} is damaged: [^\n]*; restore it from a copy or choose',
      ):
        with run_folder.RunFolder(self.path) as folder:
          folder.read_settings()
          folder.read_result()

  def test_names_the_first_number_that_a_result_has_wrong(self):
    with run_folder.RunFolder(self.path) as folder:
      folder.write_result({'rounds': 3, 'last_test_loss': float('nan')})
      folder.check_result({'rounds': 3, 'last_test_loss': float('nan')})
      with self.assertRaisesRegex(
          files.DamagedFileError, 'rounds is 3, by the rounds it is 4'
      ):
        folder.check_result({'rounds': 4})

  @parameterized.named_parameters(
      ('errno', OSError(errno.ENOSPC, 'full')),
      ('quota', OSError(errno.EDQUOT, 'full')),
      ('tensorflow', RuntimeError('write failed: No space left on device')),
      ('numpy', OSError('9216 requested and 4096 written')),
  )
  def test_names_the_folder_of_a_full_disk(self, error):
    with self.assertRaisesRegex(
        run_folder.RunFolderError, f'disk is full: .* {self.path}'
    ):
      with run_folder.RunFolder(self.path):
        raise error

  def test_passes_other_errors_on(self):
    with self.assertRaisesRegex(ValueError, 'other'):
      with run_folder.RunFolder(self.path):
        raise ValueError('other')


if __name__ == '__main__':
  absltest.main()
