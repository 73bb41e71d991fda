# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What clients keep between their rounds, on disk."""

from collections.abc import Callable, Mapping
import os
import pathlib
import re
from typing import Any

import numpy as np
import tensorflow as tf


class ClientStates:
  """One file for each client and round in which it has changed.

  Only the clients of the round at hand are ever in memory. A round first writes
  new files beside the old ones, `save`; after the checkpoint of the server
  state, `forget` deletes what no checkpoint needs any more. A run that was
  killed in between takes up the states that belong to its checkpoint.

  The files are `<client id>.<round>.npz` with the leaves of the state in the
  order of `tf.nest.flatten`.
  """

  def __init__(
      self,
      folder: str,
      initial_state: Callable[[int], Any],
      rounds_done: int = 0,
  ):
    """Opens or creates a store.

    Args:
      folder: Its folder, which holds nothing else.
      initial_state: A function from a client id to the state of a client before
        its first round.
      rounds_done: The rounds behind the run; states of later ones, which a
        killed run has left, are deleted.
    """
    self._folder = pathlib.Path(folder)
    self._initial_state = initial_state
    self._structure = None
    self._folder.mkdir(parents=True, exist_ok=True)
    self._rounds = {}
    for path in self._folder.iterdir():
      match = re.fullmatch(r'(\d+)\.(\d+)\.npz', path.name)
      if match is None or int(match[2]) > rounds_done:
        path.unlink()
      else:
        self._rounds.setdefault(int(match[1]), []).append(int(match[2]))
    for rounds in self._rounds.values():
      rounds.sort()

  def load(self, client_id: int) -> Any:
    """Returns the state of a client, a structure of arrays."""
    if client_id not in self._rounds:
      return self._initial_state(client_id)
    if self._structure is None:
      self._structure = self._initial_state(client_id)
    with np.load(self._path(client_id, self._rounds[client_id][-1])) as file:
      leaves = [file[name] for name in file.files]
    return tf.nest.pack_sequence_as(self._structure, leaves)

  def save(self, states: Mapping[int, Any], round_num: int):
    """Writes the states that clients have after a round.

    Args:
      states: The states by client id.
      round_num: The number of the round, higher than that of any before.
    """
    for client_id, state in states.items():
      path = self._path(client_id, round_num)
      temporary = path.with_suffix('.tmp')
      with open(temporary, 'wb') as file:
        np.savez(file, *map(np.asarray, tf.nest.flatten(state)))
      os.replace(temporary, path)
      self._rounds.setdefault(client_id, []).append(round_num)

  def forget(self):
    """Deletes all but the newest state of each client."""
    for client_id, rounds in self._rounds.items():
      for round_num in rounds[:-1]:
        self._path(client_id, round_num).unlink()
      del rounds[:-1]

  def _path(self, client_id, round_num):
    return self._folder / f'{client_id}.{round_num}.npz'
