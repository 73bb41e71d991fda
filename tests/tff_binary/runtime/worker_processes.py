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
"""Workers as processes, for tests of those that use them."""

import contextlib
import os
import pathlib
import socket
import subprocess
import sys
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


@contextlib.contextmanager
def cpp_workers(number):
  """Yields the addresses of some C++ workers."""
  workers = [start_cpp() for _ in range(number)]
  try:
    yield [address for _, address in workers]
  finally:
    for process, _ in workers:
      stop(process)
