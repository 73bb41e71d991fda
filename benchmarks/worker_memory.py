# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""By how many bytes the launcher and the worker grow with every client.

  python -m benchmarks.worker_memory --seconds=300

It trains clients of a small dense network, each from a data set of its own, in
rounds of `--num_clients`, on this package's worker, and prints the memory of
both processes after rounds, about a tenth of the time apart. Memory and slopes,
the latter in bytes a client, are those of `benchmarks.round_memory`.

No data set is needed. Both processes keep freed memory for themselves, as in
the launchers. `--worker_python=PATH` runs the worker under another Python, with
another TensorFlow.
"""

import argparse
import time

import numpy as np
import psutil
import tensorflow as tf

from benchmarks import round_memory
from tff_binary import algorithms
from tff_binary import learning
from tff_binary import runtime

_NUM_FEATURES = 8
_NUM_CLASSES = 4
_NUM_EXAMPLES = 20


def _model():
  return tf.keras.Sequential([
      tf.keras.Input((_NUM_FEATURES,)),
      tf.keras.layers.Dense(16, activation='relu'),
      tf.keras.layers.Dense(_NUM_CLASSES),
  ])


def _build(algorithm, num_clients):
  """Returns a learning process and its clients."""
  random = np.random.RandomState(0)
  clients = [
      learning.client_dataset(
          random.rand(_NUM_EXAMPLES, _NUM_FEATURES).astype(np.float32),
          random.randint(_NUM_CLASSES, size=_NUM_EXAMPLES).astype(np.int32),
          client_id,
      )
      for client_id in range(num_clients)
  ]
  spec = clients[0].element_spec
  process = algorithms.get(algorithm).build(
      learning.keras_model_fn(_model, spec),
      element_spec=spec,
      local_training=learning.LocalTraining(local_epochs=1, batch_size=10),
  )
  return process, clients


def measure(num_clients, seconds, algorithm='fedavg', worker_python=None):
  """Trains for some seconds; returns the memory after every round.

  Args:
    num_clients: How many clients a round has.
    seconds: When no further round is begun.
    algorithm: The name of an algorithm without client states.
    worker_python: The Python of the worker; None for this one.

  Returns:
    An array of shape `[rounds, 2]`: bytes of the launcher and of the worker.
  """
  process, clients = _build(algorithm, num_clients)
  launcher = psutil.Process()
  before = set(launcher.children())
  rows = []
  with runtime.execution_context(
      runtime.Runtime('device', worker_python=worker_python)
  ):
    (worker,) = set(launcher.children()) - before
    state = process.initialize()
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(rows) < 4:
      state = process.next(state, clients).state
      rows.append([round_memory.memory(p) for p in (launcher, worker)])
  return np.array(rows)


def main():
  parser = argparse.ArgumentParser(
      description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--seconds', type=float, default=120)
  parser.add_argument('--num_clients', type=int, default=200)
  parser.add_argument('--algorithm', default='fedavg',
                      help='of those without client states')
  parser.add_argument('--worker_python', help='another Python for the worker')
  args = parser.parse_args()
  runtime.keep_freed_memory()
  rows = measure(
      args.num_clients, args.seconds, args.algorithm, args.worker_python
  )
  print(f'{"clients":>9}{"launcher MB":>13}{"worker MB":>11}')
  for i in range(0, len(rows), max(1, len(rows) // 10)):
    launcher, worker = rows[i] / 1e6
    print(f'{(i + 1) * args.num_clients:9}{launcher:13.1f}{worker:11.1f}')
  launcher, worker = round_memory.slopes(rows) / args.num_clients
  print(f'bytes a client: launcher {launcher:.0f}, worker {worker:.0f}')


if __name__ == '__main__':
  main()
