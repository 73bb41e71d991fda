# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs TFF's computations in workers that are watched.

A computation is a function of its arguments: what a worker holds while it
computes can be computed again. So when a worker is lost the computation is
stopped everywhere, the worker is started again or waited for, and the
computation is repeated from its start. A round of training thus ends with the
same weights whether or not a worker died in it.
"""

import asyncio
import atexit
import collections
from collections.abc import Iterator
import contextlib
import functools
import os
import pathlib
import shutil
import sys
import threading
from typing import Optional
import weakref

from absl import logging
import portpicker
import tensorflow as tf
import tensorflow_federated as tff

from tensorflow_federated.python.core.backends.native import mergeable_comp_compiler
from tensorflow_federated.python.core.environments.tensorflow_backend import compiled_computation_transformations
from tensorflow_federated.python.core.environments.tensorflow_backend import tensorflow_tree_transformations
from tensorflow_federated.python.core.environments.tensorflow_frontend import tensorflow_computation
from tff_binary.runtime import connections
from tff_binary.runtime import errors
from tff_binary.runtime import executors
from tff_binary.runtime import processes
from tff_binary.runtime import settings
from tff_binary.runtime.worker import sockets

_BINARY = pathlib.Path(tff.__file__).parent / 'data' / 'worker_binary'
_PACKAGES = pathlib.Path(__file__).parents[2]

# How often a computation is repeated because of the same worker.
_MAX_LOSSES = 3

# A worker that imports TensorFlow on a busy machine takes long.
_START_SECONDS = 120


@contextlib.contextmanager
def execution_context(
    runtime: settings.Runtime = settings.Runtime(),
    log_path: Optional[str] = None,
    *,
    wait: bool = True,
) -> Iterator[None]:
  """Runs TFF's computations in the block where a `Runtime` says.

  ```
  with tff_binary.runtime.execution_context(
      tff_binary.runtime.Runtime('device', clients_per_device=2)):
    state, output = process.next(state, datasets)
  ```

  Processes that it starts are gone after the block, after an exception, Ctrl-C
  or `sys.exit` in it, at interpreter exit if the block was never left, and, by
  the kernel's parent-death signal, when this process is killed. SIGTERM, unless
  a handler turns it into an exception, kills this process and hence the worker.

  A worker that dies, stops answering or loses its connection in a computation is
  started again, or waited for if it is remote, and the computation is repeated,
  three times at most. A computation that fails is not repeated.

  Enter the block in the main thread: the kernel sends the parent-death signal
  when the *thread* that started the worker ends. TFF's context stack is local
  to the thread too.

  TFF's C++ worker accepts connections from everywhere and without credentials:
  run it on machines whose ports are not open to strangers.

  Args:
    runtime: Where computations run.
    log_path: The file that the output of processes is appended to; None
      discards it.
    wait: Whether workers are ready when the block begins. Otherwise the first
      computation waits for them, and raises what would be raised here: so
      processes can start while learning processes are built.

  Yields:
    Nothing. Afterwards computations run where they ran before.

  Raises:
    WorkerError: If a worker cannot be started or reached or, from a computation
      in the block, if one is lost for good.
  """
  with contextlib.ExitStack() as stack:
    # For a block that is never left; does nothing after one that was. When
    # Python closes this generator its threads are dead, and gRPC waits for one.
    atexit.register(stack.close)
    stack.callback(atexit.unregister, stack.close)
    workers = _start_workers(runtime, log_path, stack)
    if wait:
      for worker in workers:
        worker.ensure_ready()
    if runtime.merge == 'tff':
      context = _MergingContext(workers)
    else:
      context = _WatchedContext(workers, runtime.allow_lost_workers)
    stack.callback(context.close)
    stack.enter_context(tff.framework.get_context_stack().install(context))
    yield


def _start_workers(runtime, log_path, stack):
  """Returns the workers, which may not be ready; `stack` stops them."""
  if runtime.kind == 'remote':
    credentials = None
    if runtime.is_encrypted:
      credentials = connections.read_credentials(
          runtime.certificate, runtime.private_key, runtime.worker_authority
      )
    workers = [
        _RemoteWorker(address, runtime.worker_deadline, credentials)
        for address in runtime.workers
    ]
  elif runtime.in_process:
    workers = [_InProcessWorker(runtime)]
  else:
    folder = sockets.SocketFolder()
    stack.callback(folder.close)
    workers = [_LocalWorker(runtime, folder, log_path)]
  for worker in workers:
    stack.callback(worker.close)
    worker.start()
  return workers


def check_merges(computation: tff.Computation, name: str):
  """Checks that TFF's engine, `merge='tff'`, can run a computation.

  Args:
    computation: The `next` of a process.
    name: What the error calls it.

  Raises:
    MergeError: If it returns values of clients, such as their states, or does
      not compile to TFF's `MergeableCompForm`, for which a round must aggregate
      once.
  """
  if _has_clients(computation.type_signature.result):
    # TFF would have all clients train a second time, for these values.
    raise errors.MergeError(
        f"merge must be in_order for {name}, whose clients keep states, got 'tff'"
    )
  try:
    _MERGEABLE.compile(computation)
  except (TypeError, ValueError) as e:
    raise errors.MergeError(
        f'merge must be in_order for {name}, whose rounds are more than one'
        f" broadcast and one aggregation, got 'tff'"
    ) from e


def _has_clients(type_spec):
  """Whether a type has a part at clients, one that may differ among them."""
  if isinstance(type_spec, tff.FederatedType):
    return type_spec.placement is tff.CLIENTS and not type_spec.all_equal
  return isinstance(type_spec, tff.StructType) and any(
      _has_clients(element)
      for _, element in tff.structure.iter_elements(type_spec)
  )



class _Compiler:
  """Compiles what TFF's contexts run, once for all contexts of this process.

  It stands in for TFF's `CompilerPipeline`, whose cache never lets go; what is
  compiled is kept for as long as there is the computation.
  """

  def __init__(self, compile_fn):
    self._compile_fn = compile_fn
    self._compiled = weakref.WeakKeyDictionary()
    self._lock = threading.Lock()

  def compile(self, comp):
    with self._lock:  # The second of two threads finds it done.
      if comp not in self._compiled:
        self._compiled[comp] = self._compile_fn(comp)
      return self._compiled[comp]


def _transform_to_native(computation):
  """Does what TFF's `desugar_and_transform_to_native` does, with less Grappler.

  Grappler's remapper replaces batch normalization and ReLU in training by an
  operation that refuses channels whose number is no multiple of 4, whose shapes
  TensorFlow checks when a worker makes a function of the graph. The optimizer of
  functions copies them to every call, also those of `ops.shared`; without it a
  graph is smaller, and compiled in half the time. And a second turn of the
  others, which is Grappler's default, finds next to nothing.

  Nor does it make a protocol buffer between TFF's two steps and read it again,
  half of what TFF's compiler takes besides Grappler.
  """
  config = tf.compat.v1.ConfigProto()
  options = config.graph_options.rewrite_options
  options.remapping = options.OFF
  for name in (
      'arithmetic_optimization',
      'constant_folding',
      'loop_optimization',
      'memory_optimization',
  ):
    setattr(options, name, options.AGGRESSIVE)
  options.function_optimization = options.OFF
  options.meta_optimizer_iterations = options.ONE
  desugared, _ = tensorflow_tree_transformations.replace_intrinsics_with_bodies(
      computation.to_building_block()
  )
  try:
    compiled = tff.framework.to_call_dominant(desugared)
    for transform in (
        functools.partial(
            compiled_computation_transformations.optimize_tensorflow_graphs,
            grappler_config_proto=config,
        ),
        compiled_computation_transformations.transform_tf_call_ops_to_disable_grappler,
        compiled_computation_transformations.transform_tf_add_ids,
    ):
      compiled, _ = transform(compiled)
  except ValueError as e:  # As in TFF, whose executors run it nevertheless.
    logging.debug('Not compiled: %s', e)
    compiled = desugared
  return tff.framework.ConcreteComputation.from_building_block(compiled)


_NATIVE = _Compiler(_transform_to_native)
_MERGEABLE = _Compiler(mergeable_comp_compiler.compile_to_mergeable_comp_form)


def compile_to_native(computation):
  """Does what TFF's contexts do before they run a computation, once."""
  return _NATIVE.compile(computation)


