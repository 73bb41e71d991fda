# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Seconds until a process has trained its first round, model by model.

  python -m benchmarks.start_up --models 10 52 200 MobileNetV2

A model is the name of one of `tf.keras.applications`, without weights and for
images of 32 x 32, or a number of `Dense` kernels, one after the other. Each of

*   TFF's `build_weighted_fed_avg`,
*   FedAvg and FedBAT of this package

is built in a process of its own, which has TensorFlow imported, and trains two
clients of 25 examples together for two rounds in the device worker. Printed are
the seconds of the build, its initial weights included, and of either round, and
build and first round together, in seconds and compared with TFF's. Run it on a
machine that has nothing else to do, or with `--clock=cpu`.
"""

import argparse
from concurrent import futures
import multiprocessing
import time

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from benchmarks import timing
from tff_binary import algorithms
from tff_binary import learning
from tff_binary import runtime

_IMAGE_SHAPE = (32, 32, 3)
_NUM_CLASSES = 10
_CLIENT_SIZES = (13, 12)
_METHODS = ('TFF FedAvg', 'FedAvg', 'FedBAT')
_CLOCKS = {'wall': time.perf_counter, 'cpu': timing.cpu_seconds}


def _keras_model(name):
  if not name.isdigit():
    return getattr(tf.keras.applications, name)(
        input_shape=_IMAGE_SHAPE,
        weights=None,
        classes=_NUM_CLASSES,
        classifier_activation=None,
    )
  widths = [16] * (int(name) - 1) + [_NUM_CLASSES]
  return tf.keras.Sequential([
      tf.keras.Input(_IMAGE_SHAPE),
      tf.keras.layers.Flatten(),
      *[tf.keras.layers.Dense(width) for width in widths],
  ])


def _clients():
  random = np.random.RandomState(0)
  return [
      tf.data.Dataset.from_tensor_slices((
          random.rand(size, *_IMAGE_SHAPE).astype(np.float32),
          random.randint(_NUM_CLASSES, size=size).astype(np.int32),
      )).batch(5)
      for size in _CLIENT_SIZES
  ]


def _build(method, model, clients):
  model_fn = learning.keras_model_fn(
      lambda: _keras_model(model), clients[0].element_spec
  )
  if method in ('FedAvg', 'FedBAT'):
    return algorithms.get(method.lower()).build(model_fn)
  return tff.learning.algorithms.build_weighted_fed_avg(
      model_fn,
      client_optimizer_fn=tff.learning.optimizers.build_sgdm(0.1),
  )


def _seconds(model, method, clock):
  """Returns the seconds of the build and of two rounds."""
  now = _CLOCKS[clock]
  clients = _clients()
  with runtime.execution_context():
    times = [now()]
    process = _build(method, model, clients)
    state = process.initialize()
    times.append(now())
    for _ in range(2):
      state = process.next(state, clients).state
      times.append(now())
  return [float(x) for x in np.diff(times)]


def main():
  parser = argparse.ArgumentParser(
      description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument(
      '--models', nargs='+', default=['10', '52', '200', 'MobileNetV2']
  )
  parser.add_argument('--clock', choices=list(_CLOCKS), default='wall')
  args = parser.parse_args()
  timing.print_machine()
  for model in args.models:
    rows = []
    for method in _METHODS:
      # One process each: what one build has traced would help the next.
      with futures.ProcessPoolExecutor(
          1, multiprocessing.get_context('spawn')
      ) as pool:
        seconds = pool.submit(_seconds, model, method, args.clock).result()
      rows.append([f'{model} {method}', *seconds, seconds[0] + seconds[1]])
    timing.print_table(
        [[*row, row[-1] / rows[0][-1]] for row in rows],
        ['', 'build', 'first round', 'second', 'until trained', 'times TFF'],
    )
  timing.print_machine()


if __name__ == '__main__':
  main()
