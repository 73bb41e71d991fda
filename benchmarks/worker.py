# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Seconds per round on this package's worker and on TFF's own.

  python -m benchmarks.worker

One process trains, with TFF's `build_weighted_fed_avg` and each of its two
training loops,

*   a CNN of four convolutions (images of 28 x 28, 96 examples a client, batches
    of 32) with 10 clients,
*   logistic regression (20 features, 10 examples a client, one batch) with 100
    and 1,000 clients, and with 10,000 if asked for by `--only`,

one round on each worker in turn, and prints the median seconds, the median of
the ratios of consecutive rounds and how far the weights are apart at the end.
The first round of each is not counted. Workers use all cores. A round is a
call of `process.next` over TFF's own remote executor.

`--worker_python=PATH` adds a worker under another Python, with another
TensorFlow. No data set is needed. Run it on a machine that has nothing else to
do, or with `--clock=cpu`.
"""

import argparse
import contextlib
import functools
import os
import pathlib
import subprocess
import sys

import grpc
import numpy as np
import portpicker
import tensorflow as tf
import tensorflow_federated as tff
from tensorflow_federated.python.core.environments.tensorflow_frontend import tensorflow_computation

from benchmarks import timing

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_CPP = pathlib.Path(tff.__file__).parent / 'data' / 'worker_binary'

_AIMS = {'cnn': 'at most 1.05', 'logistic': 'at most 1.00'}


def _cnn():
  layers = tf.keras.layers
  return tf.keras.Sequential([
      tf.keras.Input((28, 28, 1)),
      layers.Conv2D(32, 3, padding='same', activation='relu'),
      layers.MaxPooling2D(),
      layers.Conv2D(64, 3, padding='same', activation='relu'),
      layers.MaxPooling2D(),
      layers.Conv2D(128, 3, padding='same', activation='relu'),
      layers.Conv2D(128, 3, padding='same', activation='relu'),
      layers.GlobalAveragePooling2D(),
      layers.Dense(10),
  ])


def _logistic():
  return tf.keras.Sequential([
      tf.keras.Input((20,)),
      tf.keras.layers.Dense(2, kernel_initializer='zeros'),
  ])


# Model, shape of features, classes, clients, examples and batch of a client.
_TASKS = {
    'cnn 10': (_cnn, (28, 28, 1), 10, 10, 96, 32),
    'logistic 100': (_logistic, (20,), 2, 100, 10, 10),
    'logistic 1000': (_logistic, (20,), 2, 1000, 10, 10),
    'logistic 10000': (_logistic, (20,), 2, 10000, 10, 10),
}


def build(task, loop):
  """Returns a process and its clients' data sets."""
  build_model, shape, num_classes, num_clients, num_examples, batch = (
      _TASKS[task]
  )

  def model_fn():
    return tff.learning.models.from_keras_model(
        build_model(),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        input_spec=(
            tf.TensorSpec((None, *shape), tf.float32),
            tf.TensorSpec((None,), tf.int32),
        ),
        metrics=[tf.keras.metrics.SparseCategoricalAccuracy()],
    )

  random = np.random.RandomState(0)
  clients = [
      tf.data.Dataset.from_tensor_slices((
          random.randn(num_examples, *shape).astype(np.float32),
          random.randint(num_classes, size=num_examples).astype(np.int32),
      )).batch(batch)
      for _ in range(num_clients)
  ]
  process = tff.learning.algorithms.build_weighted_fed_avg(
      model_fn,
      client_optimizer_fn=tff.learning.optimizers.build_sgdm(0.05),
      loop_implementation=getattr(
          tff.learning.LoopImplementation, f'DATASET_{loop.upper()}'
      ),
  )
  return process, clients


@contextlib.contextmanager
def _device_worker(python, flags):
  process = subprocess.Popen(
      [
          python, '-m', 'tff_binary.runtime.worker', '--port=0',
          '--exit_with_parent', *flags,
      ],
      cwd=_ROOT,
      stdin=subprocess.DEVNULL,
      stdout=subprocess.PIPE,
      text=True,
  )  # pyformat: disable
  try:
    yield process.stdout.readline().split()[-1]
  finally:
    process.kill()
    process.wait()


