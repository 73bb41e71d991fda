# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs TFF's own tests of executions against a worker.

  git clone --depth=1 --branch=v0.87.0 \\
    https://github.com/google-parfait/tensorflow-federated tff
  python tests/conformance/run.py --tff_source=tff

prints, for each test module, how many tests ran, passed, failed and so on with
each of the `--workers`: `device`, the one of this package, `cpp`, TFF's own, or
the address of one that runs. It exits with status 1 if a test that passes with
`cpp` does not pass with another, or, without `cpp`, if any test fails.

Every module runs in a process of its own, in which TFF believes that it starts
its own worker. The last module takes about 17 GB of memory.
"""

import argparse
import contextlib
import gc
import importlib.util
import json
import os
import pathlib
import runpy
import socket
import subprocess
import sys
import tempfile
import time
import weakref

_ROOT = pathlib.Path(__file__).resolve().parents[2]

# Below tensorflow_federated/python.
_MODULES = (
    'tests/backend_test',
    'tests/sync_local_cpp_execution_context_test',
    'tests/async_execution_context_integration_test',
    'tests/mergeable_comp_execution_context_integration_test',
    'tests/map_reduce_form_test',
    'core/backends/test/execution_contexts_test',
    'core/backends/native/execution_contexts_test',
    'tests/remote_runtime_stream_structs_test',
)

_COUNTS = ('run', 'passed', 'failed', 'errors', 'skipped')

# How TFF starts its own binary, which is replaced here.
_NOT_ABOUT_WORKERS = ('SyncLocalCPPExecutionContextTest',)


def _parse_args():
  parser = argparse.ArgumentParser(
      description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--tff_source', required=True, help='checkout of TFF')
  parser.add_argument(
      '--workers', nargs='+', default=['device', 'cpp'],
      help='device, cpp or host:port (%(default)s)',
  )
  parser.add_argument('--modules', nargs='+', default=_MODULES)
  parser.add_argument(
      '--python', default=sys.executable, help='runs the device worker'
  )
  parser.add_argument(
      '--timeout', type=int, default=600, help='seconds for one module'
  )
  parser.add_argument('--child', nargs=2, help=argparse.SUPPRESS)
  return parser.parse_args()


@contextlib.contextmanager
def _worker(kind, python):
  """Yields the address of a worker of a kind, which is stopped afterwards."""
  if kind not in ('device', 'cpp'):
    yield kind
    return
  if kind == 'device':
    command = [python, '-m', 'tff_binary.runtime.worker', '--port=0']
    command.append('--exit_with_parent')
  else:
    with socket.socket() as free:
      free.bind(('127.0.0.1', 0))
      port = free.getsockname()[1]
    tff = importlib.util.find_spec('tensorflow_federated').origin
    binary = pathlib.Path(tff).parent / 'data' / 'worker_binary'
    command = [str(binary), f'--port={port}']
  process = subprocess.Popen(
      command,
      cwd=_ROOT,
      stdin=subprocess.DEVNULL,
      stdout=subprocess.PIPE if kind == 'device' else subprocess.DEVNULL,
      stderr=subprocess.DEVNULL,
      text=True,
  )
  try:
    if kind == 'device':
      yield process.stdout.readline().split()[-1]
    else:
      _wait_for_port(port)
      yield f'127.0.0.1:{port}'
  finally:
    process.kill()
    process.wait()


def _wait_for_port(port):
  deadline = time.monotonic() + 60
  while time.monotonic() < deadline:
    with contextlib.suppress(OSError):
      socket.create_connection(('127.0.0.1', port)).close()
      return
    time.sleep(0.1)
  raise TimeoutError(f'nothing listens on port {port}')


def _run_module(args, module, address):
  """Returns a dict from test names to outcomes."""
  with tempfile.NamedTemporaryFile() as report:
    command = [
        sys.executable, __file__, f'--tff_source={args.tff_source}',
        '--child', module, address,
    ]
    with contextlib.suppress(subprocess.TimeoutExpired):
      subprocess.run(
          command,
          stdin=subprocess.DEVNULL,
          stdout=subprocess.DEVNULL,
          stderr=sys.stderr,
          env={**os.environ, 'CONFORMANCE_REPORT': report.name},
          timeout=args.timeout,
          check=False,
      )
    text = pathlib.Path(report.name).read_text(encoding='utf-8')
  return json.loads(text) if text else None


def _run_in_this_process(tff_source, module, address):
  """Runs one module of TFF's tests; writes the outcomes to the report."""
  import unittest  # pylint: disable=g-import-not-at-top

  from absl import flags
  from absl.testing import absltest
  import grpc
  import tensorflow as tf
  import tensorflow_federated as tff
  from tensorflow_federated import python as tff_python
  from tensorflow_federated.proto.v0 import executor_pb2
  from tensorflow_federated.python.core.impl.executor_stacks import executor_factory

  sources = pathlib.Path(tff_source) / 'tensorflow_federated' / 'python'
  # The tests import helpers that the wheel does not have.
  tff_python.__path__.append(str(sources))
  import tensorflow_federated.python.tensorflow_libs as libs
  libs.__path__.append(str(sources / 'tensorflow_libs'))

  channel = grpc.insecure_channel(
      address,
      [
          ('grpc.max_receive_message_length', -1),
          ('grpc.max_send_message_length', -1),
      ],
  )
  stub = tff.framework.RemoteExecutorGrpcStub(channel)
  while not stub.is_ready:
    time.sleep(0.05)

  def create_factory(
      *,
      default_num_clients=0,
      max_concurrent_computation_calls=-1,
      stream_structs=False,
  ):
    del max_concurrent_computation_calls  # The worker's own affair.

    def create_executor(cardinalities):
      cardinalities.setdefault(tff.CLIENTS, default_num_clients)
      executor = tff.framework.RemoteExecutor(
          stub, stream_structs=stream_structs
      )
      executor.set_cardinalities(cardinalities)
      # Each test would have a worker of its own, which ends with it.
      weakref.finalize(
          executor,
          stub.dispose_executor,
          executor_pb2.DisposeExecutorRequest(executor=executor._executor_id),
      )
      return executor

    return tff.framework.ResourceManagingExecutorFactory(create_executor)

  executor_factory.local_cpp_executor_factory = create_factory
  tff.framework.local_cpp_executor_factory = create_factory

  class Result(unittest.TextTestResult):
    """Keeps the outcome of every test."""

    outcomes = {}

    def startTest(self, test):
      super().startTest(test)
      self.outcomes[test.id()] = 'passed'

    def stopTest(self, test):
      super().stopTest(test)
      gc.collect()

    def addError(self, test, err):
      super().addError(test, err)
      self.outcomes[test.id()] = 'errors'

    def addFailure(self, test, err):
      super().addFailure(test, err)
      self.outcomes[test.id()] = 'failed'

    def addSubTest(self, test, subtest, err):
      super().addSubTest(test, subtest, err)
      if err is not None:
        self.outcomes[test.id()] = 'failed'

    def addSkip(self, test, reason):
      super().addSkip(test, reason)
      self.outcomes[test.id()] = 'skipped'

  def run_tests():
    flags.FLAGS(sys.argv[:1])
    for name in _NOT_ABOUT_WORKERS:
      vars(sys.modules['__main__']).pop(name, None)
    suite = unittest.defaultTestLoader.loadTestsFromModule(
        sys.modules['__main__']
    )
    unittest.TextTestRunner(resultclass=Result).run(suite)
    pathlib.Path(os.environ['CONFORMANCE_REPORT']).write_text(
        json.dumps(Result.outcomes), encoding='utf-8'
    )
    # TFF leaves threads behind.
    os._exit(0)  # pylint: disable=protected-access

  absltest.main = run_tests
  tf.test.main = run_tests
  del sys.argv[1:]  # Some modules parse them as absl's flags.
  runpy.run_path(str(sources / f'{module}.py'), run_name='__main__')


