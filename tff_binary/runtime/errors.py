# Copyright 2026 The tff_binary Authors.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
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
