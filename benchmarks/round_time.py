# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Seconds per round of FedBAT, FedAvg, TFF's own FedAvg and a loop without TFF.

  python -m benchmarks.round_time

One process trains the CNN of the FedBAT paper (389,920 kernel weights) on
random images with each of

*   FedAvg and FedBAT of this package, in float32 and in bfloat16,
*   TFF's `build_weighted_fed_avg` with its iterator loop, the clients reading
    the same files and taking the same number of steps,
*   the same local training and weighted mean in a `tf.function`, client after
    client, without TFF,
*   each of `--algorithms`, with its default hyper-parameters,

one round each in turn, and prints the median seconds and the medians of the
ratios of consecutive rounds. The first round of each is not counted. No data
set is needed. `--model` takes another model. `--worker_python=PATH` adds FedAvg
and FedBAT in a device worker under another Python, with another TensorFlow. Run
it on a machine that has nothing else to do, or with `--clock=cpu`.
"""

import argparse
import collections
import contextlib
import functools
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from benchmarks import timing
from tasks import models
from tff_binary import algorithms
from tff_binary import learning
from tff_binary import runtime

_IMAGE_SHAPE = (28, 28, 1)
_NUM_CLASSES = 10
_LEARNING_RATE = 0.1

_OTHER = ', other Python'

# What is divided by what, and what we aim at.
_RATIOS = (
    ('FedBAT', 'FedAvg', 'at most 1.08'),
    ('FedAvg', 'TFF FedAvg', 'at most 1.00'),
    ('FedBAT', 'TFF FedAvg', ''),
    ('FedAvg', 'loop without TFF', 'at most 1.10'),
    ('FedAvg bfloat16', 'FedAvg', 'below 1 with AVX512-BF16'),
    ('FedBAT bfloat16', 'FedBAT', 'below 1 with AVX512-BF16'),
    *[
        (f'{name}{_OTHER}', name.split()[0], '')
        for name in ('FedAvg', 'FedBAT', 'FedAvg bfloat16', 'FedBAT bfloat16')
    ],
)


def _preprocess(features):
  return tf.cast(features, tf.float32) / 127.5 - 1.0


def write_random_clients(folder, num_clients, num_examples):
  """Writes clients with random images; returns the store and its arrays."""
  random = np.random.RandomState(0)
  clients = [
      (
          random.randint(256, size=(num_examples,) + _IMAGE_SHAPE).astype(
              np.uint8
          ),
          random.randint(_NUM_CLASSES, size=num_examples).astype(np.int32),
      )
      for _ in range(num_clients)
  ]
  return learning.ClientStore.write(folder, clients), clients


def _build_model(args):
  return models.image_model(
      args.model, _IMAGE_SHAPE, _NUM_CLASSES, 'kaiming', 0
  )


def _model_fn(store, args, compute_dtype='float32'):
  return learning.keras_model_fn(
      _build_model(args),
      store.element_spec,
      preprocess_fn=_preprocess,
      compute_dtype=compute_dtype,
  )


def _process_round(process, dataset_computation, num_clients):
  """Returns a function that runs one round and keeps all states."""
  next_round = tff.simulation.compose_dataset_computation_with_computation(
      dataset_computation, process.next
  )
  ids = list(range(num_clients))
  kept = [process.initialize()]
  if isinstance(process, learning.StatefulLearningProcess):
    kept.append([process.initialize_client(i) for i in ids])

  def run_round():
    *kept[:], _ = next_round(*kept, ids)

  return run_round


def our_round(name, store, args, compute_dtype='float32'):
  """Returns a function that runs one round of an algorithm of this package."""
  process = algorithms.get(name).build(
      _model_fn(store, args, compute_dtype),
      element_spec=store.element_spec,
      local_training=learning.LocalTraining(
          local_epochs=args.local_epochs,
          batch_size=args.batch_size,
          optimizer=tff.learning.optimizers.build_sgdm(_LEARNING_RATE),
          preprocess_fn=_preprocess,
      ),
  )
  return _process_round(process, store.dataset_computation, args.num_clients)


def _tff_round(store, args):
  """Returns a function that runs one round of TFF's own FedAvg."""

  @tff.tensorflow.computation(np.int32)
  def read_batches(client_id):
    examples = store.dataset_computation(client_id).flat_map(
        lambda client: tf.data.Dataset.from_tensor_slices(
            (client['features'], client['labels'])
        )
    )
    # Batches end with the epoch, as in ours.
    return (
        examples.shuffle(args.num_examples)
        .batch(args.batch_size)
        .map(lambda features, labels: (_preprocess(features), labels))
        .repeat(args.local_epochs)
    )

  process = tff.learning.algorithms.build_weighted_fed_avg(
      _model_fn(store, args),
      client_optimizer_fn=tff.learning.optimizers.build_sgdm(_LEARNING_RATE),
      loop_implementation=tff.learning.LoopImplementation.DATASET_ITERATOR,
  )
  return _process_round(process, read_batches, args.num_clients)