class _WatchedContext(tff.framework.SyncContext):
  """Repeats computations in which a worker was lost."""

  def __init__(self, workers, allow_lost_workers):
    """Initializes the context.

    Args:
      workers: A list of workers, which have been started.
      allow_lost_workers: Whether to carry on without workers that are lost for
        good.
    """
    self._workers = workers
    self._allow_lost_workers = allow_lost_workers
    self._executors = executors.ExecutorFactory(
        [worker.connection for worker in workers]
    )
    self._context = tff.framework.SyncExecutionContext(
        executor_fn=self._executors,
        transform_args=tensorflow_computation.transform_args,
        transform_result=tensorflow_computation.transform_result,
    )
    # pylint: disable-next=protected-access
    self._context._async_context._compiler_pipeline = _NATIVE

  def invoke(self, comp, arg):
    for worker in self._workers:
      worker.ensure_ready()
    losses = collections.Counter()
    while True:
      try:
        result = self._context.invoke(comp, arg)
      except errors.WorkerLost as e:
        self._recover(e, losses)
      else:
        self._executors.release_values()
        return result

  def close(self):
    self._executors.close()
    # TFF's runner would stop when it is collected, which its own thread, whose
    # function refers to it, prevents.
    # pylint: disable=protected-access
    runner = self._context._async_runner
    runner._finalizer(runner._event_loop, runner._thread)
    runner._finalizer = lambda *unused_args: None
    runner._event_loop.close()
    # pylint: enable=protected-access

  def _recover(self, lost, losses):
    """Brings a worker back or does without it."""
    self._executors.close()
    (worker,) = [w for w in self._workers if w.connection is lost.connection]
    losses[worker] += 1
    logging.warning('%s', lost)
    try:
      if losses[worker] > _MAX_LOSSES:
        raise errors.WorkerError(
            f'{worker.describe(lost)}\n(the computation was repeated'
            f' {_MAX_LOSSES} times)'
        )
      worker.recover(lost)
    except errors.WorkerError as e:
      if not self._allow_lost_workers or len(self._workers) == 1:
        raise
      logging.warning('%s; its clients go to the other workers', e)
      self._workers.remove(worker)
    finally:
      self._executors.connections = [w.connection for w in self._workers]