def main():
  args = _parse_args()
  if args.child:
    _run_in_this_process(args.tff_source, *args.child)
    return 0
  outcomes = {}
  for kind in args.workers:
    with _worker(kind, args.python) as address:
      for module in args.modules:
        start = time.monotonic()
        outcomes[module, kind] = _run_module(args, module, address)
        seconds = time.monotonic() - start
        counts = _count(outcomes[module, kind])
        print(f'{module:60}{kind:10}{counts}  {seconds:.0f} s', flush=True)
  return int(_compare(args, outcomes))


def _count(outcomes):
  if outcomes is None:
    return 'no report: it crashed or took too long'
  counts = {'run': len(outcomes)}
  for name in _COUNTS[1:]:
    counts[name] = sum(outcome == name for outcome in outcomes.values())
  return '  '.join(f'{name} {counts[name]:3}' for name in _COUNTS)


def _compare(args, outcomes):
  """Prints the tests that should have passed; returns whether there are any."""
  found = False
  for (module, kind), results in outcomes.items():
    if kind == 'cpp' and len(args.workers) > 1:
      continue
    if results is None:
      print(f'{kind}: {module} has no report')
      found = True
      continue
    reference = outcomes.get((module, 'cpp')) or {}
    for test, outcome in results.items():
      if outcome in ('failed', 'errors') and reference.get(
          test, 'passed'
      ) == 'passed':
        print(f'{kind}: {outcome}: {test}')
        found = True
  return found


if __name__ == '__main__':
  sys.exit(main())
