# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The folder of one run: its lock, its settings and files written whole."""

import contextlib
import errno
import fcntl
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

import tff_binary
from tff_binary import files

_LOCK = '.lock'
_CONFIG = 'config.json'
_RESULT = 'result.json'
_LOG = 'worker.log'
_CHECKPOINTS = 'checkpoints'

# The names of the files in checkpoints/, with the number of the round.
CHECKPOINT = re.compile(r'round_(\d+)\.npz')

# The section of the settings whose values are left out where they are defaults.
OPTIONS = 'options'

_PACKAGES = ('tensorflow', 'tensorflow-federated', 'keras', 'numpy')


class RunFolderError(Exception):
  """The folder cannot be used; the message says why and what to do."""


class RunFolder:
  """A folder that belongs to one run and, while open, to one process.

  A context manager: entering creates the folder and locks it. The kernel drops
  the lock when the process ends, however it ends. An exception in the block
  that means a full disk or a damaged file becomes a `RunFolderError` that names
  the folder or the file.

  Attributes:
    path: The absolute `pathlib.Path` of the folder.
  """

  def __init__(self, path):
    """Initializes the folder without touching it.

    Args:
      path: The folder, which may not exist yet. One that exists is empty or
        holds an earlier start of the same run.
    """
    self.path = pathlib.Path(path).absolute()
    self._lock = None

  @property
  def log_path(self):
    """The file for what TensorFlow and the worker have to say."""
    return self.path / _LOG

  def __enter__(self):
    try:
      self.path.mkdir(parents=True, exist_ok=True)
      self._check_contents()
      self._lock = open(self.path / _LOCK, 'a')
    except (OSError, files.DamagedFileError) as e:
      self._raise_explained(e)
      raise RunFolderError(f'cannot use {self.path}: {e.strerror}') from e
    except ValueError as e:  # A name that no file can have.
      raise RunFolderError(f'cannot use {str(self.path)!r}: {e}') from e
    try:
      fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
      self._lock.close()
      if isinstance(e, BlockingIOError):
        raise RunFolderError(
            f'another process is training in {self.path}; wait for it or choose'
            ' another folder'
        ) from e
      # Some network file systems have no locks.
      raise RunFolderError(
          f'cannot lock {self.path}: {e.strerror}; choose a folder on another'
          ' file system'
      ) from e
    return self

  def __exit__(self, unused_exc_type, exc, unused_traceback):
    self._lock.close()
    if exc is not None:
      self._raise_explained(exc)

  def _raise_explained(self, error):
    """Raises a `RunFolderError` if a disk is full or a file is damaged."""
    if isinstance(error, files.DamagedFileError):
      raise RunFolderError(
          f'{error}; restore it from a copy or choose another folder'
      ) from error
    if is_disk_full(error):
      raise RunFolderError(
          f'the disk is full: cannot write to {self.path}; free some space,'
          ' then run the same again to resume'
      ) from error

  def _check_contents(self):
    """Refuses a folder that holds anything but a run."""
    # Other programs have folders and files of these names too.
    saved = [p.name for p in (self.path / _CHECKPOINTS).glob('*')]
    if any(map(CHECKPOINT.fullmatch, saved)):
      return
    if _is_of_run(self.read_settings()):
      return
    started = {_LOCK, _LOG, f'.tmp_{_CONFIG}'}
    if not saved:
      started.add(_CHECKPOINTS)
    foreign = sorted({p.name for p in self.path.iterdir()} - started)
    if foreign:
      raise RunFolderError(
          f'{self.path} is not empty and holds no run (it has {foreign[0]});'
          ' choose a new or empty folder'
      )

  def read_settings(self):
    """Returns the contents of config.json, or None if there is no file.

    Raises:
      DamagedFileError: If the file is not whole.
    """
    return self._read_json(_CONFIG)

  def check_settings(self, settings, earlier, may_change=()):
    """Checks the settings against those of an earlier start.

    Args:
      settings: A dict of sections, each a dict of what JSON can hold. All of it
        decides the run's result.
      earlier: The settings of an earlier start, or None.
      may_change: Names of settings that may differ. `rounds` may too, but only
        upwards.

    Raises:
      RunFolderError: If another setting differs, naming it.
    """
    if earlier is not None:
      _check_unchanged(
          earlier, json.loads(json.dumps(settings)), may_change, self.path
      )

  def write_settings(self, settings):
    """Writes config.json, the settings and a section `environment`."""
    self._write_json(_CONFIG, {**settings, 'environment': _environment()})

  def write_result(self, result):
    """Writes result.json, which says that `result['rounds']` are done."""
    self._write_json(_RESULT, result)

  def read_result(self):
    """Returns the contents of result.json, or None if there is no file.

    Raises:
      DamagedFileError: If the file is not whole.
    """
    return self._read_json(_RESULT)

  def check_result(self, summary):
    """Raises a `DamagedFileError` if result.json has not this summary in it."""
    result = self.read_result()
    for name, value in summary.items():
      # As text: NaN is equal to NaN.
      if json.dumps(result.get(name)) != json.dumps(value):
        raise files.DamagedFileError(
            self.path / _RESULT,
            f'{name} is {result.get(name)}, by the rounds it is {value}',
        )

  def _write_json(self, name, value):
    with files.atomic_write(self.path / name) as path:
      path.write_text(json.dumps(value, indent=2) + '\n', encoding='utf-8')

  def _read_json(self, name):
    path = self.path / name
    return files.read_json(path, dict) if path.exists() else None


