# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Workers as processes, for tests of those that use them."""

import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import portpicker
import tensorflow_federated as tff

_BINARY = pathlib.Path(tff.__file__).parent / 'data' / 'worker_binary'
_ROOT = pathlib.Path(__file__).parents[3]


def start_cpp(port=None):
  """Starts TFF's C++ worker; returns its process and, when ready, address."""
  port = port or portpicker.pick_unused_port()
  process = subprocess.Popen(
      [str(_BINARY), f'--port={port}', '--max_concurrent_computation_calls=2'],
      stdin=subprocess.DEVNULL,
      stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL,
  )
  while True:
    with contextlib.suppress(ConnectionRefusedError):
      socket.create_connection(('127.0.0.1', port)).close()
      return process, f'127.0.0.1:{port}'
    assert process.poll() is None, 'The worker has ended.'
    time.sleep(0.02)


def start_device(*arguments):
  """Starts this package's worker; returns its process and its address."""
  process = subprocess.Popen(
      [sys.executable, '-m', 'tff_binary.runtime.worker', *arguments],
      cwd=_ROOT,
      env={**os.environ, 'CUDA_VISIBLE_DEVICES': '-1'},
      stdin=subprocess.DEVNULL,
      stdout=subprocess.PIPE,
      stderr=subprocess.DEVNULL,
      text=True,
  )
  return process, process.stdout.readline().split()[-1]


def stop(process):
  """Ends a process, one that is stopped by SIGSTOP too."""
  process.kill()
  process.wait()
  if process.stdout is not None:
    process.stdout.close()


class Proxy:
  """Passes connections on to a worker.

  Attributes:
    address: To connect to.
    num_connections: How many there have been.
  """

  def __init__(self, worker_address):
    host, _, port = worker_address.rpartition(':')
    self._target = host, int(port)
    self._server = socket.create_server(('127.0.0.1', 0))
    self.address = f'127.0.0.1:{self._server.getsockname()[1]}'
    self.num_connections = 0
    self._sockets = []
    threading.Thread(target=self._accept, daemon=True).start()

  def _accept(self):
    with contextlib.suppress(OSError):
      while True:
        pair = self._server.accept()[0], socket.create_connection(self._target)
        self.num_connections += 1
        self._sockets += pair
        for source, sink in pair, pair[::-1]:
          threading.Thread(
              target=self._pump, args=(source, sink), daemon=True
          ).start()

  def _pump(self, source, sink):
    with contextlib.suppress(OSError):
      while data := source.recv(1 << 16):
        sink.sendall(data)

  def cut(self):
    """Breaks the connections that there are."""
    while self._sockets:
      with contextlib.suppress(OSError):
        self._sockets.pop().shutdown(socket.SHUT_RDWR)

  def close(self):
    self._server.close()
    self.cut()


@contextlib.contextmanager
def cpp_workers(number):
  """Yields the addresses of some C++ workers."""
  workers = [start_cpp() for _ in range(number)]
  try:
    yield [address for _, address in workers]
  finally:
    for process, _ in workers:
      stop(process)