class _MergingContext(tff.framework.SyncContext):
  """TFF's stock engine for several workers, each of which is watched."""

  def __init__(self, workers):
    """Initializes the context with a list of workers, which were started."""
    self._contexts = [
        _WatchedContext([worker], allow_lost_workers=False)
        for worker in workers
    ]
    self._merging = tff.backends.native.create_mergeable_comp_execution_context(
        [_InThread(context) for context in self._contexts]
    )

  def invoke(self, comp, arg):
    parameter = comp.type_signature.parameter
    if parameter is None or not _has_clients(parameter):
      return self._contexts[0].invoke(comp, arg)
    check_merges(comp, 'this computation')
    return self._merging.invoke(_MERGEABLE.compile(comp), arg)

  def close(self):
    for context in self._contexts:
      context.close()


class _InThread(tff.framework.AsyncContext):
  """A context whose computations run at the same time as others'."""

  def __init__(self, context):
    self._context = context

  async def invoke(self, comp, arg):
    return await asyncio.to_thread(self._context.invoke, comp, arg)


class _Worker:
  """A worker, which is started and then becomes ready."""

  def __init__(self):
    self._is_ready = False
    self.connection = None

  def ensure_ready(self):
    """Waits for the worker, if nobody has waited for it yet."""
    if not self._is_ready:
      self._wait()
      self._is_ready = True


