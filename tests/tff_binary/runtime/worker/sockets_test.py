# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for sockets."""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
from unittest import mock

from absl.testing import absltest

from tff_binary.runtime.worker import sockets

_ROOT = pathlib.Path(__file__).resolve().parents[4]

# Says that it has a folder and waits to be killed.
_PROGRAM = """
from tff_binary.runtime.worker import sockets
folder = sockets.SocketFolder()
print(folder.address(''), flush=True)
input()
"""


class SocketFolderTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._parent = self.enter_context(tempfile.TemporaryDirectory())

  def _folder(self, parent=None):
    with mock.patch.object(tempfile, 'tempdir', parent or self._parent):
      folder = sockets.SocketFolder()
    self.addCleanup(folder.close)
    return folder

  def _path(self, folder):
    return pathlib.Path(folder.address('').removeprefix('unix:'))

  def test_folder_is_this_user_s_alone_and_goes(self):
    folder = self._folder()
    path = self._path(folder)
    self.assertEqual(path.stat().st_mode & 0o777, 0o700)
    folder.close()
    folder.close()
    self.assertEmpty(os.listdir(self._parent))

  def test_sockets_fit_whatever_the_temporary_folder(self):
    for length in (1, 60, 100, 200):
      with self.subTest(length):
        parent = os.path.join(self._parent, length * 'x')
        os.mkdir(parent)
        address = self._folder(parent).address('worker.sock')
        with socket.socket(socket.AF_UNIX) as listener:
          listener.bind(address.removeprefix('unix:'))

  def test_folders_of_killed_owners_are_removed_and_no_others(self):
    process = subprocess.Popen(
        [sys.executable, '-c', _PROGRAM],
        cwd=_ROOT,
        env={**os.environ, 'TMPDIR': self._parent},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    self.addCleanup(process.stdout.close)
    self.addCleanup(process.stdin.close)
    theirs = pathlib.Path(process.stdout.readline().strip()[len('unix:') :])
    mine = self._path(self._folder())
    # Made by something else, or about to be locked.
    unlocked = pathlib.Path(self._parent, 'tff_binary_other')
    unlocked.mkdir()
    elsewhere = pathlib.Path(tempfile.mkdtemp(), 'lock')
    self.addCleanup(elsewhere.parent.rmdir)
    self.addCleanup(elsewhere.unlink)
    elsewhere.touch()
    link = pathlib.Path(self._parent, 'tff_binary_link')
    link.symlink_to(elsewhere.parent)
    kept = [mine, unlocked, link, elsewhere]
    self._folder()
    self.assertTrue(theirs.exists(), 'The owner was there.')
    process.kill()
    process.wait()
    with mock.patch.object(os, 'geteuid', lambda: os.getuid() + 1):
      self._folder()
    self.assertTrue(theirs.exists(), 'It was not the own.')
    self._folder()
    self.assertFalse(theirs.exists())
    self.assertTrue(all(path.exists() for path in kept))


if __name__ == '__main__':
  absltest.main()
