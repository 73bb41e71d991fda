# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Errors of rounded updates, and of their mean, by the bits that they take.

  python -m benchmarks.update_error
  python -m benchmarks.update_error --task=fmnist --data_dir=DIR \
    --train_examples=15000

A task's model is trained for an epoch. From there some clients train on by
themselves, as FedAvg's do, and their updates are rounded in several ways. It
prints the bits for each kernel weight in what is sent, the squared error of an
update and of the mean of all clients' in shares of the squared norm, and the
cosine between the means. What is right on average has an error that falls with
the number of clients, what is not has one that stays.
"""

import argparse

import numpy as np
import tensorflow as tf

import tasks
from tff_binary import wire
from tff_binary.layers import learnable_binarization
from tff_binary.layers import learnable_ternarization
from tff_binary.ops import seeds
from tff_binary.ops import sizes


def _coded(codec, operator=None):
  """Returns a function from an update and a seed to bytes and what arrives.

  Args:
    codec: How the update is sent.
    operator: How a layer rounds it before, with its first step size; None for
      codecs that round.
  """

  def code(update, seed):
    if operator is not None:
      base = operator.initial_step_size(update)
      update = operator(update, base, tf.constant(0.0), seed)
    payload = codec.encode(update, seed)
    received = codec.decode(payload, tf.TensorSpec(update.shape, update.dtype))
    return sizes.num_bytes(payload), received

  return code


def _entropy_coded_eden(bits):
  return _coded(
      wire.EntropyCodec(wire.RotatedCodec(bits, quantizer='entropy'))
  )


CODES = {
    'scaled signs': _coded(wire.SignCodec()),
    'binary, FedBAT': _coded(
        wire.BinaryCodec(),
        learnable_binarization.Binarization(rho=0.0, step_scale=1.0),
    ),
    'EDEN, 1 bit': _coded(wire.RotatedCodec()),
    'QSGD, 1 level': _coded(wire.QSGDCodec(1, coding='elias')),
    'ternary, step 16': _coded(
        wire.EntropyCodec(wire.TernaryCodec()),
        learnable_ternarization.Ternarization(rho=0.0, step_scale=16.0),
    ),
    'EDEN, 0.5 bits': _entropy_coded_eden(0.5),
    'EDEN, 0.25 bits': _entropy_coded_eden(0.25),
    'EDEN, 0.1 bits': _entropy_coded_eden(0.1),
}


def _trained_updates(task, args):
  """Returns for each client the list of the updates of all kernels."""
  tf.keras.utils.set_random_seed(args.seed)
  model = task.build_model()
  model.compile(
      tf.keras.optimizers.SGD(args.learning_rate),
      tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
  )

  def fit(indices, epochs):
    model.fit(
        task.preprocess_train(task.train_features[indices]),
        task.train_labels[indices],
        batch_size=args.batch_size,
        epochs=epochs,
        verbose=0,
    )

  num_examples = len(task.train_labels)
  fit(np.arange(num_examples), 1)
  start, result = model.get_weights(), []
  clients = tasks.partition.split(
      'iid',
      task.train_labels,
      num_examples // args.client_examples,
      seed=args.seed,
  )
  for indices in clients[: args.num_clients]:
    model.set_weights(start)
    fit(indices, args.local_epochs)
    result.append([
        tf.constant(after - before)
        for after, before in zip(model.get_weights(), start)
        if before.ndim >= 2
    ])
  return result


def measure(code, updates):
  """Returns bits, the two errors and the cosine; see above.

  Args:
    code: One of `CODES`.
    updates: For each client a list of float32 tensors.
  """
  num_bytes, received = 0, []
  for client, update in enumerate(updates):
    received.append([])
    for i, tensor in enumerate(update):
      seed = seeds.fold_in([0, seeds.ENCODING_DRAWS], client, i)
      tensor_bytes, decoded = code(tensor, seed)
      num_bytes += int(tensor_bytes)
      received[-1].append(decoded)
  trained, received = (
      np.stack([
          np.concatenate([np.ravel(x) for x in update]) for update in clients
      ]).astype(np.float64)
      for clients in (updates, received)
  )
  means = np.mean(trained, axis=0), np.mean(received, axis=0)
  error = lambda x, y: np.sum((x - y) ** 2) / np.sum(x**2)
  cosine = np.dot(*means) / np.prod([np.linalg.norm(x) for x in means])
  bits = 8 * num_bytes / trained.size
  return bits, error(trained, received), error(*means), cosine


def main():
  parser = argparse.ArgumentParser(
      description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--task', default='digits')
  parser.add_argument('--data_dir')
  parser.add_argument('--train_examples', type=int)
  parser.add_argument('--num_clients', type=int, default=10)
  parser.add_argument('--client_examples', type=int, default=100)
  parser.add_argument('--local_epochs', type=int, default=10)
  parser.add_argument('--batch_size', type=int, default=64)
  parser.add_argument('--learning_rate', type=float, default=0.1)
  parser.add_argument('--seed', type=int, default=1)
  args = parser.parse_args()
  options = {
      name: getattr(args, name)
      for name in ('data_dir', 'train_examples')
      if getattr(args, name) is not None
  }
  task = tasks.load(args.task, seed=args.seed, **options)
  updates = _trained_updates(task, args)
  print(f'{"":18}{"bits":>8}{"error":>8}{"of the mean":>13}{"cosine":>8}')
  for name, code in CODES.items():
    bits, one, mean, cosine = measure(code, updates)
    print(f'{name:18}{bits:8.3f}{one:8.3f}{mean:13.3f}{cosine:8.3f}')


if __name__ == '__main__':
  main()
