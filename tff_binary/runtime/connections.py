# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Calls to one worker, which end whatever happens to the worker."""

from concurrent import futures
import contextlib
import socket
import threading
import time

import grpc

from tensorflow_federated.proto.v0 import executor_pb2
from tensorflow_federated.proto.v0 import executor_pb2_grpc
from tff_binary.runtime import errors

# Model weights exceed the default message size of 4 MB. A worker that is
# starting is found within a moment of its start. A proxy that the environment
# names must not see the calls.
_CHANNEL_OPTIONS = (
    ('grpc.max_receive_message_length', -1),
    ('grpc.max_send_message_length', -1),
    ('grpc.initial_reconnect_backoff_ms', 50),
    ('grpc.min_reconnect_backoff_ms', 1000),
    ('grpc.max_reconnect_backoff_ms', 200),
    ('grpc.enable_http_proxy', 0),
)

_PROBE_SECONDS = 5.0
_CONNECTING_SECONDS = 0.2
_NO_METHOD = f'/{__name__}/Nothing'

_UNREACHABLE = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
)


def _reason(method, request, seconds, codes):
  """Calls a method; returns the error, if it is of one of the codes, or None."""
  try:
    method(request, timeout=seconds)
  except grpc.RpcError as e:
    if e.code() in codes:
      return f'{e.code().name}: {e.details()}'
  return None


def read_credentials(certificate, private_key, worker_authority):
  """Returns `grpc.ChannelCredentials` from three PEM files."""
  contents = []
  for path in (worker_authority, private_key, certificate):
    with open(path, 'rb') as file:
      contents.append(file.read())
  return grpc.ssl_channel_credentials(*contents)


