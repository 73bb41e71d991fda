# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Folders for Unix sockets."""

import contextlib
import fcntl
import os
import pathlib
import shutil
import stat
import tempfile

# Linux's: a socket's path has 108 bytes, of which the last is zero.
MAX_PATH_BYTES = 107

_PREFIX = 'tff_binary_'
_LOCK = 'lock'


class SocketFolder:
  """A folder in the temporary folder that is this user's alone.

  The owner holds a lock on a file in it for as long as it lives. Folders whose
  owners were killed are removed by those who make the next one.
  """

  def __init__(self):
    """Makes the folder, in /tmp if `TMPDIR` is too long for a socket's path."""
    parent = tempfile.gettempdir()
    longest = os.path.join(parent, f'{_PREFIX}xxxxxxxx', 'worker.sock')
    if len(os.fsencode(longest)) > MAX_PATH_BYTES:
      parent = '/tmp'
    _remove_abandoned(parent)
    self._path = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
    # Under another name until it is locked: nobody shall take it for abandoned.
    new = os.path.join(self._path, 'new')
    self._lock = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    with contextlib.suppress(OSError):  # Some file systems have no locks.
      fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
      os.rename(new, os.path.join(self._path, _LOCK))

  def address(self, name):
    """Returns the address of a socket, of at most 11 characters, for gRPC."""
    return f'unix:{self._path}/{name}'

  def close(self):
    """Removes the folder; does nothing the second time."""
    if self._lock is not None:
      shutil.rmtree(self._path, ignore_errors=True)
      os.close(self._lock)
      self._lock = None


def _remove_abandoned(parent):
  """Removes this user's folders whose owners are gone."""
  for folder in pathlib.Path(parent).glob(f'{_PREFIX}*'):
    # Not the others', which one may be unable to read, and no links.
    with contextlib.suppress(OSError):
      status = folder.lstat()
      if status.st_uid != os.geteuid() or not stat.S_ISDIR(status.st_mode):
        continue
      lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
      try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
      finally:
        os.close(lock)
