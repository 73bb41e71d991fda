# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""TFF's `ExecutorGroup` service."""

import contextlib
import functools
import itertools
import logging
import threading
import time
import uuid

import grpc
import tensorflow as tf

from tff_binary.runtime.worker import functions as functions_lib
from tff_binary.runtime.worker import interpreter as interpreter_lib
from tff_binary.runtime.worker import protocol
from tff_binary.runtime.worker import values

# Functions are a few MB each; a learning process has about twenty.
_MAX_FUNCTIONS = 256

# The values of clients that are gone are kept for so long.
_MAX_IDLE_SECONDS = 3600

# A status message travels in a header of limited size.
_MAX_ERROR_LENGTH = 3000


class _UnknownExecutorError(Exception):
  """The client must create its executor anew: the worker has restarted."""


class _Executor:
  """The values that a client has created for one number of clients."""

  def __init__(self, interpreter):
    self.interpreter = interpreter
    self._values = {}
    self._ids = itertools.count()
    self._num_calls = 0
    self._last_call = time.monotonic()
    self._lock = threading.Lock()

  @contextlib.contextmanager
  def call(self):
    """Yields this executor, which is not idle meanwhile."""
    with self._lock:
      self._num_calls += 1
    try:
      yield self
    finally:
      with self._lock:
        self._num_calls -= 1
        self._last_call = time.monotonic()

  @property
  def idle_seconds(self):
    """For how long there has been no call."""
    with self._lock:
      return 0 if self._num_calls else time.monotonic() - self._last_call

  def add(self, value):
    """Keeps a value; returns a reference to it."""
    key = str(next(self._ids))
    self._values[key] = value
    return protocol.ValueRef(id=key)

  def get(self, reference):
    try:
      return self._values[reference.id]
    except KeyError:
      raise ValueError(f'There is no value {reference.id!r}.') from None

  def dispose(self, reference):
    self._values.pop(reference.id, None)


def _answers_errors(method):
  """Answers the exceptions of `method` as gRPC errors.

  FAILED_PRECONDITION and UNAVAILABLE are kept for what may be repeated: TFF's
  client does so for ever.
  """

  @functools.wraps(method)
  def answer(self, request, context):
    try:
      return method(self, request)
    except _UnknownExecutorError as error:
      code, message = grpc.StatusCode.FAILED_PRECONDITION, str(error)
    except NotImplementedError as error:
      code, message = grpc.StatusCode.UNIMPLEMENTED, str(error)
    except tf.errors.InvalidArgumentError as error:
      code, message = grpc.StatusCode.INVALID_ARGUMENT, error.message
    except tf.errors.OpError as error:
      code, message = grpc.StatusCode.INTERNAL, error.message
    except (ValueError, TypeError) as error:
      code, message = grpc.StatusCode.INVALID_ARGUMENT, str(error)
    except RecursionError:
      code = grpc.StatusCode.INVALID_ARGUMENT
      message = 'The computation is nested too deeply, or calls itself.'
    except Exception as error:  # pylint: disable=broad-exception-caught
      logging.exception('%s failed', method.__name__)
      code, message = grpc.StatusCode.INTERNAL, repr(error)
    context.abort(code, message[:_MAX_ERROR_LENGTH])

  return answer


class ExecutorGroup:
  """Answers the service's calls; every method takes and returns a message."""

  def __init__(self, pool):
    """Initializes the service.

    Args:
      pool: The `DevicePool` to compute on.
    """
    self._pool = pool
    self._functions = functions_lib.FunctionCache(_MAX_FUNCTIONS)
    self._executors = {}

  def _executor(self, request):
    """Returns a context manager of the executor that a request names."""
    try:
      return self._executors[request.executor.id].call()
    except KeyError:
      raise _UnknownExecutorError(
          f'There is no executor {request.executor.id!r}.'
      ) from None

  @_answers_errors
  def GetExecutor(self, request):
    num_clients = 0
    for cardinality in request.cardinalities:
      if cardinality.placement.uri == 'clients':
        num_clients = cardinality.cardinality
    if num_clients < 0:
      raise ValueError(
          f'The number of clients must be at least 0, got {num_clients}.'
      )
    for key, executor in list(self._executors.items()):
      if executor.idle_seconds > _MAX_IDLE_SECONDS:
        self._executors.pop(key, None)
    # Unlike a number, unknown to a worker that was started again.
    key = uuid.uuid4().hex
    self._executors[key] = _Executor(
        interpreter_lib.Interpreter(self._pool, self._functions, num_clients)
    )
    return protocol.GetExecutorResponse(executor=protocol.ExecutorId(id=key))

  @_answers_errors
  def CreateValue(self, request):
    with self._executor(request) as executor:
      value = executor.interpreter.value(request.value)
      return protocol.CreateValueResponse(value_ref=executor.add(value))

  @_answers_errors
  def CreateCall(self, request):
    with self._executor(request) as executor:
      function = executor.get(request.function_ref)
      argument = None
      if request.HasField('argument_ref'):
        argument = executor.get(request.argument_ref)
      result = executor.interpreter.call(function, argument)
      return protocol.CreateCallResponse(value_ref=executor.add(result))

  @_answers_errors
  def CreateStruct(self, request):
    with self._executor(request) as executor:
      struct = tuple(executor.get(e.value_ref) for e in request.element)
      return protocol.CreateStructResponse(value_ref=executor.add(struct))

  @_answers_errors
  def CreateSelection(self, request):
    with self._executor(request) as executor:
      element = interpreter_lib.select(
          executor.get(request.source_ref), request.index
      )
      return protocol.CreateSelectionResponse(value_ref=executor.add(element))

  @_answers_errors
  def Compute(self, request):
    with self._executor(request) as executor:
      response = protocol.ComputeResponse()
      values.to_message(executor.get(request.value_ref), response.value)
      return response

  @_answers_errors
  def Dispose(self, request):
    executor = self._executors.get(request.executor.id)
    if executor is not None:
      for reference in request.value_ref:
        executor.dispose(reference)
    return protocol.DisposeResponse()

  @_answers_errors
  def DisposeExecutor(self, request):
    self._executors.pop(request.executor.id, None)
    return protocol.DisposeExecutorResponse()


def handlers(service):
  """Returns the gRPC handler of an `ExecutorGroup`."""
  return grpc.method_handlers_generic_handler(
      protocol.SERVICE.full_name,
      {
          name: grpc.unary_unary_rpc_method_handler(
              getattr(service, name),
              request_deserializer=request.FromString,
              response_serializer=lambda response: response.SerializeToString(),
          )
          for name, request in protocol.REQUESTS.items()
      },
  )