class Connection:
  """The connection to one worker, C++ or Python.

  While a call takes long the worker is asked, on the same channel, for
  something that it does not have. So a process that hangs is told from one that
  computes. The service itself may take long to answer: TFF's C++ worker answers
  no call while it disposes of an executor that still computes.
  """

  def __init__(self, address, name, deadline, credentials=None):
    """Opens the connection, to a worker that may not be there yet.

    Args:
      address: `host:port` or `unix:/path`.
      name: What errors call the worker.
      deadline: For how many seconds a worker may leave calls unanswered.
      credentials: `grpc.ChannelCredentials`; None to send all unencrypted.
    """
    self.name = name
    self._address = address
    self._is_encrypted = credentials is not None
    self._deadline = deadline
    if credentials is None:
      self._channel = grpc.insecure_channel(address, _CHANNEL_OPTIONS)
    else:
      self._channel = grpc.secure_channel(
          address, credentials, _CHANNEL_OPTIONS
      )
    self._service = executor_pb2_grpc.ExecutorGroupStub(self._channel)
    self._nothing = self._channel.unary_unary(_NO_METHOD)
    self._pending = set()
    self._unattended = set()
    self._lock = threading.Lock()

  def __str__(self):
    return self.name

  def close(self):
    """Closes the connection; calls under way fail."""
    self._channel.close()

  def cancel(self):
    """Ends the calls under way, with a `grpc.FutureCancelledError`."""
    with self._lock:
      for call in self._pending:
        call.cancel()

  def call(self, method, request, executor, is_abandoned):
    """Calls the worker and waits for its answer.

    Args:
      method: The name of a method of TFF's `ExecutorGroup` service.
      request: The request.
      executor: The `ExecutorId` that the request depends on, or None.
      is_abandoned: A function that says whether the answer is not needed any
        more. It says so before `cancel` is called.

    Returns:
      The response.

    Raises:
      WorkerLost: If the worker cannot be reached, the connection breaks, the
        worker has been started again since it made the executor, or it answers
        nothing for the deadline.
      grpc.RpcError: If the worker answers with an error.
      grpc.FutureCancelledError: After `cancel`.
    """
    call = getattr(self._service, method).future(request)
    with self._lock:
      self._pending.add(call)
    if is_abandoned():
      call.cancel()
    try:
      return self.watch(call)
    except grpc.RpcError as e:
      if self._is_loss(e.code(), executor):
        raise errors.WorkerLost(
            self, time.monotonic(), f'{e.code().name}: {e.details()}'
        ) from e
      raise
    finally:
      with self._lock:
        self._pending.discard(call)

  def call_later(self, method, request):
    """Calls the worker, without waiting and whether it answers or not."""
    call = getattr(self._service, method).future(request)
    self._unattended.add(call)  # It would be cancelled without a reference.
    call.add_done_callback(self._unattended.discard)

  def watch(self, future):
    """Waits for a future for as long as the worker answers probes.

    Args:
      future: Of a call to the worker, or of something that it waits for.

    Returns:
      The future's result.

    Raises:
      WorkerLost: If the worker answers nothing for the deadline.
    """
    last_answer = time.monotonic()
    probe_seconds = min(_PROBE_SECONDS, self._deadline / 3)
    while True:
      try:
        return future.result(timeout=probe_seconds)
      except (grpc.FutureTimeoutError, futures.TimeoutError):
        if future.done():  # With an error of that type.
          raise
      if self.probe(probe_seconds) is None:
        last_answer = time.monotonic()
      elif time.monotonic() - last_answer > self._deadline:
        future.cancel()
        raise errors.WorkerLost(
            self, last_answer, f'no answer for {self._deadline:g} seconds'
        )

  def probe(self, seconds):
    """Asks the worker's process for what it does not have.

    Args:
      seconds: How long it may take to answer.

    Returns:
      None if the process answers, or the reason why it does not.
    """
    return _reason(self._nothing, b'', seconds, _UNREACHABLE)

  def wait_until_ready(self, seconds, check=lambda: None):
    """Waits for the worker's service to answer.

    Args:
      seconds: How long it may take.
      check: Called several times a second; raises an exception if there is no
        use in waiting.

    Raises:
      WorkerError: If the service does not answer in time.
    """
    request = executor_pb2.DisposeRequest(
        executor=executor_pb2.ExecutorId(id='none')
    )
    codes = (*_UNREACHABLE, grpc.StatusCode.UNIMPLEMENTED)
    self._wait(
        lambda limit: _reason(self._service.Dispose, request, limit, codes),
        seconds,
        check=check,
    )

  def wait_until_back(self, seconds, since):
    """Waits for the process of a worker that was lost.

    Args:
      seconds: How long it may stay away.
      since: The time of its last answer, of `time.monotonic`.

    Raises:
      WorkerError: If the process does not answer in time.
    """
    self._wait(self.probe, seconds, since)

  def _wait(self, probe, seconds, since=None, check=lambda: None):
    end = (time.monotonic() if since is None else since) + seconds
    while (reason := probe(min(1.0, seconds))) is not None:
      check()
      if time.monotonic() > end:
        raise errors.WorkerError(
            f'{self} cannot be reached for {seconds:g} seconds'
            f' ({reason}){self._advice(reason)}'
        )
      # A channel goes on to connect only while a call is waiting for it, which
      # the probes do not: they fail at once.
      with contextlib.suppress(grpc.RpcError):
        self._nothing(b'', timeout=_CONNECTING_SECONDS, wait_for_ready=True)
      time.sleep(0.02)

  def _advice(self, reason):
    """Returns what to look at if somebody listens but does not understand.

    gRPC names certificates for some of the causes only: a client that is
    refused sees a closed socket.
    """
    host, _, port = self._address.rpartition(':')
    if self._address.startswith('unix:') or not reason.startswith(
        grpc.StatusCode.UNAVAILABLE.name
    ):
      return ''
    try:
      socket.create_connection((host.strip('[]'), int(port)), 1.0).close()
    except OSError:
      return ''
    if self._is_encrypted:
      return (
          '; somebody listens there. Does it use TLS, with a certificate for'
          ' this host name by the worker_authority? Is the certificate here one'
          " for clients, by the worker's --client_authority? Are both in date?"
      )
    return (
        '; somebody listens there. Does the worker demand certificates'
        ' (certificate, private_key and worker_authority)?'
    )

  def _is_loss(self, code, executor):
    """Whether an error is the connection's, or of a worker started anew."""
    if code is not grpc.StatusCode.FAILED_PRECONDITION:
      return code is grpc.StatusCode.UNAVAILABLE
    # A computation's own, unless the worker has forgotten its executors.
    request = executor_pb2.CreateStructRequest(executor=executor)
    with contextlib.suppress(grpc.RpcError):
      self._service.CreateStruct(
          request, timeout=min(_PROBE_SECONDS, self._deadline)
      )
      return False
    return True