@contextlib.contextmanager
def _cpp_worker():
  port = portpicker.pick_unused_port()
  cores = len(os.sched_getaffinity(0))
  process = subprocess.Popen(
      [_CPP, f'--port={port}', f'--max_concurrent_computation_calls={cores}'],
      stdin=subprocess.DEVNULL,
      stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL,
  )
  try:
    yield f'127.0.0.1:{port}'
  finally:
    process.kill()
    process.wait()


@contextlib.contextmanager
def create_context(address):
  """Yields TFF's context for the worker at an address."""
  channel = grpc.insecure_channel(
      address,
      [
          ('grpc.max_receive_message_length', -1),
          ('grpc.max_send_message_length', -1),
      ],
  )
  with channel:
    grpc.channel_ready_future(channel).result(timeout=60)
    stub = tff.framework.RemoteExecutorGrpcStub(channel)

    def create_executor(cardinalities):
      executor = tff.framework.RemoteExecutor(stub)
      executor.set_cardinalities({tff.CLIENTS: 0, **cardinalities})
      return executor

    yield tff.framework.SyncExecutionContext(
        executor_fn=tff.framework.ResourceManagingExecutorFactory(
            create_executor
        ),
        compiler_fn=tff.backends.native.desugar_and_transform_to_native,
        transform_args=tensorflow_computation.transform_args,
        transform_result=tensorflow_computation.transform_result,
    )


class Rounds:
  """A process on one worker; every call is a round."""

  def __init__(self, process, clients, context):
    self._process = process
    self._clients = clients
    self._context = context
    with tff.framework.get_context_stack().install(context):
      self._state = process.initialize()

  def __call__(self):
    with tff.framework.get_context_stack().install(self._context):
      self._state = self._process.next(self._state, self._clients).state

  def weights(self):
    # Outside of the context TFF starts a worker of its own and leaves it behind.
    with tff.framework.get_context_stack().install(self._context):
      weights = self._process.get_model_weights(self._state).trainable
    return np.concatenate([np.ravel(w) for w in weights])


def _parse_args():
  parser = argparse.ArgumentParser(
      description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  timing.add_flags(parser)
  parser.add_argument(
      '--only', nargs='+', choices=list(_TASKS), default=list(_TASKS)[:3]
  )
  parser.add_argument(
      '--skip_cpp', action='store_true', help="leaves TFF's own worker out"
  )
  parser.add_argument(
      '--loops',
      nargs='+',
      choices=['reduce', 'iterator'],
      default=['reduce', 'iterator'],
      help="TFF's training loops; reduce is its default",
  )
  parser.add_argument('--worker_python', help='another Python for a worker')
  parser.add_argument(
      '--clients_per_device', type=int, help='of the device worker'
  )
  return parser.parse_args()


def main():
  args = _parse_args()
  timing.print_machine()
  flags = []
  if args.clients_per_device:
    flags.append(f'--clients_per_device={args.clients_per_device}')
  workers = {} if args.skip_cpp else {'C++': _cpp_worker}
  workers['device'] = functools.partial(_device_worker, sys.executable, flags)
  if args.worker_python:
    workers['device, other Python'] = functools.partial(
        _device_worker, args.worker_python, flags
    )
  reference = next(iter(workers))
  rows = []
  with contextlib.ExitStack() as stack:
    contexts = {
        name: stack.enter_context(create_context(stack.enter_context(start())))
        for name, start in workers.items()
    }
    for task in args.only:
      for loop in args.loops:
        process, clients = build(task, loop)
        rounds = {
            name: Rounds(process, clients, context)
            for name, context in contexts.items()
        }
        seconds = timing.alternate(rounds, args)
        for name in workers:
          difference = np.abs(
              rounds[name].weights() - rounds[reference].weights()
          )
          rows.append([
              f'{task}, {loop}: {name}',
              float(np.median(seconds[name])),
              timing.ratio(seconds[name], seconds[reference]),
              f'{np.max(difference):.1e}',
              '' if name == reference else _AIMS[task.split()[0]],
          ])
  timing.print_table(
      rows, [f'{args.clock} seconds', 'median', 'ratio', 'difference', 'aim']
  )
  timing.print_machine()


if __name__ == '__main__':
  main()
