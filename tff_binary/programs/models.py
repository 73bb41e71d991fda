# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The global model's weights of many rounds, kept for an analysis."""

import re

from tff_binary import files


class KeptModels:
  """Files `round_<n>.npz` of one run: the model's weights after n rounds.

  Each is a file of plain arrays with a checksum, see `files.write_arrays`, in
  the order of Keras' `get_weights`. A round that is repeated after a resume
  writes the same file again.
  """

  def __init__(self, path):
    """Initializes the files.

    Args:
      path: Their folder, a `pathlib.Path`, made with the first of them.
    """
    self._path = path

  @property
  def round_nums(self):
    """The numbers of the rounds, in ascending order; 0 before the first."""
    if not self._path.exists():
      return []
    found = (
        re.fullmatch(r'round_(\d+)\.npz', p.name) for p in self._path.iterdir()
    )
    return sorted(int(match[1]) for match in found if match)

  def save(self, model, round_num):
    """Writes the weights of a Keras model."""
    self._path.mkdir(exist_ok=True)
    files.write_arrays(
        self._file(round_num), model.get_weights(), {'round_num': round_num}
    )

  def load(self, model, round_num):
    """Gives a Keras model the weights of a round.

    Raises:
      DamagedFileError: If the file is not whole or is of another model or
        round.
    """
    arrays, metadata = files.read_arrays(self._file(round_num))
    try:
      # Earlier versions noted nothing.
      if metadata not in ({}, {'round_num': round_num}):
        raise ValueError('it is not of this round')
      model.set_weights(files.pack_as(model.get_weights(), arrays))
    except ValueError as e:
      raise files.DamagedFileError(
          self._file(round_num), files.reason(e)
      ) from e

  def _file(self, round_num):
    return self._path / f'round_{round_num}.npz'
