# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The mean of bits that are coded with what both ends know about them."""

import collections
from collections.abc import Sequence
from typing import Any, Union

import tensorflow as tf
import tensorflow_federated as tff

from tff_binary.aggregators import messages
from tff_binary.aggregators import state as state_lib
from tff_binary.ops import sizes
from tff_binary.wire import codec as codec_lib
from tff_binary.wire import entropy

_CHANCES = 'chances'


class SideInformationMeanFactory(tff.aggregators.WeightedAggregationFactory):
  """Aggregation factory for the mean of masks, say, whose means were sent down.

  Where the server has sent to the clients how likely a bit is a one, both ends
  know it, and the bits take about their cross-entropy under these chances,
  often far less than under their mean. No published code was found to do so.

  A client's value is an `OrderedDict` of

  *   `update`: a list of float tensors. The compressed ones are sent by the
      codec, all others by the other codec.
  *   `received`: for each compressed tensor the chances, float32 of its shape,
      as the client has received them. They are not sent.

  Aggregation does not know them, so that it only collects the payloads; the
  server decodes all of them when it has them. A client with weight 0, or one
  that is not finite, sends no bits. The result is the weighted mean of
  `update`, measurements are those of `PackedMeanFactory`.

  The state is an `OrderedDict` of `chances`, those of the server: to the bit
  what clients have received, put there by `with_received` before each round.
  Otherwise decoding fails, with an error that names the client's place among
  all and the tensor.
  """

  def __init__(
      self,
      codec: entropy.EntropyCodec,
      is_compressed: Union[
          messages.IsCompressed, Sequence[bool]
      ] = messages.is_kernel,
      seed: int = 0,
      other_codec: codec_lib.Codec = codec_lib.Float32Codec(),
  ):
    """Initializes `SideInformationMeanFactory`.

    Args:
      codec: The codec of the compressed tensors, whose payload is nothing but
        one bit for each entry.
      is_compressed: See `PackedMeanFactory`, of the tensors of `update`.
      seed: See `PackedMeanFactory`.
      other_codec: See `PackedMeanFactory`.

    Raises:
      TypeError: If `codec` is not an `EntropyCodec`, or `other_codec` no
        `Codec`.
    """
    if not isinstance(codec, entropy.EntropyCodec):
      raise TypeError(
          f'Only an EntropyCodec takes known chances, got {codec!r}.'
      )
    codec_lib.check(other_codec=other_codec)
    self._codec = codec
    self._is_compressed = is_compressed
    self._seed = seed
    self._other_codec = other_codec

  def with_received(self, state: Any, chances: Sequence[Any]) -> Any:
    """Returns the aggregator's state for a round with these chances.

    Args:
      state: The state of the factory's process or of one around it.
      chances: For each compressed tensor what the server sends, float32.

    Returns:
      A state of the same type.

    Raises:
      ValueError: If the state holds none of this factory.
    """
    return state_lib.replace(
        state,
        _CHANCES,
        lambda old: list(chances),
        'a SideInformationMeanFactory',
    )

  def create(
      self, value_type: tff.Type, weight_type: tff.Type
  ) -> tff.templates.AggregationProcess:
    """Creates the process.

    Args:
      value_type: The type of one client's value, see above.
      weight_type: The type of a client's weight, a scalar.

    Returns:
      A `tff.templates.AggregationProcess`.

    Raises:
      TypeError: If the update holds anything but float tensors of static shape,
        or if `received` does not fit it.
      ValueError: See `PackedMeanFactory.create`.
    """
    update_type, received_type = value_type['update'], value_type['received']
    message_format = messages.MessageFormat(
        update_type, self._codec, self._is_compressed, self._other_codec
    )
    compressed_specs, other_specs = _divide(
        message_format.specs, message_format.is_compressed
    )
    # In which sums are made, see `messages.zero_sum`.
    decoded_specs = [
        tf.TensorSpec(spec.shape, codec_lib.wide(spec.dtype), spec.name)
        for spec in compressed_specs
    ]
    shapes = [tuple(s.shape) for s in compressed_specs]
    received_shapes = [tuple(t.shape) for t in received_type]
    if received_shapes != shapes:  # Python values.
      raise TypeError(
          'received must have the shapes of the compressed tensors,'
          f' {shapes}, got {received_type}.'
      )
    codecs = [self._codec.named(spec.name) for spec in compressed_specs]

    @tff.tensorflow.computation(value_type, weight_type)
    @tf.function
    def encode(value, weight):
      parts, weight = message_format.join(value['update'], weight)
      compressed, others = _divide(parts, message_format.is_compressed)
      part_seeds, other_seeds = _divide(
          message_format.part_seeds(parts, self._seed),
          message_format.is_compressed,
      )
      bits = []
      for codec, x, part_seed, chances in zip(
          codecs, compressed, part_seeds, value['received']
      ):
        payload = codec.encode(x, part_seed, chances)
        if list(payload) != ['bits']:
          raise ValueError(
              "The codec's payload must be 'bits' alone, got"
              f' {list(payload)}.'
          )
        bits.append(payload['bits'])
      # A client that has not trained has nothing to say, nor chances.
      is_used = tf.not_equal(messages.usable(weight), 0.0)
      bits = [x[: tf.size(x) * tf.cast(is_used, tf.int32)] for x in bits]
      return collections.OrderedDict(
          bits=tf.concat(bits, axis=0),
          sizes=tf.stack([tf.size(x) for x in bits]),
          others=[
              self._other_codec.encode(x, seed)
              for x, seed in zip(others, other_seeds)
          ],
          weight=weight,
      )

    message_type = encode.type_signature.result
    weight_dtype = message_type['weight'].dtype.type

    @tff.tensorflow.computation
    def zero():
      return collections.OrderedDict(
          bits=_no_rows([], tf.uint8),
          sizes=_no_rows([len(codecs)], tf.int32),
          weights=_no_rows([], weight_dtype),
          others=[messages.zero_sum(spec) for spec in other_specs],
          counts=messages.no_counts(),
      )

    sums_type = zero.type_signature.result

    def merge_sums(a, b):
      result = collections.OrderedDict()
      for name in a:
        if name in ('bits', 'sizes', 'weights'):
          result[name] = tf.concat([a[name], b[name]], axis=0)
        else:
          result[name] = tf.nest.map_structure(tf.add, a[name], b[name])
      return result

    @tff.tensorflow.computation(sums_type, message_type)
    @tf.function
    def accumulate(sums, message):
      weight = messages.usable(message['weight'])
      bits, lengths = message['bits'], message['sizes']
      return merge_sums(
          sums,
          collections.OrderedDict(
              bits=bits,
              sizes=lengths[tf.newaxis],
              weights=weight[tf.newaxis],
              others=[
                  self._other_codec.decode(
                      x, tf.TensorSpec(total.shape, total.dtype), weight
                  )
                  for x, total in zip(message['others'], sums['others'])
              ],
              counts=messages.counts_of(
                  message['weight'],
                  sizes.num_bytes([bits, lengths]),
                  sizes.num_bytes(message),
              ),
          ),
      )

    @tff.tensorflow.computation(sums_type, sums_type)
    def merge(a, b):
      return merge_sums(a, b)

    @tff.tensorflow.computation(sums_type)
    def report(sums):
      return sums

    @tff.tensorflow.computation
    def initialize():
      return collections.OrderedDict([
          (_CHANCES, [tf.zeros(spec.shape) for spec in compressed_specs])
      ])

    @tff.tensorflow.computation(initialize.type_signature.result, sums_type)
    @tf.function
    def decode(state, sums):
      weights = sums['weights']
      lengths = sums['sizes']
      ends = tf.reshape(tf.cumsum(tf.reshape(lengths, [-1])), tf.shape(lengths))

      def decode_client(client):
        return [
            codec.decode(
                collections.OrderedDict(bits=sums['bits'][end - length : end]),
                spec,
                weights[client],
                chances,
                client,
            )
            for codec, spec, chances, end, length in zip(
                codecs,
                decoded_specs,
                state[_CHANCES],
                tf.unstack(ends[client]),
                tf.unstack(lengths[client]),
            )
        ]

      def add_client(client, totals):
        totals = tf.cond(
            tf.not_equal(weights[client], 0.0),
            lambda: [t + x for t, x in zip(totals, decode_client(client))],
            lambda: totals,
        )
        return client + 1, totals

      _, totals = tf.while_loop(
          lambda client, _: client < tf.size(weights),
          add_client,
          (0, [messages.zero_sum(spec) for spec in compressed_specs]),
      )
      total_weight = tf.reduce_sum(tf.cast(weights, tf.float64))
      totals, others = iter(totals), iter(sums['others'])
      mean = [
          messages.mean_of(next(totals if c else others), total_weight, spec)
          for spec, c in zip(
              message_format.specs, message_format.is_compressed
          )
      ]
      return message_format.split(mean), message_format.measurements(
          sums['counts']
      )

    @tff.federated_computation
    def init_fn():
      return tff.federated_eval(initialize, tff.SERVER)

    @tff.federated_computation(
        init_fn.type_signature.result,
        tff.FederatedType(value_type, tff.CLIENTS),
        tff.FederatedType(weight_type, tff.CLIENTS),
    )
    def next_fn(state, value, weight):
      sums = tff.federated_aggregate(
          tff.federated_map(encode, (value, weight)),
          zero(),
          accumulate,
          merge,
          report,
      )
      mean, measurements = tff.federated_map(decode, (state, sums))
      return tff.templates.MeasuredProcessOutput(state, mean, measurements)

    return tff.templates.AggregationProcess(init_fn, next_fn)


def _divide(parts, is_compressed):
  """Returns the compressed parts and the others, two lists."""
  pairs = list(zip(parts, is_compressed))
  return [x for x, c in pairs if c], [x for x, c in pairs if not c]


def _no_rows(shape, dtype):
  """Returns a tensor of shape `[0, *shape]` that may get rows."""
  return tf.raw_ops.PlaceholderWithDefault(
      input=tf.zeros([0, *shape], dtype), shape=[None, *shape]
  )
