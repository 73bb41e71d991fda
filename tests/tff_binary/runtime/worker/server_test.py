# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for the worker as a process and as a server."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import grpc
import tensorflow as tf

from tff_binary.runtime import worker
from tff_binary.runtime.worker import protocol
from tff_binary.runtime.worker import service

_ROOT = pathlib.Path(__file__).resolve().parents[4]
_SERVICE = '/tensorflow_federated.v0.ExecutorGroup/'


@contextlib.contextmanager
def run_worker(*flags, python=sys.executable, **kwargs):
  """Yields a worker process and its address; kills it afterwards."""
  process = subprocess.Popen(
      [python, '-m', 'tff_binary.runtime.worker', *flags],
      cwd=_ROOT,
      stdin=subprocess.DEVNULL,
      stdout=subprocess.PIPE,
      text=True,
      **kwargs,
  )
  try:
    line = process.stdout.readline()
    prefix, address = line.strip().rsplit(' ', 1)
    assert prefix == 'listening on', line
    yield process, address
  finally:
    process.kill()
    process.wait()
    process.stdout.close()


def _call(channel, method, request, response=protocol.GetExecutorResponse):
  """Calls a method with a message or with bytes."""
  if not isinstance(request, bytes):
    request = request.SerializeToString()
  return channel.unary_unary(
      _SERVICE + method, response_deserializer=response.FromString
  )(request, timeout=30)


def _get_executor(channel, num_clients=0):
  request = protocol.REQUESTS['GetExecutor']()
  cardinality = request.cardinalities.add(cardinality=num_clients)
  cardinality.placement.uri = 'clients'
  return _call(channel, 'GetExecutor', request).executor


def _make_certificates(folder):
  """Makes an authority `ca` and what it signed for `worker` and `client`."""

  def openssl(*args):
    subprocess.run(
        ['openssl', *args], cwd=folder, check=True, capture_output=True
    )

  key = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes')
  for authority in ('ca', 'stranger'):
    openssl(
        'req', '-x509', *key, '-days', '1', '-subj', f'/CN={authority}',
        '-keyout', f'{authority}.key', '-out', f'{authority}.pem',
    )
  for name in ('worker', 'client'):
    openssl(
        'req', *key, '-subj', f'/CN={name}', '-keyout', f'{name}.key',
        '-out', f'{name}.csr',
    )
    (pathlib.Path(folder) / 'names').write_text(
        'subjectAltName=DNS:localhost,IP:127.0.0.1'
    )
    openssl(
        'x509', '-req', '-in', f'{name}.csr', '-CA', 'ca.pem', '-CAkey',
        'ca.key', '-CAcreateserial', '-days', '1', '-extfile', 'names',
        '-out', f'{name}.pem',
    )


