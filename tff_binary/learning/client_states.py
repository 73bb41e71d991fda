# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What clients keep between their rounds, on disk."""

from collections.abc import Callable, Mapping
import hashlib
import pathlib
import re
from typing import Any, Union

from tff_binary import files

ClientId = Union[int, str]

# An id that is the name of its file.
_PLAIN_ID = r'[a-z0-9_-]{1,100}'
_FILE_NAME = re.compile(rf'(\.tmp_)?({_PLAIN_ID}|%[0-9a-f]{{64}})\.(\d+)\.npz')


class ClientStateError(files.DamagedFileError):
  """The state of a client is missing or damaged.

  Attributes:
    round_num: The round after which the client had this state.
  """

  def __init__(self, client_id, round_num, path, reason):
    super().__init__(path, reason)
    self.args = (f'the state of client {client_id!r}, {self}',)
    self.round_num = round_num


class ClientStates:
  """One file for each client and round in which it has changed.

  Only the clients of the round at hand are ever in memory. A round first writes
  new files beside the old ones, `save`; then the server state is checkpointed
  together with `rounds`, which says which client has the state of which round;
  then `forget` deletes what no checkpoint needs any more. A run that was killed
  in between, or whose newest checkpoint is lost, takes up the states that
  belong to its checkpoint.

  The files, see `files.write_arrays`, are `<client>.<round>.npz`. `<client>` is
  the client's id or, unless that is short and of lower-case letters, digits,
  `_` and `-` alone, `%` and its SHA-256.

  Attributes:
    rounds: A dict from the ids, as strings, of all clients that have a state to
      the number of the round after which they had it.
  """

  def __init__(
      self,
      folder: str,
      initial_state: Callable[[ClientId], Any],
      rounds: Mapping[str, int] = (),
      rounds_done: int = 0,
  ):
    """Opens or creates a store.

    Args:
      folder: Its folder. Files that have other names than the store's own stay
        as they are.
      initial_state: A function from a client id to the state of a client before
        its first round.
      rounds: `rounds` as it was at the checkpoint.
      rounds_done: The number of rounds behind the checkpoint; states of later
        rounds, which a killed run has left, are deleted.

    Raises:
      ClientStateError: If a state of `rounds` is missing, naming the client.
    """
    self._folder = pathlib.Path(folder)
    self._initial_state = initial_state
    self._structure = None
    self._folder.mkdir(parents=True, exist_ok=True)
    self.rounds = dict(rounds)
    # Files that a later one of the same client replaces, by its round.
    self._replaced = {}
    found = {}
    for path in self._folder.iterdir():
      match = _FILE_NAME.fullmatch(path.name)
      if match is None:
        continue
      temporary, name, round_num = match.groups()
      if temporary or int(round_num) > rounds_done:
        path.unlink()
      else:
        found.setdefault(name, []).append(int(round_num))
    for client_id, round_num in self.rounds.items():
      name = _file_name(client_id)
      if round_num not in found.get(name, ()):
        raise ClientStateError(
            client_id,
            round_num,
            self._folder / f'{name}.{round_num}.npz',
            'it is missing',
        )
    for name, numbers in found.items():
      numbers.sort()
      for old, new in zip(numbers, numbers[1:]):
        path = self._folder / f'{name}.{old}.npz'
        self._replaced.setdefault(new, []).append(path)

  def load(self, client_id: ClientId) -> Any:
    """Returns the state of a client, a structure of arrays.

    Args:
      client_id: The client. Numbers and their decimal strings are the same.

    Raises:
      ClientStateError: If the file is missing or damaged.
    """
    if str(client_id) not in self.rounds:
      return self._initial_state(client_id)
    if self._structure is None:
      self._structure = self._initial_state(client_id)
    round_num = self.rounds[str(client_id)]
    path = self._path(client_id, round_num)
    try:
      arrays, owner = files.read_arrays(path)
      if owner != [str(client_id), round_num]:
        raise ValueError(f'it is of client {owner[0]!r}, round {owner[1]}')
      return files.pack_as(self._structure, arrays)
    except files.DamagedFileError as e:
      reason, cause = e.reason, e
    except ValueError as e:
      reason, cause = str(e), e
    raise ClientStateError(str(client_id), round_num, path, reason) from cause

  def save(self, states: Mapping[ClientId, Any], round_num: int):
    """Writes the states that clients have after a round.

    Args:
      states: The states by client id.
      round_num: The number of the round, higher than that of any before.
    """
    for client_id, state in states.items():
      client = str(client_id)
      files.write_arrays(
          self._path(client, round_num), state, [client, round_num]
      )
      if client in self.rounds:
        old = self._path(client, self.rounds[client])
        self._replaced.setdefault(round_num, []).append(old)
      self.rounds[client] = round_num

  def forget(self, oldest_round: int):
    """Deletes what no checkpoint needs any more.

    Args:
      oldest_round: The round of the oldest checkpoint that is kept.
    """
    for round_num in [r for r in self._replaced if r <= oldest_round]:
      for path in self._replaced.pop(round_num):
        path.unlink(missing_ok=True)

  def _path(self, client_id, round_num):
    return self._folder / f'{_file_name(str(client_id))}.{round_num}.npz'


def _file_name(client_id):
  """Returns a name of its own for each client, on any file system."""
  if re.fullmatch(_PLAIN_ID, client_id):
    return client_id
  digest = hashlib.sha256(client_id.encode('utf-8', 'surrogatepass'))
  return f'%{digest.hexdigest()}'
