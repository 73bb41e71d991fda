# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What this machine's GPUs make of TFF clients: placement, speed, utilisation.

  python -m benchmarks.gpu
  python -m benchmarks.gpu --worker_python=gpu-env/bin/python

The worker runs on all GPUs, and on the CPU of the same machine for comparison.
TFF's FedAvg trains a CNN of four convolutions on random images, with TFF's
default training loop. It prints

*   where TensorFlow placed the variables, convolutions and matrix products of
    the clients, and their data pipelines, which belong on the CPU,
*   examples per second on the CPU, and on the GPUs with 1, 2 and 4 clients per
    device at a time,
*   the GPUs' mean utilisation and largest memory meanwhile, by `nvidia-smi`,
*   how far the weights after one round are from those of the CPU.

Without a GPU it says so and uses two logical CPU devices in their place, so
that the program can be tried anywhere.
"""

import argparse
import collections
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from benchmarks import timing
from benchmarks import worker as worker_benchmark

_ROOT = pathlib.Path(__file__).resolve().parent.parent

# A worker that logs placements, or has logical devices, before TensorFlow
# starts. Its arguments: whether to log, number of CPU devices, the flags.
_WORKER = """
import sys
import tensorflow as tf
from tff_binary.runtime.worker import __main__
tf.debugging.set_log_device_placement(sys.argv[1] == 'log')
(cpu,) = tf.config.list_physical_devices('CPU')
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * int(sys.argv[2]))
__main__.main(sys.argv[3:])
"""

_PLACED = re.compile(
    r'\((VarHandleOp|Conv2D\w*|MatMul|MakeIterator|IteratorGetNext\w*'
    r'|Optional\w+|\w*Dataset\w*)\): \S*device:([CG]PU:\d+)'
)


@contextlib.contextmanager
def _worker(args, devices, clients_per_device, log_path=None):
  """Yields TFF's context for a worker on some devices."""
  num_cpus = 1 + sum(device.startswith('CPU') for device in devices)
  command = [
      args.worker_python, '-c', _WORKER, 'log' if log_path else '',
      str(num_cpus), '--port=0', '--exit_with_parent',
      f'--devices={",".join(devices)}',
      f'--clients_per_device={clients_per_device}',
  ]  # pyformat: disable
  with open(log_path or os.devnull, 'wb') as log:
    process = subprocess.Popen(
        command,
        cwd=_ROOT,
        env={**os.environ, 'TF_CPP_MIN_LOG_LEVEL': '0' if log_path else '2'},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
  try:
    address = process.stdout.readline().split()[-1]
    with worker_benchmark.create_context(address) as context:
      yield context
  finally:
    process.kill()
    process.wait()


def _find_gpus(python):
  """Returns the names of the GPUs that a Python's TensorFlow can use."""
  program = (
      'import tensorflow as tf\n'
      'for gpu in tf.config.list_logical_devices("GPU"):\n'
      '  print("GPU:" + gpu.name.rsplit(":", 1)[1])\n'
  )
  result = subprocess.run(
      [python, '-c', program],
      stdout=subprocess.PIPE,
      stderr=subprocess.DEVNULL,
      text=True,
      check=True,
  )
  return result.stdout.split()


class _Utilisation:
  """Samples nvidia-smi while a block runs."""

  def __init__(self):
    self._samples = []
    self._done = threading.Event()
    self._thread = threading.Thread(target=self._sample)

  def __enter__(self):
    self._thread.start()
    return self

  def __exit__(self, *unused_error):
    self._done.set()
    self._thread.join()

  def _sample(self):
    while shutil.which('nvidia-smi') and not self._done.wait(0.2):
      result = subprocess.run(
          [
              'nvidia-smi', '--query-gpu=utilization.gpu,memory.used',
              '--format=csv,noheader,nounits',
          ],
          capture_output=True, text=True, check=False,
      )  # pyformat: disable
      self._samples.extend(
          [float(x) for x in line.split(',')]
          for line in result.stdout.splitlines()
          if re.fullmatch(r'\s*\d+\s*,\s*\d+\s*', line)
      )

  def describe(self):
    if not self._samples:
      return '-'
    percent, megabytes = np.array(self._samples).T
    return f'{percent.mean():.0f} %, {megabytes.max():.0f} MB'


def _build(args):
  """Returns a process and its clients' data sets."""
  process, _ = worker_benchmark.build('cnn 10', 'reduce')
  random = np.random.RandomState(0)
  clients = [
      tf.data.Dataset.from_tensor_slices((
          random.randn(args.num_examples, 28, 28, 1).astype(np.float32),
          random.randint(10, size=args.num_examples).astype(np.int32),
      )).batch(args.batch_size)
      for _ in range(args.num_clients)
  ]
  return process, clients


def _print_placement(args, devices, process, clients):
  """Trains a round with a log of placements; prints where operations are."""
  with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, 'log')
    with _worker(args, devices, 1, path) as context:
      worker_benchmark.Rounds(process, clients[: 2 * len(devices)], context)()
    lines = pathlib.Path(path).read_text(errors='replace').splitlines()
  found = collections.Counter()
  for line in lines:
    if match := _PLACED.search(line):
      found[match.groups()] += 1
  columns = sorted({device for _, device in found})
  timing.print_table(
      [
          [operation, *(found[operation, device] for device in columns)]
          for operation in sorted({operation for operation, _ in found})
      ],
      ['placed (lines of the log)', *columns],
  )


def _examples_per_second(args, rounds):
  start = time.perf_counter()
  for _ in range(args.repeats):
    rounds()
  seconds = time.perf_counter() - start
  return args.repeats * args.num_clients * args.num_examples / seconds


def _parse_args():
  parser = argparse.ArgumentParser(
      description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--num_clients', type=int, default=16)
  parser.add_argument('--num_examples', type=int, default=640, help='a client')
  parser.add_argument('--batch_size', type=int, default=64)
  parser.add_argument('--repeats', type=int, default=3, help='timed rounds')
  parser.add_argument(
      '--clients_per_device', type=int, nargs='+', default=[1, 2, 4]
  )
  parser.add_argument(
      '--worker_python',
      default=sys.executable,
      help='the Python whose TensorFlow knows the GPUs',
  )
  return parser.parse_args()


def main():
  args = _parse_args()
  timing.print_machine()
  gpus = _find_gpus(args.worker_python)
  if gpus:
    print('GPUs:', ', '.join(gpus))
  else:
    print('no GPU: logical CPU devices')
  devices = gpus or ['CPU:1', 'CPU:2']
  process, clients = _build(args)
  _print_placement(args, devices, process, clients)
  print()
  cores = len(os.sched_getaffinity(0))
  configurations = [
      (['CPU:0'], cores), *((devices, k) for k in args.clients_per_device)
  ]
  rows = []
  reference = None
  for devices, clients_per_device in configurations:
    with _worker(args, devices, clients_per_device) as context:
      rounds = worker_benchmark.Rounds(process, clients, context)
      rounds()
      weights = rounds.weights()
      reference = weights if reference is None else reference
      with _Utilisation() as utilisation:
        speed = _examples_per_second(args, rounds)
    rows.append([
        f'{",".join(devices)} x {clients_per_device}',
        f'{speed:.0f}',
        utilisation.describe(),
        f'{np.max(np.abs(weights - reference)):.1e}',
    ])
  timing.print_table(
      rows,
      ['devices x clients', 'examples/s', 'GPU', 'difference after 1 round'],
  )
  timing.print_machine()


if __name__ == '__main__':
  main()