class ServerTest(parameterized.TestCase):
  """Calls without TFF to a server in this process."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    server = worker.start(
        devices=('CPU:0',), clients_per_device=2, max_message_megabytes=1
    )
    cls.addClassCleanup(server.stop)
    cls._channel = grpc.insecure_channel(
        server.address, [('grpc.max_send_message_length', -1)]
    )
    cls.addClassCleanup(cls._channel.close)
    cls._socket = server.address.removeprefix('unix:')

  def _create_value(self, value, executor=None):
    request = protocol.REQUESTS['CreateValue'](
        value=value, executor=executor or _get_executor(self._channel, 2)
    )
    return _call(
        self._channel, 'CreateValue', request, protocol.CreateValueResponse
    ).value_ref

  def _assert_serves(self):
    executor = _get_executor(self._channel)
    value = protocol.Value()
    value.array.dtype = 1
    value.array.float32_list.value.append(1.5)
    reference = self._create_value(value, executor)
    response = _call(
        self._channel,
        'Compute',
        protocol.REQUESTS['Compute'](executor=executor, value_ref=reference),
        protocol.ComputeResponse,
    )
    self.assertEqual(list(response.value.array.float32_list.value), [1.5])

  def test_socket_is_in_a_folder_of_this_user_alone(self):
    folder = pathlib.Path(self._socket).parent
    self.assertEqual(folder.stat().st_mode & 0o077, 0)

  def test_unknown_executor_may_be_created_anew(self):
    unknown = protocol.ExecutorId(id='0')
    with self.assertRaises(grpc.RpcError) as caught:
      self._create_value(protocol.Value(), unknown)
    self.assertEqual(
        caught.exception.code(), grpc.StatusCode.FAILED_PRECONDITION
    )
    for method in ('Dispose', 'DisposeExecutor'):
      _call(
          self._channel, method, protocol.REQUESTS[method](executor=unknown)
      )

  def test_disposed_value_is_unknown(self):
    executor = _get_executor(self._channel)
    value = protocol.Value()
    value.struct.SetInParent()
    reference = self._create_value(value, executor)
    compute = protocol.REQUESTS['Compute'](
        executor=executor, value_ref=reference
    )
    _call(self._channel, 'Compute', compute)
    _call(
        self._channel,
        'Dispose',
        protocol.REQUESTS['Dispose'](executor=executor, value_ref=[reference]),
    )
    with self.assertRaisesRegex(grpc.RpcError, 'There is no value'):
      _call(self._channel, 'Compute', compute)

  def test_values_of_a_client_that_is_gone_are_not_kept_for_ever(self):
    value = protocol.Value()
    value.struct.SetInParent()
    gone = _get_executor(self._channel)
    with mock.patch.object(service, '_MAX_IDLE_SECONDS', 60):
      _get_executor(self._channel)
      self._create_value(value, gone)
    with mock.patch.object(service, '_MAX_IDLE_SECONDS', 0):
      there = _get_executor(self._channel)
    self._create_value(value, there)
    with self.assertRaisesRegex(grpc.RpcError, 'There is no executor'):
      self._create_value(value, gone)

  def _assert_refused(self, code, call):
    with self.assertRaises(grpc.RpcError) as caught:
      call()
    self.assertEqual(caught.exception.code(), code)
    self._assert_serves()

  def test_bytes_that_are_no_message_are_refused(self):
    self._assert_refused(
        grpc.StatusCode.INTERNAL,
        lambda: _call(self._channel, 'CreateValue', b'\xff\xff\xff'),
    )

  def test_oversized_message_is_refused(self):
    self._assert_refused(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        lambda: _call(self._channel, 'CreateValue', bytes(2**20 + 1)),
    )

  def test_malformed_values_are_refused(self):
    def federated(uri, number):
      value = protocol.Value()
      value.federated.type.placement.value.uri = uri
      for _ in range(number):
        value.federated.value.add().struct.SetInParent()
      return value

    def tensorflow(graph_def):
      value = protocol.Value()
      value.computation.tensorflow.graph_def.value = graph_def
      result = value.computation.tensorflow.result
      result.tensor.tensor_name = 'missing:0'
      value.computation.type.function.result.tensor.dtype = 1
      return value

    bad_array = protocol.Value()
    bad_array.array.dtype = 1
    bad_array.array.content = b'1'
    for value in (
        protocol.Value(),
        federated('clients', 3),
        federated('nowhere', 2),
        tensorflow(b''),
        bad_array,
    ):
      with self.subTest(str(value)):
        self._assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT, lambda: self._create_value(value)
        )
    intrinsic = protocol.Value()
    intrinsic.computation.intrinsic.uri = 'federated_magic'
    self._assert_refused(
        grpc.StatusCode.UNIMPLEMENTED, lambda: self._create_value(intrinsic)
    )

  def test_computations_that_never_end_are_refused(self):
    """Each ran for ever or crashed the worker, for all of its clients."""

    def tensorflow(graph_def):
      value = protocol.Value()
      value.computation.tensorflow.graph_def.value = graph_def
      value.computation.tensorflow.result.tensor.tensor_name = 'a:0'
      value.computation.type.function.result.tensor.dtype = 1
      return value

    def cycle(number, op):
      graph_def = tf.compat.v1.GraphDef()
      for i in range(number):
        source = 'abc'[(i + 1) % number]
        node = graph_def.node.add(name='abc'[i], op=op, input=[source])
        node.attr['T'].type = tf.float32.as_datatype_enum
      return tensorflow(graph_def.SerializeToString())

    def recursion(number):
      graph_def = tf.compat.v1.GraphDef()
      graph_def.node.add(name='a', op='f0')
      for i in range(number):
        function = graph_def.library.function.add()
        function.signature.name = f'f{i}'
        function.signature.output_arg.add(name='y', type=1)
        called = f'f{(i + 1) % number}'
        function.node_def.add(name='call', op=called)
        function.ret['y'] = 'call:y:0'
      return tensorflow(graph_def.SerializeToString())

    # (lambda x: x(x))(lambda x: x(x))
    self_application = protocol.Value()
    call = self_application.computation.call
    for computation in (call.function, call.argument):
      function = getattr(computation, 'lambda')
      function.parameter_name = 'x'
      function.result.call.function.reference.name = 'x'
      function.result.call.argument.reference.name = 'x'

    for value in (
        *(cycle(n, op) for n in (1, 2, 3) for op in ('Identity', 'Neg')),
        recursion(1),
        recursion(2),
        self_application,
    ):
      with self.subTest(str(value)):
        self._assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT, lambda: self._create_value(value)
        )
    self._assert_serves()

  @parameterized.parameters(
      (dict(devices=('GPU:99',)), "no device 'GPU:99'; there are CPU:0"),
      (dict(devices=('CPU:0', 'CPU:0')), 'named twice'),
      (dict(clients_per_device=0), 'clients_per_device must be at least 1'),
      (dict(max_message_megabytes=0), r'must be in \[1, 2047\], got 0'),
  )
  def test_bad_argument_is_refused(self, kwargs, message):
    with self.assertRaisesRegex(ValueError, message):
      worker.start(**kwargs)

  def test_address_in_use_is_an_error(self):
    with socket.socket() as taken:
      taken.bind(('127.0.0.1', 0))
      taken.listen()
      port = taken.getsockname()[1]
      with self.assertRaisesRegex(OSError, f'cannot listen on .*{port}'):
        worker.start(f'127.0.0.1:{port}')


class ProcessTest(parameterized.TestCase):

  def test_package_and_flags_need_neither_tff_nor_tensorflow(self):
    program = (
        'import sys, tff_binary.runtime.worker as worker\n'
        'from tff_binary.runtime.worker import __main__\n'
        'assert "tensorflow" not in sys.modules\n'
        'worker.start\n'
        'assert "tensorflow" in sys.modules\n'
        'assert "tensorflow_federated" not in sys.modules\n'
    )
    subprocess.run([sys.executable, '-c', program], cwd=_ROOT, check=True)

  @parameterized.parameters(
      ([], 'one of the arguments --port --socket is required'),
      (['--port=0', '--socket=s'], 'not allowed with'),
      (['--socket=' + 108 * 's'], '1 to 107 bytes, got 108'),
      (['--port=70000'], r'--port must be in \[0, 65535\], got 70000'),
      (['--port=0', '--host=0.0.0.0'], 'can be reached from elsewhere'),
      (['--port=0', '--host='], 'can be reached from elsewhere'),
      (['--port=0', '--certificate=c'], 'go together'),
      (['--port=0', '--clients_per_device=0'], 'at least 1, got 0'),
      (['--port=0', '--max_message_megabytes=9999'], 'got 9999'),
      (['--port=0', '--colour=blue'], '--colour=blue'),
  )
  def test_bad_flag_is_one_line_and_status_2(self, flags, message):
    start = time.monotonic()
    result = subprocess.run(
        [sys.executable, '-m', 'tff_binary.runtime.worker', *flags],
        cwd=_ROOT, capture_output=True, text=True, check=False,
    )  # pyformat: disable
    self.assertEqual(result.returncode, 2)
    self.assertRegex(result.stderr, message)
    self.assertLen(result.stderr.splitlines(), 1)
    self.assertLess(time.monotonic() - start, 2, 'TensorFlow was imported')

  def test_mutual_tls_and_how_the_process_ends(self):
    folder = self.enter_context(tempfile.TemporaryDirectory())
    _make_certificates(folder)

    def read(name):
      return (pathlib.Path(folder) / name).read_bytes()

    with run_worker(
        '--port=0',
        '--host=0.0.0.0',
        f'--certificate={folder}/worker.pem',
        f'--private_key={folder}/worker.key',
        f'--client_authority={folder}/ca.pem',
        env={**os.environ, 'TF_CPP_MIN_LOG_LEVEL': '3'},
    ) as (process, address):
      target = f'localhost:{address.rsplit(":", 1)[1]}'

      def call(credentials):
        channel = (
            grpc.insecure_channel(target)
            if credentials is None
            else grpc.secure_channel(target, credentials)
        )
        with channel:
          return _get_executor(channel).id

      with self.subTest('client_with_certificate_is_served'):
        self.assertNotEmpty(
            call(
                grpc.ssl_channel_credentials(
                    read('ca.pem'), read('client.key'), read('client.pem')
                )
            )
        )
      for name, credentials in (
          ('no_tls', None),
          ('no_certificate', grpc.ssl_channel_credentials(read('ca.pem'))),
          (
              'certificate_of_another_authority',
              grpc.ssl_channel_credentials(
                  read('ca.pem'), read('stranger.key'), read('stranger.pem')
              ),
          ),
      ):
        with self.subTest(name), self.assertRaises(grpc.RpcError) as caught:
          call(credentials)
        self.assertEqual(
            caught.exception.code(), grpc.StatusCode.UNAVAILABLE
        )
      process.send_signal(signal.SIGTERM)
      self.assertEqual(process.wait(timeout=5), 0)
      self.assertEqual(process.stdout.read(), '', 'printed more than one line')

  def test_socket_is_private_and_interrupt_ends_worker(self):
    folder = self.enter_context(tempfile.TemporaryDirectory())
    path = f'{folder}/worker.sock'
    with run_worker(f'--socket={path}') as (process, address):
      self.assertEqual(address, f'unix:{path}')
      self.assertEqual(os.stat(path).st_mode & 0o077, 0)
      with grpc.insecure_channel(address) as channel:
        self.assertNotEmpty(_get_executor(channel).id)
      process.send_signal(signal.SIGINT)
      self.assertEqual(process.wait(timeout=5), 0)

  def test_worker_may_end_with_its_parent(self):
    program = (
        'import subprocess, sys\n'
        'p = subprocess.Popen([sys.executable, "-m",'
        ' "tff_binary.runtime.worker", "--port=0", "--exit_with_parent"],'
        ' stdout=subprocess.PIPE)\n'
        'p.stdout.readline()\n'
        'print(p.pid)\n'
    )
    result = subprocess.run(
        [sys.executable, '-c', program],
        cwd=_ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # pyformat: disable
    pid = int(result.stdout)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
      try:
        with open(f'/proc/{pid}/stat', encoding='utf-8') as stat:
          if stat.read().rsplit(')', 1)[1].split()[0] == 'Z':
            return
      except FileNotFoundError:
        return
      time.sleep(0.05)
    self.fail('the worker outlived its parent')


if __name__ == '__main__':
  absltest.main()
