# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Memory that a client's training takes, FedBAT's beside FedAvg's.

  python -m benchmarks.client_memory

Section 7 of the FedBAT paper (Li et al., ICML 2024) says that a client needs
memory for one extra copy of the weights. This trains one client of a network
of equal dense layers with a tiny batch, so that weights are nearly all it
holds, each time in a new process, and prints the process's peak resident
memory minus that before it built the model, in copies of the weights (4 bytes
a parameter). Among them are the server's weights and the model's variables.
"""

import argparse
import dataclasses
import resource

from benchmarks import one_client
from benchmarks import timing

_BATCH_SIZE = 4


def _measure(name, num_layers, width):
  """Trains one client; prints the bytes before, at the peak and of a copy."""
  # The process that starts the others needs none of these.
  # pylint: disable=g-import-not-at-top
  import tensorflow as tf

  from tff_binary import algorithms
  from tff_binary import layers
  from tff_binary import learning
  # pylint: enable=g-import-not-at-top

  def build_layer():
    if name == 'fedavg':
      return None
    return layers.LearnableBinarization(
        **dataclasses.asdict(algorithms.FedBAT())
    )

  tf.linalg.matmul(tf.ones([1, 1]), tf.ones([1, 1]))  # Starts TensorFlow.
  before = one_client.resident_bytes()
  data = learning.client_dataset(
      tf.random.uniform([2 * _BATCH_SIZE, width]),
      tf.zeros([2 * _BATCH_SIZE], tf.int32),
      client_id=0,
  )
  model = learning.keras_model_fn(
      lambda: tf.keras.Sequential(
          [
              tf.keras.layers.Dense(width, use_bias=False)
              for _ in range(num_layers)
          ]
      ),
      data.element_spec,
  )()
  train = one_client.training(
      model,
      [build_layer() for _ in model.trainable_variables],
      learning.LocalTraining(local_epochs=2, batch_size=_BATCH_SIZE),
  )
  train(data)
  peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  print(before, peak, 4 * num_layers * width**2)


def _copies(name, args):
  """Returns the extra memory of a new process, in copies of the weights."""
  before, peak, copy = one_client.measured(
      'benchmarks.client_memory',
      name,
      {'num_layers': args.num_layers, 'width': args.width},
  )
  return (peak - before) / copy


def main():
  parser = argparse.ArgumentParser(
      description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--repeats', type=int, default=3)
  parser.add_argument('--num_layers', type=int, default=8)
  parser.add_argument('--width', type=int, default=4096)
  parser.add_argument('--measure', choices=['fedavg', 'fedbat'],
                      help='measure this one once, in this process')
  args = parser.parse_args()
  if args.measure:
    _measure(args.measure, args.num_layers, args.width)
    return
  copies = {'FedAvg': [], 'FedBAT': []}
  for _ in range(args.repeats):
    for name, values in copies.items():
      values.append(_copies(name.lower(), args))
  copies['FedBAT - FedAvg'] = [
      a - b for a, b in zip(copies['FedBAT'], copies['FedAvg'])
  ]
  timing.print_medians(copies, 'copies of the weights')


if __name__ == '__main__':
  main()
