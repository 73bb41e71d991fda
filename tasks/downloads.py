# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Official files: found in a folder or downloaded, whole and checked."""

import contextlib
import hashlib
import http.client
import os
import tempfile
import urllib.request

import numpy as np

_TIMEOUT_SECONDS = 30
# By the number of hexadecimal digits.
_CHECKSUMS = {32: ('MD5', hashlib.md5), 64: ('SHA-256', hashlib.sha256)}


def cache_folder(cache_dir, name):
  """Creates the folder of a data set in the cache.

  Args:
    cache_dir: The cache's folder; `tff_binary` in `$XDG_CACHE_HOME` or
      `~/.cache` if None.
    name: The folder's name in it.

  Returns:
    The folder's path.
  """
  if cache_dir is None:
    cache_home = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    cache_dir = os.path.join(cache_home, 'tff_binary')
  folder = os.path.join(os.path.expanduser(cache_dir), name)
  os.makedirs(folder, exist_ok=True)
  return folder


def data_folders(data_dir, name):
  """Returns the folders in which a data set's files may lie.

  Args:
    data_dir: The folder that the user names.
    name: The name of a folder of the files in it.

  Returns:
    The paths of that folder, which need not exist, and of `data_dir`.

  Raises:
    FileNotFoundError: If `data_dir` is no folder.
  """
  data_dir = os.path.expanduser(data_dir)
  if not os.path.isdir(data_dir):
    raise FileNotFoundError(f'data_dir {data_dir} is not an existing folder')
  return os.path.join(data_dir, name), data_dir


def find(folders, *names):
  """Returns the first path of a file of one of these names; None if none."""
  for folder in folders:
    for name in names:
      path = os.path.join(folder, name)
      if os.path.isfile(path):
        return path
  return None


def read(path):
  """Returns a file's bytes."""
  with open(path, 'rb') as file:
    return file.read()


def check_official(data, name, digest, origin, remedy=''):
  """Raises a `ValueError` unless the bytes are those of an official file.

  Args:
    data: The contents of a file.
    name: The name of the official file.
    digest: Its checksum in hexadecimal digits: SHA-256, or MD5 where no other
      is published, told apart by their lengths.
    origin: Where `data` comes from, for the message.
    remedy: What the message ends with.

  Raises:
    ValueError: If the checksum is another one.
  """
  kind, algorithm = _CHECKSUMS[len(digest)]
  found = algorithm(data).hexdigest()
  if found != digest:
    raise ValueError(
        f'{origin} is not the official {name}: the {kind} of its contents is'
        f' {found}, must be {digest}{remedy}'
    )


@contextlib.contextmanager
def reading(name, kind):
  """Turns whatever is wrong with a file's contents into a `ValueError`.

  Args:
    name: The file, for the message.
    kind: What it must be, for the message.

  Yields:
    None.

  Raises:
    ValueError: If the block raises an exception, in one line.
  """
  try:
    yield
  except MemoryError:
    raise
  # Whatever tarfile, zlib, pickle, NumPy and SciPy find wrong with garbage.
  except Exception as error:  # pylint: disable=broad-exception-caught
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    raise ValueError(f'{name} is no {kind}: {reason.rstrip(":")}') from error


def as_pixels(array, name):
  """Returns the pixels of a file as uint8, see `_as_integers`."""
  return _as_integers(array, 256, np.uint8, f'the pixels of {name}')


def as_labels(array, num_classes, name):
  """Returns the labels of a file as int32, see `_as_integers`."""
  return _as_integers(array, num_classes, np.int32, f'the labels of {name}')


def _as_integers(array, limit, dtype, name):
  """Returns integers in another dtype, which changes none of them.

  Args:
    array: An array.
    limit: What all must be below.
    dtype: The dtype of the result.
    name: What they are, for the message.

  Raises:
    ValueError: If the array is not of an integer dtype, which a cast would
      hide, or a number is not in `[0, limit)`.
  """
  if array.size:
    if array.dtype.kind not in 'iu':
      raise ValueError(
          f'{name} must be integers in [0, {limit}), got {array.dtype}'
      )
    if not (0 <= array.min() and array.max() < limit):
      raise ValueError(
          f'{name} must be in [0, {limit}), got {array.min()} to {array.max()}'
      )
  return array.astype(dtype, copy=False)


def advice(names, home_page, folder):
  """Says what a user without network access does, for `download`."""
  files, pronoun = ', '.join(names), 'it' if len(names) == 1 else 'them'
  return (
      f'fetch {files} from {home_page} elsewhere and put {pronoun} into'
      f' {folder}, or into any folder given as data_dir'
  )


def download(urls, path, check, data_set, remedy):
  """Downloads a file from the first address that delivers it.

  Args:
    urls: The addresses of the file, in the order in which they are tried.
    path: Where to keep it.
    check: A function of the file's bytes and its address that raises a
      `ValueError` if they are not the expected ones.
    data_set: The name of the data set, for the message.
    remedy: What a user without network access does, see `advice`.

  Raises:
    ConnectionError: If no address delivers the file.
  """
  failures = []
  for url in urls:
    try:
      with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:
        data = response.read()
      check(data, url)
    except (OSError, http.client.HTTPException, ValueError) as error:
      failures.append(f'{url}: {error}')
    else:
      break
  else:
    raise ConnectionError(
        f'cannot download {data_set} ({"; ".join(failures)}). Without network'
        f' access, {remedy}'
    )
  with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as folder:
    partial = os.path.join(folder, os.path.basename(path))
    with open(partial, 'wb') as file:
      file.write(data)
    os.replace(partial, path)
