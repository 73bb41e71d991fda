# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Seconds that aggregating one client's update costs, per million parameters.

  python -m benchmarks.aggregator

Clients generate an update of one tensor with two values, and every factory
aggregates these same updates inside TFF; the mean stays there. The factories
take turns, and the first round of each is not counted. The time for generating
alone, measured in the same way, is subtracted; what remains is encoding,
accumulating and dividing.

*   `SumFactory`: a plain float32 sum without weights.
*   `MeanFactory`: TFF's weighted mean, what stock FedAvg uses.
*   `Float32Codec`, `BinaryCodec`: `PackedMeanFactory` with this codec.
*   `EncodedSumFactory`: TFF's own quantization, to 4 bits.

`--only` takes some of them.
"""

import argparse
import collections

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from benchmarks import timing
from tff_binary import aggregators
from tff_binary import runtime
from tff_binary import wire

_STEP_SIZE = 1e-3
_GENERATION = 'generation'

_FACTORIES = collections.OrderedDict(
    SumFactory=tff.aggregators.SumFactory(),
    MeanFactory=tff.aggregators.MeanFactory(),
    Float32Codec=aggregators.PackedMeanFactory(wire.Float32Codec()),
    BinaryCodec=aggregators.PackedMeanFactory(wire.BinaryCodec()),
    EncodedSumFactory=tff.aggregators.MeanFactory(
        tff.aggregators.EncodedSumFactory.quantize_above_threshold(
            quantization_bits=4, threshold=0
        )
    ),
)


def _computations(shape):
  """Returns a dict of computations from client ids to a mean at SERVER."""
  value_type = tff.TensorType(np.float32, shape)
  weight_type = tff.TensorType(np.float32)

  @tff.tensorflow.computation(np.int32)
  def generate(client_id):
    bits = tf.random.stateless_uniform(
        shape, [client_id, 0], None, None, tf.int32
    )
    return tf.where(bits > 0, _STEP_SIZE, -_STEP_SIZE)

  @tff.tensorflow.computation(value_type)
  def first_entry(value):
    return tf.reshape(value, [-1])[0]

  ids_type = tff.FederatedType(np.int32, tff.CLIENTS)

  @tff.federated_computation(ids_type)
  def generate_only(client_ids):
    values = tff.federated_map(generate, client_ids)
    return tff.federated_sum(tff.federated_map(first_entry, values))

  def aggregate_with(factory):
    is_weighted = isinstance(
        factory, tff.aggregators.WeightedAggregationFactory
    )
    types = (value_type, weight_type) if is_weighted else (value_type,)
    process = factory.create(*types)

    @tff.federated_computation(ids_type)
    def aggregate(client_ids):
      values = tff.federated_map(generate, client_ids)
      arguments = [process.initialize(), values]
      if is_weighted:
        arguments.append(tff.federated_value(1.0, tff.CLIENTS))
      output = process.next(*arguments)
      return tff.federated_map(first_entry, output.result)

    return aggregate

  return collections.OrderedDict(
      [(_GENERATION, generate_only)],
      **{name: aggregate_with(f) for name, f in _FACTORIES.items()},
  )


def _parse_args():
  parser = argparse.ArgumentParser(
      description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  timing.add_flags(parser)
  parser.add_argument('--num_clients', type=int, default=10)
  parser.add_argument(
      '--millions', type=int, default=4, help='parameters of an update'
  )
  parser.add_argument(
      '--only', nargs='+', choices=list(_FACTORIES), default=list(_FACTORIES)
  )
  return parser.parse_args()


def main():
  args = _parse_args()
  timing.print_machine()
  ids = list(range(args.num_clients))
  with runtime.execution_context():
    seconds = timing.alternate(
        {
            name: lambda computation=computation: computation(ids)
            for name, computation in _computations(
                (args.millions, 1000, 1000)
            ).items()
            if name in (_GENERATION, *args.only)
        },
        args,
    )
  timing.print_machine()
  timing.print_medians(seconds, f'{args.clock} seconds')
  print()
  units = args.num_clients * args.millions
  generation = seconds.pop(_GENERATION)
  milliseconds = {
      name: [1e3 * (a - b) / units for a, b in zip(times, generation)]
      for name, times in seconds.items()
  }
  references = [b for b in ('SumFactory', 'MeanFactory') if b in seconds]
  timing.print_table(
      [
          [
              name,
              timing.median(times),
              *(timing.ratio(times, milliseconds[b]) for b in references),
          ]
          for name, times in milliseconds.items()
      ],
      ['per client and million', 'ms', *(f'/ {b}' for b in references)],
  )


if __name__ == '__main__':
  main()