def _loop_round(clients, args):
  """Returns a function that runs one round without TFF."""
  model = _build_model(args)()
  loss_fn = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
  server_weights = [tf.Variable(w, trainable=False) for w in model.weights]
  sums = [tf.Variable(tf.zeros_like(w), trainable=False) for w in model.weights]

  @tf.function
  def train_client(features, labels, weight):
    for variable, value in zip(model.weights, server_weights):
      variable.assign(value)
    num_examples = tf.shape(labels)[0]
    for _ in tf.range(args.local_epochs):
      order = tf.random.shuffle(tf.range(num_examples))
      for start in tf.range(0, num_examples, args.batch_size):
        indices = order[start : start + args.batch_size]
        with tf.GradientTape() as tape:
          logits = model(
              _preprocess(tf.gather(features, indices)), training=True
          )
          loss = loss_fn(tf.gather(labels, indices), logits)
        gradients = tape.gradient(loss, model.trainable_weights)
        for variable, gradient in zip(model.trainable_weights, gradients):
          variable.assign_sub(_LEARNING_RATE * gradient)
    for total, variable, initial in zip(sums, model.weights, server_weights):
      total.assign_add(weight * (variable - initial))

  @tf.function
  def apply_mean(total_weight):
    for variable, total in zip(server_weights, sums):
      variable.assign_add(total / total_weight)
      total.assign(tf.zeros_like(total))

  clients = [(tf.constant(x), tf.constant(y)) for x, y in clients]

  def run_round():
    for features, labels in clients:
      train_client(features, labels, tf.constant(float(len(labels))))
    apply_mean(tf.constant(float(sum(len(labels) for _, labels in clients))))

  return run_round


def _parse_args():
  parser = argparse.ArgumentParser(
      description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  timing.add_flags(parser)
  parser.add_argument('--num_clients', type=int, default=10)
  parser.add_argument('--num_examples', type=int, default=600, help='a client')
  parser.add_argument('--local_epochs', type=int, default=2)
  parser.add_argument('--batch_size', type=int, default=64)
  parser.add_argument(
      '--model', choices=sorted(models.IMAGE_MODELS), default='fedbat_cnn'
  )
  parser.add_argument(
      '--runtime', choices=['device', 'local'], default='device'
  )
  parser.add_argument('--worker_python', help='of a second device worker')
  parser.add_argument(
      '--concurrency', type=int, help='clients at a time; default: all cores'
  )
  parser.add_argument('--only', nargs='+', help='of the names in the table')
  parser.add_argument(
      '--algorithms',
      nargs='+',
      default=[],
      choices=algorithms.names(),
      help='timed beside those',
  )
  return parser.parse_args()


def main():
  args = _parse_args()
  runtime.keep_freed_memory()  # As the launchers do.
  timing.print_machine()
  option = 'max_concurrent_clients'
  if args.runtime == 'device':
    option = 'clients_per_device'
  settings = runtime.Runtime(args.runtime, **{option: args.concurrency})
  with contextlib.ExitStack() as stack:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    install = tff.framework.get_context_stack().install
    if args.worker_python:
      other = runtime.Runtime(
          'device',
          worker_python=args.worker_python,
          clients_per_device=args.concurrency,
      )
      stack.enter_context(runtime.execution_context(other))
      other_context = tff.framework.get_context_stack().current
    stack.enter_context(runtime.execution_context(settings))
    store, clients = write_random_clients(
        folder, args.num_clients, args.num_examples
    )

    def in_other_worker(build):
      with install(other_context):
        run_round = build()

      def run_in_other():
        with install(other_context):
          run_round()

      return run_in_other

    ours = {
        'FedAvg': functools.partial(our_round, 'fedavg', store, args),
        'FedBAT': functools.partial(our_round, 'fedbat', store, args),
    }
    ours.update({
        f'{name} bfloat16': functools.partial(build, 'bfloat16')
        for name, build in ours.items()
    })
    builders = collections.OrderedDict([
        *ours.items(),
        *[
            (f'{name}{_OTHER}', functools.partial(in_other_worker, build))
            for name, build in ours.items()
            if args.worker_python
        ],
        ('TFF FedAvg', lambda: _tff_round(store, args)),
        *[
            (name, functools.partial(our_round, name, store, args))
            for name in args.algorithms
        ],
        # The last, since a Keras model made in a graph, as TFF makes them,
        # spoils all those made eagerly before it.
        ('loop without TFF', lambda: _loop_round(clients, args)),
    ])
    unknown = {*(args.only or ())} - {*builders}
    if unknown:
      raise SystemExit(
          f'--only must be of {", ".join(builders)}, got'
          f' {", ".join(sorted(unknown))}'
      )
    seconds = timing.alternate(
        {
            name: build()
            for name, build in builders.items()
            if not args.only or name in (*args.only, *args.algorithms)
        },
        args,
    )
  timing.print_machine()
  timing.print_medians(seconds, f'{args.clock} seconds')
  print()
  ratios = [(name, 'FedAvg', '') for name in args.algorithms]
  timing.print_table(
      [
          [f'{a} / {b}', timing.ratio(seconds[a], seconds[b]), aim]
          for a, b, aim in (*_RATIOS, *ratios)
          if a in seconds and b in seconds
      ],
      ['', 'ratio', 'aim'],
  )


if __name__ == '__main__':
  main()
