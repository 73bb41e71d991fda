# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of the server state.

Not by `tff.program.FileProgramStateManager`: it writes SavedModels, which are
programs that loading runs, does not notice that one is damaged, and takes the
name of its folder for a pattern.
"""

import dataclasses
import pathlib
from typing import Any

from tff_binary import files
from tff_binary.programs import run_folder

_FORMAT = 2  # 1 were SavedModels.
_KEPT = 2


@dataclasses.dataclass(frozen=True)
class Checkpoint:
  """A file that has been read and is whole.

  Attributes:
    path: The file.
    round_num: The number of rounds behind it.
    arrays: The leaves of the server state.
    notes: What was noted with it, a dict.
  """

  path: pathlib.Path
  round_num: int
  arrays: list
  notes: dict[str, Any]

  def state(self, structure):
    """Returns the server state.

    Args:
      structure: Any state of the run, for its structure.

    Raises:
      RunFolderError: If the checkpoint is of another one.
    """
    try:
      return files.pack_as(structure, self.arrays)
    except ValueError as e:
      raise run_folder.RunFolderError(
          f'{self.path} is not of this training: {e}; choose another folder'
      ) from e


class Checkpoints:
  """The two newest states of one run, `round_<n>.npz`.

  Each is a file of plain arrays with a checksum, see `files.write_arrays`.
  """

  def __init__(self, path):
    """Initializes the checkpoints.

    Args:
      path: Their folder, a `pathlib.Path`, created if it does not exist.
    """
    self._path = path
    path.mkdir(exist_ok=True)

  @property
  def round_nums(self):
    """The numbers of the rounds, in ascending order."""
    found = (
        run_folder.CHECKPOINT.fullmatch(p.name) for p in self._path.iterdir()
    )
    return sorted(int(match[1]) for match in found if match)

  def path_of(self, round_num):
    """Returns the file of a round's checkpoint."""
    return self._path / f'round_{round_num}.npz'

  def newest(self, say=lambda text: None):
    """Reads the newest checkpoint that is whole.

    Args:
      say: A function that shows the user a line of text: which ones are not.

    Returns:
      A `Checkpoint`, or None if there is none at all.

    Raises:
      RunFolderError: If there are some, but none is whole, or if they were
        written by a version that this one does not read.
    """
    self._refuse_saved_models()
    damaged = []
    for round_num in reversed(self.round_nums):
      try:
        checkpoint = _read(self.path_of(round_num), round_num)
      except files.DamagedFileError as e:
        damaged.append(e)
        continue
      for error in damaged:
        say(f'{error}; going back to round {round_num}')
      return checkpoint
    if damaged:
      raise run_folder.RunFolderError(
          f'{damaged[0]}, and no older checkpoint is whole; restore it from a'
          f' copy, or move {self._path} away to train from round 1'
      )
    return None

  def save(self, state, round_num, notes):
    """Writes the state after a round and drops all but the newest two.

    Args:
      state: The server state, a structure of arrays.
      round_num: The number of the round.
      notes: A dict of what JSON can hold; `history` has an entry for each round
        up to this one.
    """
    files.write_arrays(
        self.path_of(round_num), state, {'format': _FORMAT, 'notes': notes}
    )
    # Files of later rounds are damaged, or the run would go on from them.
    done = [n for n in self.round_nums if n <= round_num]
    for old in done[:-_KEPT]:
      self.path_of(old).unlink()

  def _refuse_saved_models(self):
    for path in self._path.glob('round_*'):
      if path.is_dir():
        raise run_folder.RunFolderError(
            f'{path} is a checkpoint of format 1, of tff_binary 0.1.0 before'
            ' its checkpoints were plain arrays; it is a program, which this'
            ' version does not run: use that version or choose another folder'
        )


def _read(path, round_num):
  """Reads the checkpoint of a round.

  Raises:
    DamagedFileError: If the file is not whole or is something else.
    RunFolderError: If this version does not read it.
  """
  arrays, metadata = files.read_arrays(path)
  if not isinstance(metadata, dict) or not metadata.keys() >= {
      'format', 'notes'
  }:
    raise files.DamagedFileError(path, 'it is no checkpoint')
  if metadata['format'] != _FORMAT:
    raise run_folder.RunFolderError(
        f'{path} has format {metadata["format"]}, this version of tff_binary'
        f' reads {_FORMAT}; use the version that has written it or choose'
        ' another folder'
    )
  rounds = len(metadata['notes']['history'])
  if rounds != round_num:  # A copy under another name.
    raise files.DamagedFileError(path, f'it is of round {rounds}')
  return Checkpoint(path, round_num, arrays, metadata['notes'])
