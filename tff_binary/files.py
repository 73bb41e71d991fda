# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Files that are whole, or known to be damaged."""

from collections.abc import Mapping
import contextlib
import hashlib
import json
import os
import pathlib
from typing import Any

import numpy as np
import tree

_METADATA = 'metadata'
_DIGEST = 'sha256'


class DamagedFileError(Exception):
  """A file is missing, cut or altered.

  Attributes:
    path: The `pathlib.Path` of the file.
    reason: What is wrong with it.
  """

  def __init__(self, path, reason: str):
    super().__init__(f'{path} is damaged: {reason}')
    self.path = pathlib.Path(path)
    self.reason = reason


@contextlib.contextmanager
def atomic_write(path: pathlib.Path):
  """Yields a path to write to, which becomes `path` after the block.

  A process killed at any moment, or a machine that loses its power, leaves the
  old contents or the new ones. The temporary path has the suffix of `path`, by
  which Keras chooses its format.

  Args:
    path: The file.

  Yields:
    A `pathlib.Path` in the same folder.
  """
  temporary = path.with_name(f'.tmp_{path.name}')
  yield temporary
  # The contents first: the new name must never stand for half of them.
  _sync(temporary)
  os.replace(temporary, path)
  _sync(path.parent)


def _sync(path):
  descriptor = os.open(path, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  finally:
    os.close(descriptor)


def write_arrays(path: pathlib.Path, structure: Any, metadata: Any):
  """Writes arrays and what is to be known of them, as an ordinary .npz file.

  Args:
    path: The file, replaced as by `atomic_write`.
    structure: A nested structure of arrays of numbers or booleans, which are
      stored in the order of `tree.flatten`.
    metadata: What JSON can hold.

  Raises:
    TypeError: If an array holds something else, such as strings.
  """
  members = {_METADATA: np.frombuffer(json.dumps(metadata).encode(), np.uint8)}
  for i, leaf in enumerate(tree.flatten(structure)):
    array = np.asarray(leaf)
    if array.dtype.kind not in 'biufcV' or array.dtype.hasobject:
      raise TypeError(
          f'arrays to be stored must hold numbers, got dtype {array.dtype}.'
      )
    if array.dtype.kind == 'V':  # NumPy's files do not know bfloat16.
      array = array.view(f'u{array.dtype.itemsize}')
    members[f'array_{i}'] = array
  digest = np.frombuffer(_digest(members), np.uint8)
  with atomic_write(path) as temporary:
    with open(temporary, 'wb') as file:
      np.savez(file, **members, **{_DIGEST: digest})


def read_arrays(path: pathlib.Path) -> tuple[list[np.ndarray], Any]:
  """Reads a file that `write_arrays` has written; runs nothing that is in it.

  Args:
    path: The file.

  Returns:
    The arrays, for `pack_as`, and the metadata.

  Raises:
    DamagedFileError: If the file is missing or is not, to the bit, what was
      written.
  """
  try:
    with np.load(path, allow_pickle=False) as file:
      members = {name: file[name] for name in file.files}
    digest = members.pop(_DIGEST).tobytes()
    if digest != _digest(members):
      raise ValueError('its checksum is wrong')
    metadata = json.loads(members.pop(_METADATA).tobytes())
  except FileNotFoundError as e:
    raise DamagedFileError(path, 'it is missing') from e
  except (PermissionError, MemoryError):
    raise
  # Whatever zipfile, zlib and NumPy find wrong with garbage.
  except Exception as e:  # pylint: disable=broad-exception-caught
    raise DamagedFileError(path, reason(e)) from e
  return list(members.values()), metadata


def pack_as(structure: Any, arrays: list[np.ndarray]) -> Any:
  """Returns the arrays in the form of a structure.

  Args:
    structure: The structure, of arrays of the same dtypes and ranks.
    arrays: As from `read_arrays`.

  Raises:
    ValueError: If they are not those of such a structure, naming the first
      difference.
  """
  leaves = tree.flatten_with_path(structure)
  if len(leaves) != len(arrays):
    raise ValueError(f'it holds {len(arrays)} arrays instead of {len(leaves)}')
  packed = []
  for (path, leaf), array in zip(leaves, arrays):
    leaf = np.asarray(leaf)
    if leaf.dtype.kind == 'V' and array.dtype.itemsize == leaf.dtype.itemsize:
      array = array.view(leaf.dtype)
    if (array.dtype, array.ndim) != (leaf.dtype, leaf.ndim):
      raise ValueError(
          f'its {"/".join(map(str, path))} is {array.dtype}{list(array.shape)}'
          f' instead of {leaf.dtype}{list(leaf.shape)}'
      )
    packed.append(array[()])
  return tree.unflatten_as(structure, packed)


def read_json(path: pathlib.Path, kind: type[Any]) -> Any:
  """Returns the contents of a JSON file.

  Args:
    path: The file.
    kind: What it holds: dict, list or the like.

  Raises:
    DamagedFileError: If it holds anything else.
  """
  try:
    value = json.loads(path.read_text(encoding='utf-8'))
    if not isinstance(value, kind):
      raise ValueError(f'it must hold a {kind.__name__}')
  except ValueError as e:
    raise DamagedFileError(path, reason(e)) from e
  return value


def _digest(members: Mapping[str, np.ndarray]):
  digest = hashlib.sha256()
  for name, array in members.items():
    digest.update(f'{name} {array.dtype.str} {array.shape} '.encode())
    digest.update(array.tobytes())
  return digest.digest()


def reason(error: Exception) -> str:
  """Returns the first line of an error's message, its class without one."""
  lines = str(error).splitlines()
  return lines[0] if lines else type(error).__name__
