# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Several workers on this machine: the same result, their overlap, the scaling.

  python -m benchmarks.workers --workers 1 2 4

For each number of workers it starts as many processes, each of which computes
one client at a time in one thread, trains a CNN in them, and prints

*   a digest of the weights, which must be the same for every number,
*   the median seconds of a round and the speed-up over the first number,
*   when each worker computed its clients, by the clients' own clocks, in a
    round whose clients do nothing but count. A line stands for a worker, `#`
    for a client at work.

No data set is needed. It exits with status 1 if the digests differ. Run it on a
machine that has nothing else to do.
"""

import argparse
import contextlib
import hashlib
import os
import pathlib
from statistics import median
import subprocess
import sys
import time

import numpy as np
import portpicker
import tensorflow as tf
import tensorflow_federated as tff

from benchmarks import timing
from tff_binary import algorithms
from tff_binary import learning
from tff_binary import runtime

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_CPP = pathlib.Path(tff.__file__).parent / 'data' / 'worker_binary'

_IMAGE_SHAPE = (28, 28, 1)
_NUM_CLASSES = 10
_NUM_EXAMPLES = 96
_TRACE_WIDTH = 64


@contextlib.contextmanager
def _workers(kind, number):
  """Yields the addresses of new workers, which are stopped afterwards."""
  environment = {
      **os.environ,
      'TF_NUM_INTRAOP_THREADS': '1',
      'OMP_NUM_THREADS': '1',
  }
  processes = []
  addresses = []
  try:
    for _ in range(number):
      port = portpicker.pick_unused_port()
      command = [str(_CPP), '--max_concurrent_computation_calls=1']
      if kind == 'device':
        command = [sys.executable, '-m', 'tff_binary.runtime.worker']
        command += ['--devices=CPU:0', '--clients_per_device=1']
      processes.append(
          subprocess.Popen(
              [*command, f'--port={port}'],
              cwd=_ROOT,
              env=environment,
              stdin=subprocess.DEVNULL,
              stdout=subprocess.DEVNULL,
              stderr=subprocess.DEVNULL,
          )
      )
      addresses.append(f'127.0.0.1:{port}')
    yield addresses
  finally:
    for process in processes:
      process.kill()
      process.wait()


def _model():
  layers = tf.keras.layers
  kwargs = dict(padding='same', activation='relu')
  return tf.keras.Sequential([
      tf.keras.Input(_IMAGE_SHAPE),
      layers.Conv2D(16, 3, **kwargs),
      layers.MaxPool2D(),
      layers.Conv2D(32, 3, **kwargs),
      layers.MaxPool2D(),
      layers.Flatten(),
      layers.Dense(_NUM_CLASSES),
  ])


def _build(algorithm, num_clients):
  """Returns a learning process and its clients."""
  random = np.random.RandomState(0)
  clients = [
      learning.client_dataset(
          random.rand(_NUM_EXAMPLES, *_IMAGE_SHAPE).astype(np.float32),
          random.randint(_NUM_CLASSES, size=_NUM_EXAMPLES).astype(np.int32),
          client_id,
      )
      for client_id in range(num_clients)
  ]
  spec = clients[0].element_spec
  tf.keras.utils.set_random_seed(1)
  process = algorithms.get(algorithm).build(
      learning.keras_model_fn(_model, spec),
      element_spec=spec,
      local_training=learning.LocalTraining(local_epochs=2, batch_size=32),
      seed=1,
  )
  return process, clients


def _train(process, clients, initial_state, repeats):
  """Returns a digest of the final weights and the seconds of each round."""
  state = initial_state
  seconds = []
  for _ in range(repeats + 1):
    start = time.perf_counter()
    state = process.next(state, clients).state
    seconds.append(time.perf_counter() - start)
  digest = hashlib.sha256()
  for weights in tf.nest.flatten(process.get_model_weights(state).trainable):
    digest.update(weights.tobytes())
  return digest.hexdigest()[:16], seconds[1:]  # The first builds graphs.


@tff.tensorflow.computation(np.int32)
def _start_and_end(limit):
  """Counts; returns when that started and ended, in seconds."""
  start = tf.timestamp()
  with tf.control_dependencies([start]):
    count = tf.while_loop(lambda i: i < limit, lambda i: [i + 1], [0])[0]
  with tf.control_dependencies([count]):
    return start, tf.timestamp()


@tff.federated_computation(tff.FederatedType(np.int32, tff.CLIENTS))
def _trace(limits):
  return tff.federated_map(_start_and_end, limits)


def _print_trace(num_clients, num_workers):
  """Prints when the clients of each worker were computed."""
  _trace([1] * num_clients)  # Imports the graph.
  times = np.array(_trace([20_000] * num_clients))
  times -= times.min()
  step = times.max() / _TRACE_WIDTH
  busy = 0.0
  for worker in range(num_workers):
    # As the runtime deals them out.
    start, stop = (
        num_clients * i // num_workers for i in (worker, worker + 1)
    )
    line = [' '] * _TRACE_WIDTH
    for columns in (times[start:stop] / step).astype(int):
      for column in range(*columns):
        line[column] = '#'
    busy += np.ptp(times[start:stop])
    print(f'  |{"".join(line)}| {stop - start} clients')
  print(
      f'  {times.max():.2f} s in all; the workers were busy for {busy:.2f} s'
      ' together'
  )


def _parse_args():
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument('--workers', type=int, nargs='+', default=[1, 2, 4])
  parser.add_argument('--kind', choices=['cpp', 'device'], default='device')
  parser.add_argument(
      '--algorithm', choices=algorithms.names(), default='fedbat'
  )
  parser.add_argument('--num_clients', type=int, default=16)
  parser.add_argument('--repeats', type=int, default=5, help='timed rounds')
  return parser.parse_args()


def main():
  args = _parse_args()
  timing.print_machine()
  process, clients = _build(args.algorithm, args.num_clients)
  with runtime.execution_context():
    initial_state = process.initialize()
  rows = []
  for number in args.workers:
    with _workers(args.kind, number) as addresses:
      with runtime.execution_context(
          runtime.Runtime('remote', workers=addresses)
      ):
        digest, seconds = _train(process, clients, initial_state, args.repeats)
        first = rows[0][1] if rows else median(seconds)
        rows.append([number, median(seconds), first / median(seconds), digest])
        print(f'{number} workers ({args.kind})')
        _print_trace(args.num_clients, number)
  timing.print_table(
      rows, ['workers', 'seconds/round', 'speed-up', 'digest of the weights']
  )
  return int(len({digest for *_, digest in rows}) > 1)


if __name__ == '__main__':
  sys.exit(main())
