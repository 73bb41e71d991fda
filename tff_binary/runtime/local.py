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
"""TFF's own C++ worker on this machine, stopped whatever happens.

TFF's default execution context starts the same worker, but leaves it behind
when Python exits: it keeps the memory and the standard output, so that a shell
pipeline never ends. And when that worker dies TFF retries for ever. Here the
process that asked for the worker owns it.
"""

import atexit
import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess
import time

import grpc
import portpicker
import tensorflow_federated as tff

from tensorflow_federated.proto.v0 import executor_pb2_grpc
from tensorflow_federated.python.core.environments.tensorflow_frontend import tensorflow_computation

_BINARY = pathlib.Path(tff.__file__).parent / 'data' / 'worker_binary'

# Model weights exceed the default message size of 4 MB. The worker is on this
# machine: a proxy that the environment names must not see the calls, and there
# is no network that asks for a long pause between attempts to connect.
_CHANNEL_OPTIONS = (
    ('grpc.max_receive_message_length', -1),
    ('grpc.max_send_message_length', -1),
    ('grpc.enable_http_proxy', 0),
    ('grpc.initial_reconnect_backoff_ms', 50),
    ('grpc.min_reconnect_backoff_ms', 50),
    ('grpc.max_reconnect_backoff_ms', 200),
)

_START_SECONDS = 60
_LOG_TAIL_LINES = 20

_PR_SET_PDEATHSIG = 1
# Looked up here: between fork and exec there is not much that is safe to do.
_prctl = ctypes.CDLL(None).prctl


class WorkerError(grpc.RpcError):
  """The worker died, or can no longer be reached.

  An `RpcError`, because TFF expects those while it disposes of remote values,
  but without a status code, because TFF would repeat the call for ever.
  """


@contextlib.contextmanager
def local_worker(log_path=None, max_concurrent_computation_calls=None):
  """Runs TFF computations in a worker process that ends with this block.

  The process is gone after the block, after an exception, Ctrl-C or
  `sys.exit` in it, at interpreter exit if the block was never left, and, by the
  kernel's parent-death signal, when this process is killed. SIGTERM, unless a
  handler turns it into an exception, kills this process and hence the worker.

  Enter the block in the main thread: the kernel sends the parent-death signal
  when the *thread* that started the worker ends. TFF's context stack is local
  to the thread too.

  The worker accepts connections from everywhere and without credentials, as
  TFF's does: run it on machines whose ports are not open to strangers.

  Args:
    log_path: The file that the worker's output is appended to; `None` discards
      it.
    max_concurrent_computation_calls: How many clients the worker computes at
      the same time, at least 1; `None` for the number of available cores.

  Yields:
    Nothing. TFF computations called in the block run in the worker; afterwards
    they run where they ran before.

  Raises:
    ValueError: If `max_concurrent_computation_calls` is less than 1.
    WorkerError: If the worker does not start, or from a computation in the
      block, if the worker dies.
  """
  if max_concurrent_computation_calls is None:
    max_concurrent_computation_calls = len(os.sched_getaffinity(0))
  if max_concurrent_computation_calls < 1:
    raise ValueError(
        'max_concurrent_computation_calls must be at least 1, got '
        f'{max_concurrent_computation_calls}'
    )
  port = portpicker.pick_unused_port()
  with contextlib.ExitStack() as stack:
    # For a block that is never left; does nothing after one that was. When
    # Python closes this generator its threads are dead, and gRPC waits for one.
    atexit.register(stack.close)
    process = _start_process(port, max_concurrent_computation_calls, log_path)
    stack.callback(_stop_process, process)
    channel = stack.enter_context(
        grpc.insecure_channel(f'127.0.0.1:{port}', _CHANNEL_OPTIONS)
    )
    _wait_until_ready(channel, process, log_path)
    context = _create_context(_FailFastStub(channel, process, log_path))
    stack.enter_context(tff.framework.get_context_stack().install(context))
    yield


