# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The weighted mean of updates that clients send as packed bytes."""

import collections
from collections.abc import Sequence
from typing import Union

import tensorflow as tf
import tensorflow_federated as tff

from tff_binary.aggregators import messages
from tff_binary.ops import autograph
from tff_binary.wire import codec as codec_lib


class PackedMeanFactory(tff.aggregators.WeightedAggregationFactory):
  """Aggregation factory for the weighted mean of packed updates.

  The created `tff.templates.AggregationProcess` takes `<state, value, weight>`
  with `value` and `weight` placed at CLIENTS. Each client encodes its value
  with the codec, tensor by tensor, small ones that are not compressed as one;
  the payload and the weight are what enters `tff.federated_aggregate`.
  Accumulation decodes one client's payload, applies its step sizes and its
  weight and adds the result. The process returns
  `sum(weight * decode(encode(value))) / sum(weight)` at SERVER, or zeros if the
  weights sum to zero. A client whose value, weight or weighted value is not
  finite gets weight 0 and is counted.

  Since the result has the type of the value, the factory can be used wherever
  TFF takes a weighted factory, for example as the `model_aggregator` of
  `tff.learning.algorithms.build_weighted_fed_avg` or inside
  `tff.aggregators.clipping_factory` and `zeroing_factory`.

  Weights stay outside the payload: `tff.aggregators.MeanFactory` would multiply
  them in before encoding and so leave the grid of a lossless codec.

  The process has no state. Its measurements are

  *   `num_clients`: int32, the number of clients that sent an update.
  *   `num_non_finite_clients`: int32, how many of them got weight 0 because
      their value, their weight or the product was NaN or infinite.
  *   `num_compressed_params`: int64, the model parameters that one client's
      compressed tensors are about.
  *   `compressed_uplink_bytes`: int64, bytes of the compressed tensors'
      payloads, summed over the clients.
  *   `uplink_bytes`: int64, all bytes that entered the aggregation, summed
      over the clients.
  *   `num_dropped_clients`: int32, only with `on_off_grid='drop'`: how many
      clients got weight 0 for their off-grid values.

  The bytes are added up from the payloads' tensors when they are accumulated.
  """

  def __init__(
      self,
      codec: codec_lib.Codec,
      is_compressed: Union[
          messages.IsCompressed, Sequence[bool]
      ] = messages.is_kernel,
      on_off_grid: str = 'raise',
      seed: int = 0,
      other_codec: codec_lib.Codec = codec_lib.Float32Codec(),
  ):
    """Initializes `PackedMeanFactory`.

    Args:
      codec: The codec of the compressed tensors.
      is_compressed: Which tensors are compressed: a predicate on a
        `tf.TensorSpec` whose name is the tensor's path in the value, or one
        bool for each tensor in the order of the value's type. Unless the codec
        is `Float32Codec` there must be one.
      on_off_grid: What happens to a client with values that a lossless codec
        can't represent. `'raise'` fails the round with an error that names the
        tensor; `'drop'` gives the client weight 0 and counts it.
      seed: The seed of a codec that draws. A client's draws depend on it and on
        the update, and on nothing else: an equal update gets equal ones.
      other_codec: The codec of all other tensors, which by default travel in
        float32.

    Raises:
      TypeError: If `codec` or `other_codec` is not a `Codec`.
      ValueError: If `on_off_grid` is neither `'raise'` nor `'drop'`.
    """
    codec_lib.check(codec=codec, other_codec=other_codec)
    if on_off_grid not in ('raise', 'drop'):
      raise ValueError(
          f"on_off_grid must be 'raise' or 'drop', got {on_off_grid!r}."
      )
    self._codec = codec
    self._other_codec = other_codec
    self._is_compressed = is_compressed
    self._on_off_grid = on_off_grid
    self._seed = seed

  def create(
      self, value_type: tff.Type, weight_type: tff.Type
  ) -> tff.templates.AggregationProcess:
    """Creates the process.

    Args:
      value_type: The type of one client's value, float tensors of static shape.
      weight_type: The type of a client's weight, a scalar.

    Returns:
      A `tff.templates.AggregationProcess`.

    Raises:
      TypeError: If `value_type` holds anything but float tensors of static
        shape.
      ValueError: If `is_compressed` is a sequence of another length than the
        value has tensors, or holds for none of them.
    """
    encode = self.create_encode(value_type, weight_type)
    weighted_mean = messages.build_weighted_mean(
        self._message_format(value_type), encode.type_signature.result[0]
    )

    @tff.federated_computation
    def init_fn():
      return tff.federated_value((), tff.SERVER)

    @tff.federated_computation(
        init_fn.type_signature.result,
        tff.FederatedType(value_type, tff.CLIENTS),
        tff.FederatedType(weight_type, tff.CLIENTS),
    )
    def next_fn(state, value, weight):
      encoded, off_grid = tff.federated_map(encode, (value, weight))
      mean, measurements = weighted_mean(encoded)
      if self._on_off_grid == 'drop':  # Python values.
        measurements = tff.federated_map(
            _add_num_dropped, (measurements, tff.federated_sum(off_grid))
        )
      return tff.templates.MeasuredProcessOutput(state, mean, measurements)

    return tff.templates.AggregationProcess(init_fn, next_fn)

  def create_encode(
      self, value_type: tff.Type, weight_type: tff.Type
  ) -> tff.Computation:
    """Creates the computation that makes a client's message.

    Args:
      value_type: As in `create`.
      weight_type: As in `create`.

    Returns:
      A `tff.Computation` from `<value, weight>` to `<message, off_grid>`. The
      message is what enters `tff.federated_aggregate`: the payloads in the
      order of `value_type`, see `wire/FORMAT.md`, and the weight, NaN for a
      client that is not finite. `off_grid` is an int32, 1 if the codec can't
      represent the value.
    """
    message_format = self._message_format(value_type)
    drop = self._on_off_grid == 'drop'  # Python values.

    # Checks run inside a tf.function: directly in a TFF computation an
    # assertion is silently dropped.
    @autograph.as_written
    def encode_any(value, weight):
      parts, weight = message_format.join(value, weight)
      num_off_grid = message_format.num_off_grid(parts)
      off_grid = tf.add_n([tf.constant(0, tf.int64), *num_off_grid.values()])
      off_grid = off_grid > 0
      if drop:
        weight = tf.where(off_grid, tf.zeros_like(weight), weight)
      elif num_off_grid:
        is_on_grid = _check_on_grid(num_off_grid, self._codec)
        with tf.control_dependencies([is_on_grid]):
          weight = tf.identity(weight)
      payloads = message_format.encode(parts, self._seed)
      return (payloads, weight), tf.cast(off_grid, tf.int32)

    @tff.tensorflow.computation(value_type, weight_type)
    @tf.function
    def encode(value, weight):
      on_grid = message_format.encode_on_grid(value, weight, self._seed)
      if on_grid is None:
        return encode_any(value, weight)
      payloads, sent_weight, is_right = on_grid
      return tf.cond(
          is_right,
          lambda: ((payloads, sent_weight), tf.constant(0)),
          lambda: encode_any(value, weight),
      )

    return encode

  def _message_format(self, value_type):
    return messages.MessageFormat(
        value_type, self._codec, self._is_compressed, self._other_codec
    )


@tff.tensorflow.computation
def _add_num_dropped(measurements, num_dropped_clients):
  return collections.OrderedDict(
      measurements, num_dropped_clients=num_dropped_clients
  )


@autograph.as_written
def _check_on_grid(num_off_grid, codec):
  """Returns one assertion for all tensors; it names the worst of them."""
  names = [
      f'{spec.name} of shape {tuple(spec.shape)}' for spec in num_off_grid
  ]
  counts = tf.stack(list(num_off_grid.values()))
  worst = tf.argmax(counts)
  message = tf.strings.join([
      'Tensor ',
      tf.constant(names)[worst],
      f' has entries that {type(codec).__name__} cannot represent. A lossless'
      ' codec needs updates that were trained on its grid; use SignCodec for'
      " any others, or on_off_grid='drop'. Number of such entries: ",
      tf.strings.as_string(counts[worst]),
  ])
  return tf.debugging.Assert(tf.equal(counts[worst], 0), [message])