def _is_of_run(settings):
  """Returns whether `RunFolder.write_settings` has written what was read."""
  try:
    return 'tff_binary' in settings['environment']['versions']
  except (KeyError, TypeError):
    return False


def _check_unchanged(old, new, may_change, path):
  """Raises a `RunFolderError` if the settings are of another run."""
  # A section that only one of them has is of another version.
  for section in [s for s in new if s in old]:
    before, values = old[section], new[section]
    # A flag is named as the user types it.
    prefix = '--' if section == 'flags' else ''
    names = before.keys() & values.keys()
    if section == OPTIONS:
      # Those that are not there have their defaults.
      names = before.keys() | values.keys()
    for name in sorted(names - {*may_change}):
      was, now = before.get(name, 'default'), values.get(name, 'default')
      if was == now:
        continue
      if name == 'rounds':
        if now > was:
          continue
        hint = 'rounds can only go up'
      else:
        hint = 'restore it or choose another folder'
      raise RunFolderError(
          f'{path} holds a run with other settings: {prefix}{name} was'
          f' {json.dumps(was)}, now it is {json.dumps(now)}; {hint}'
      )


def is_disk_full(error):
  """Returns whether an exception says, in any form, that the disk is full."""
  # TensorFlow and HDF5 only pass on the system's message, NumPy not even that.
  return getattr(error, 'errno', None) in (errno.ENOSPC, errno.EDQUOT) or any(
      re.search(pattern, str(error), re.IGNORECASE)
      for pattern in (os.strerror(errno.ENOSPC), r'requested and \d+ written')
  )


def _environment():
  """Returns the versions and the command, for the record."""
  versions = {'python': platform.python_version()}
  versions['tff_binary'] = tff_binary.__version__
  for package in _PACKAGES:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
      versions[package] = importlib.metadata.version(package)
  return {
      'versions': versions,
      'git_revision': _git_revision(),
      'command': sys.argv,
  }


def _git_revision():
  """Returns the checkout's commit, '-dirty' if changed, None without one."""
  folder = pathlib.Path(tff_binary.__file__).parent
  command = ['git', 'describe', '--always', '--dirty', '--abbrev=40']
  with contextlib.suppress(OSError, subprocess.SubprocessError):
    # An installed package may lie inside somebody else's checkout.
    for arguments in (['git', 'ls-files', '--error-unmatch', '.'], command):
      done = subprocess.run(
          arguments, cwd=folder, capture_output=True, text=True, check=True
      )
    return done.stdout.strip()
  return None
