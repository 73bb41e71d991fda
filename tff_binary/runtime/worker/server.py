# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Starts a worker: a gRPC server with TFF's `ExecutorGroup` service."""

from concurrent import futures
from typing import Optional

import grpc

from tff_binary.runtime.worker import devices as devices_lib
from tff_binary.runtime.worker import service
from tff_binary.runtime.worker import sockets

# A call holds a thread until its result is there. Calls wait for calls: with
# too few threads, those that dispose of values would wait too.
_NUM_RPC_THREADS = 64


class Server:
  """A worker that listens.

  Attributes:
    address: 'host:port' or 'unix:path', for a gRPC channel.
  """

  def __init__(self, address, server, pool, folder):
    self.address = address
    self._server = server
    self._pool = pool
    self._folder = folder

  def stop(self):
    """Stops listening and breaks off all calls."""
    self._server.stop(grace=None).wait()
    self._pool.close()
    if self._folder is not None:
      self._folder.close()

  def __enter__(self):
    return self

  def __exit__(self, *unused_error):
    self.stop()


def start(
    address: Optional[str] = None,
    *,
    devices: tuple[str, ...] = (),
    clients_per_device: Optional[int] = None,
    credentials: Optional[grpc.ServerCredentials] = None,
    max_message_megabytes: int = 2047,
) -> Server:
  """Starts a worker in this process.

  A worker runs every graph that it is sent. Whoever can reach the address can
  do what this process may do.

  Args:
    address: 'host:port', where port 0 is any free one, or 'unix:path'; `None`
      for a Unix socket in a new folder that is this user's alone.
    devices: Such as 'GPU:0'; none for all GPUs, or the CPU if there are none.
    clients_per_device: How many clients each device computes at a time; `None`
      for the number of cores on the CPU, and 1 on other devices.
    credentials: What clients must show; `None` for nothing.
    max_message_megabytes: The largest message that is accepted or sent.

  Returns:
    The running server, a context manager that stops it.

  Raises:
    ValueError: If a device does not exist, or a number is out of range.
    OSError: If the address is in use or not this machine's.
  """
  if not 1 <= max_message_megabytes <= 2047:
    raise ValueError(
        'max_message_megabytes must be in [1, 2047], got'
        f' {max_message_megabytes}'
    )
  pool = devices_lib.DevicePool(
      devices_lib.resolve(devices), clients_per_device
  )
  folder = None
  if address is None:
    folder = sockets.SocketFolder()
    address = folder.address('worker.sock')
  max_bytes = max_message_megabytes * 2**20
  server = grpc.server(
      futures.ThreadPoolExecutor(_NUM_RPC_THREADS),
      options=[
          ('grpc.max_receive_message_length', max_bytes),
          ('grpc.max_send_message_length', max_bytes),
          # Two workers on one port would share the calls between them.
          ('grpc.so_reuseport', 0),
      ],
  )
  server.add_generic_rpc_handlers([
      service.handlers(service.ExecutorGroup(pool))
  ])
  try:
    if credentials is None:
      port = server.add_insecure_port(address)
    else:
      port = server.add_secure_port(address, credentials)
  except RuntimeError as error:
    raise OSError(f'cannot listen on {address}: {error}') from error
  if not address.startswith('unix:'):
    address = f'{address.rpartition(":")[0]}:{port}'
  server.start()
  return Server(address, server, pool, folder)
