# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of the server state."""

import asyncio
import concurrent.futures
import shutil

import tensorflow_federated as tff


def wait_for(coroutine):
  """Runs a coroutine of `tff.program` and returns its result.

  In a thread of its own, because notebooks have an event loop already, and
  `asyncio.run` refuses a second one in the same thread.

  Args:
    coroutine: The coroutine.

  Returns:
    What it returns.
  """
  with concurrent.futures.ThreadPoolExecutor(max_workers=1) as executor:
    return executor.submit(asyncio.run, coroutine).result()


class Checkpoints:
  """The newest states of one run, by `tff.program.FileProgramStateManager`.

  That manager writes a state to a temporary folder and renames it, so each
  state that can be loaded is complete whenever the process was killed.
  """

  def __init__(self, path):
    """Initializes the checkpoints.

    Args:
      path: Their folder, a `pathlib.Path`, created if it does not exist.
    """
    self._manager = tff.program.FileProgramStateManager(
        path, prefix='round_', keep_total=2, keep_first=False
    )
    for unfinished in path.glob('*_temp*'):  # Of a killed process.
      shutil.rmtree(unfinished)

  def load_latest(self, structure):
    """Loads the newest state.

    Args:
      structure: Any state of the run, for its structure.

    Returns:
      The state and the number of rounds behind it: `structure` and 0 if there
      is no checkpoint.
    """
    versions = wait_for(self._manager.get_versions())
    if versions is None:
      return structure, 0
    return wait_for(self._manager.load(versions[-1], structure)), versions[-1]

  def save(self, state, round_num):
    """Saves the state after round `round_num` and drops the oldest."""
    wait_for(self._manager.save(state, round_num))