class _RemoteWorker(_Worker):
  """A worker that somebody else runs."""

  def __init__(self, address, deadline, credentials):
    super().__init__()
    self._deadline = deadline
    self.connection = connections.Connection(
        address, f'the worker {address}', deadline, credentials
    )

  def start(self):
    """Does nothing: somebody else starts it."""

  def _wait(self):
    # It may have been started along with this program.
    self.connection.wait_until_ready(self._deadline)

  def recover(self, lost):
    self.connection.wait_until_back(self._deadline, lost.since)

  def describe(self, lost):
    return str(lost)

  def close(self):
    self.connection.close()


class _LocalWorker(_Worker):
  """A worker process on this machine."""

  def __init__(self, runtime, folder, log_path):
    super().__init__()
    self._runtime = runtime
    self._folder = folder
    self._log_path = log_path
    self._process = None
    self._num_starts = 0

  def start(self):
    # A new address each time: the former one may still be in use.
    self._num_starts += 1
    if self._runtime.kind == 'device':
      address = self._folder.address(f'{self._num_starts}.sock')
      command = _device_command(self._runtime, address)
    else:
      port = portpicker.pick_unused_port()
      address = f'127.0.0.1:{port}'
      command = _cpp_command(self._runtime, port)
    self._process = processes.Process(
        command,
        self._log_path,
        {**os.environ, 'PYTHONPATH': _python_path()},
    )
    self.connection = connections.Connection(
        address, 'the local worker', self._runtime.worker_deadline
    )

  def _wait(self):
    self.connection.wait_until_ready(
        _START_SECONDS, check=self._check_is_running
    )

  def _check_is_running(self):
    if not self._process.is_running():
      raise errors.WorkerError(
          f'{self.connection} {self._process.death_notice()}'
      )

  def recover(self, unused_lost):
    self.close()
    self.start()
    self._wait()

  def describe(self, lost):
    # The connection breaks a moment before the process can be waited for.
    if self._process.has_ended(seconds=1):
      return f'{self.connection} {self._process.death_notice()}'
    return f'{lost}{self._process.log_tail()}'

  def close(self):
    if self.connection is not None:
      self.connection.close()
    if self._process is not None:
      self._process.stop()


class _InProcessWorker(_Worker):
  """A device worker that is a part of this process."""

  def __init__(self, runtime):
    super().__init__()
    self._runtime = runtime
    self._server = None

  def start(self):
    # pylint: disable-next=g-import-not-at-top
    from tff_binary.runtime import worker  # Only for those who use it.

    self._server = worker.start(
        devices=self._runtime.devices,
        clients_per_device=self._runtime.clients_per_device,
    )
    self.connection = connections.Connection(
        self._server.address,
        'the worker in this process',
        self._runtime.worker_deadline,
    )

  def _wait(self):
    self.connection.wait_until_ready(_START_SECONDS)

  def recover(self, lost):
    raise lost

  def describe(self, lost):
    return str(lost)

  def close(self):
    if self.connection is not None:
      self.connection.close()
    if self._server is not None:
      self._server.stop()


def _cpp_command(runtime, port):
  """Returns the command that starts TFF's C++ worker."""
  num_clients = runtime.max_concurrent_clients or len(os.sched_getaffinity(0))
  return [
      str(_BINARY),
      f'--port={port}',
      f'--max_concurrent_computation_calls={num_clients}',
  ]


def _device_command(runtime, address):
  """Returns the command that starts this package's worker."""
  python = runtime.worker_python or sys.executable
  command = [
      shutil.which(python),
      '-m',
      'tff_binary.runtime.worker',
      f'--socket={address.removeprefix("unix:")}',
  ]
  if runtime.devices:
    command.append(f'--devices={",".join(runtime.devices)}')
  if runtime.clients_per_device is not None:
    command.append(f'--clients_per_device={runtime.clients_per_device}')
  return command


def _python_path():
  """Returns a PYTHONPATH by which a process finds this package."""
  paths = [str(_PACKAGES), *os.environ.get('PYTHONPATH', '').split(os.pathsep)]
  return os.pathsep.join(filter(None, paths))
