# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a worker."""


class WorkerError(Exception):
  """A worker cannot be started or reached, or has died; the message says which.

  Not a `grpc.RpcError`: the computation itself is not to blame. TFF does not
  repeat a computation that fails with it.
  """


class WorkerLost(WorkerError):
  """A worker has died or does not answer, so its values are lost.

  Attributes:
    connection: The `connections.Connection` to it.
    since: When it answered for the last time, by `time.monotonic`.
  """

  def __init__(self, connection, since, reason):
    super().__init__(f'{connection} is lost: {reason}')
    self.connection = connection
    self.since = since


class MergeError(ValueError):
  """TFF's engine for several workers cannot run a computation."""