def _start_process(port, max_concurrent_computation_calls, log_path):
  """Starts the worker in a session of its own, which Ctrl-C does not reach."""
  parent = os.getpid()

  def die_with_parent():
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # It died before the signal was asked for.
      os._exit(1)  # pylint: disable=protected-access

  with open(log_path or os.devnull, 'ab') as log:
    return subprocess.Popen(
        [
            str(_BINARY),
            f'--port={port}',
            '--max_concurrent_computation_calls='
            f'{max_concurrent_computation_calls}',
        ],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=die_with_parent,
    )


def _stop_process(process):
  # Without ceremony: the worker keeps nothing that outlives it.
  process.kill()
  process.wait()


def _wait_until_ready(channel, process, log_path):
  """Waits for the worker to accept calls; raises if it dies or takes long."""
  ready = grpc.channel_ready_future(channel)
  deadline = time.monotonic() + _START_SECONDS
  while time.monotonic() < deadline:
    with contextlib.suppress(grpc.FutureTimeoutError):
      ready.result(timeout=0.1)
      return
    if process.poll() is not None:
      raise WorkerError(_death_notice(process, log_path))
  raise WorkerError(
      f'the TFF worker was not ready within {_START_SECONDS} seconds'
      f'{_log_tail(log_path)}'
  )


class _FailFastStub:
  """A `tff.framework.RemoteExecutorStub` whose calls are never repeated.

  TFF repeats calls that failed as UNAVAILABLE or FAILED_PRECONDITION until a
  remote worker is back. This worker does not come back once it is gone, and
  while it is there a repetition has the same outcome.
  """

  def __init__(self, channel, process, log_path):
    service = executor_pb2_grpc.ExecutorGroupStub(channel)
    self.get_executor = self._fail_fast(service.GetExecutor)
    self.create_value = self._fail_fast(service.CreateValue)
    self.create_struct = self._fail_fast(service.CreateStruct)
    self.create_call = self._fail_fast(service.CreateCall)
    self.create_selection = self._fail_fast(service.CreateSelection)
    self.compute = self._fail_fast(service.Compute)
    self.dispose = self._fail_fast(service.Dispose)
    self.dispose_executor = self._fail_fast(service.DisposeExecutor)
    self._process = process
    self._log_path = log_path

  def _fail_fast(self, rpc):
    """Returns `rpc` with a `WorkerError` for what TFF would repeat."""

    def call(request):
      try:
        return rpc(request)
      except grpc.RpcError as error:
        if error.code() not in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.FAILED_PRECONDITION,
        ):
          raise
        # The connection breaks a moment before the process can be waited for.
        with contextlib.suppress(subprocess.TimeoutExpired):
          self._process.wait(timeout=1)
          raise WorkerError(
              _death_notice(self._process, self._log_path)
          ) from error
        raise WorkerError(
            f'the TFF worker answered {error.code().name}: {error.details()}'
        ) from error

    return call


def _create_context(stub):
  """Returns TFF's native execution context over the worker's stub."""

  def create_executor(cardinalities):
    executor = tff.framework.RemoteExecutor(stub)
    executor.set_cardinalities({tff.CLIENTS: 0, **cardinalities})
    return executor

  return tff.framework.SyncExecutionContext(
      executor_fn=tff.framework.ResourceManagingExecutorFactory(
          create_executor
      ),
      compiler_fn=tff.backends.native.desugar_and_transform_to_native,
      transform_args=tensorflow_computation.transform_args,
      transform_result=tensorflow_computation.transform_result,
  )


def _death_notice(process, log_path):
  code = process.returncode
  cause = signal.Signals(-code).name if code < 0 else f'exit status {code}'
  return f'the TFF worker died ({cause}){_log_tail(log_path)}'


def _log_tail(log_path):
  """Returns the end of the log, as the continuation of an error message."""
  if log_path is None:
    return '; name a log_path to keep its output'
  lines = pathlib.Path(log_path).read_text(errors='replace').splitlines()
  return '\n'.join([f'; the end of {log_path}:', *lines[-_LOG_TAIL_LINES:]])
