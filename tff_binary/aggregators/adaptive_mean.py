# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The weighted mean of updates with as many levels as the loss asks for."""

import collections
from collections.abc import Sequence
from typing import Any, Union

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary.aggregators import messages
from tff_binary.aggregators import state as state_lib
from tff_binary.ops import level_schedules
from tff_binary.ops import sizes
from tff_binary.wire import codec as codec_lib
from tff_binary.wire import qsgd

LevelSchedule = Union[level_schedules.LossRatio, level_schedules.Plateau]

_SCHEDULE = 'level_schedule'
_WEIGHT_SUMS = 'weight_sums'


class AdaptiveMeanFactory(tff.aggregators.WeightedAggregationFactory):
  """Aggregation factory for the mean of updates quantized with s levels.

  Like `PackedMeanFactory`, and with all its measurements; but the server tells
  the clients with how many levels they are to quantize. A schedule changes the
  number with the loss. A loss is no argument of an aggregation process:
  `with_loss` puts it into the state, between the rounds or, by
  `LossFeedbackFactory`, inside them. Until it is, the levels stay what they are
  at first.

  With `by_weight`, clients of more weight use more levels, see
  `level_schedules.weight_scale`, which takes sums over the clients' weights. In
  one phase these are the sums of the last round with a client that could be
  used, which the state keeps; before it all clients use the schedule's levels.
  In two phases they are the round's own: clients send their weights, and the
  server answers before they quantize. DAdaQuant's paper means the second; the
  first is this package's and what all of TFF's engines can run, whose rounds
  are one broadcast and one aggregation.

  The state is an `OrderedDict` with the schedule's state as `level_schedule`
  and, with `by_weight` in one phase, the sums as `weight_sums`. The further
  measurements are

  *   `levels`: int32, the schedule's number of levels in this round.
  *   `downlink_bytes_per_client`: int64, bytes that the aggregation sends to
      each client.
  *   `weights`: only with `by_weight`, the `uplink_bytes` of the weights that
      entered the aggregation of their sums.
  """

  def __init__(
      self,
      codec: qsgd.QSGDCodec,
      schedule: LevelSchedule,
      is_compressed: Union[
          messages.IsCompressed, Sequence[bool]
      ] = messages.is_kernel,
      by_weight: bool = False,
      seed: int = 0,
      phases: int = 1,
      other_codec: codec_lib.Codec = codec_lib.Float32Codec(),
  ):
    """Initializes `AdaptiveMeanFactory`.

    Args:
      codec: The codec of the compressed tensors.
      schedule: Gives the codec its levels.
      is_compressed: See `PackedMeanFactory`.
      by_weight: Whether clients' levels depend on their weights.
      seed: See `PackedMeanFactory`.
      phases: With `by_weight`, 1 for levels from the weights of the round
        before, 2 for a round trip of the weights in each round.
      other_codec: See `PackedMeanFactory`.

    Raises:
      TypeError: If `codec` is not a `QSGDCodec`, or `other_codec` no `Codec`.
      ValueError: If the schedule has more levels than the codec, or if `phases`
        is neither 1 nor 2.
    """
    if not isinstance(codec, qsgd.QSGDCodec):
      raise TypeError(
          f'Only a QSGDCodec takes other levels each round, got {codec!r}.'
      )
    if schedule.max_levels > qsgd.MAX_LEVELS:
      raise ValueError(
          f'max_levels must be at most {qsgd.MAX_LEVELS}, got'
          f' {schedule.max_levels}.'
      )
    check_phases(phases)
    codec_lib.check(other_codec=other_codec)
    self._codec = codec
    self._schedule = schedule
    self._is_compressed = is_compressed
    self._by_weight = by_weight
    self._seed = seed
    self._phases = phases
    self._other_codec = other_codec

  def with_loss(self, state: Any, loss: Any) -> Any:
    """Returns the aggregator's state for a round that follows from this loss.

    For `tff.learning.algorithms.build_weighted_fed_avg`, where no loss reaches
    the aggregator, it is called between the rounds, with the training loss of
    the last one. `LossFeedbackFactory` calls it inside the rounds.

    Args:
      state: The state of the factory's process or of one around it, such as
        that of `tff.aggregators.clipping_factory` or a whole
        `tff.learning.templates.LearningAlgorithmState`.
      loss: A scalar. One that is not finite changes nothing.

    Returns:
      A state of the same type.

    Raises:
      ValueError: If the state holds none of this factory.
    """
    loss = tf.cast(loss, tf.float32)

    def next_state(schedule_state):
      schedule_state = collections.OrderedDict(
          (k, tf.convert_to_tensor(v)) for k, v in schedule_state.items()
      )
      return self._schedule.next(schedule_state, loss)

    return state_lib.replace(
        state, _SCHEDULE, next_state, 'an AdaptiveMeanFactory'
    )

  def create(
      self, value_type: tff.Type, weight_type: tff.Type
  ) -> tff.templates.AggregationProcess:
    """Creates the process, see `PackedMeanFactory.create`."""
    message_format = messages.MessageFormat(
        value_type, self._codec, self._is_compressed, self._other_codec
    )

    remembers_weights = self._by_weight and self._phases == 1  # Python values.

    @tff.tensorflow.computation
    def initialize():
      state = collections.OrderedDict([
          (_SCHEDULE, self._schedule.initial_state())
      ])
      if remembers_weights:
        state[_WEIGHT_SUMS] = _no_weights()
      return state

    state_type = initialize.type_signature.result

    @tff.tensorflow.computation(state_type)
    def levels_of(state):
      return state[_SCHEDULE]['levels']

    @tff.tensorflow.computation(state_type)
    def tell(state):
      levels = levels_of(state)
      if not remembers_weights:
        return levels
      scale = level_schedules.weight_scale(levels, **state[_WEIGHT_SUMS])
      return collections.OrderedDict(levels=levels, scale=scale)

    # What the server tells the clients.
    told_type = tell.type_signature.result
    if self._by_weight and not remembers_weights:
      told_type = np.float32

    @tff.tensorflow.computation(told_type, value_type, weight_type)
    @tf.function
    def encode(told, value, weight):
      levels = told
      if self._by_weight:
        scale = told['scale'] if remembers_weights else told
        levels = level_schedules.levels_of_weight(
            scale, tf.cast(weight, tf.float32), qsgd.MAX_LEVELS
        )
      if remembers_weights:
        levels = tf.where(scale > 0.0, levels, told['levels'])
      parts, weight = message_format.join(value, weight)
      codec = self._codec.with_levels(levels)
      return message_format.encode(parts, self._seed, codec), weight

    weighted_mean = messages.build_weighted_mean(
        message_format, encode.type_signature.result
    )
    sum_weights = _build_sum_weights(weight_type)

    @tff.federated_computation
    def init_fn():
      return tff.federated_eval(initialize, tff.SERVER)

    @tff.federated_computation(
        init_fn.type_signature.result,
        tff.FederatedType(value_type, tff.CLIENTS),
        tff.FederatedType(weight_type, tff.CLIENTS),
    )
    def next_fn(state, value, weight):
      levels = tff.federated_map(levels_of, state)
      further = collections.OrderedDict(levels=levels)
      told = tff.federated_map(tell, state)
      if self._by_weight:
        sums = sum_weights(weight)
        further['weights'] = tff.federated_map(_uplink_bytes, sums)
        if remembers_weights:
          state = tff.federated_map(_remember, (state, sums))
        else:
          told = tff.federated_map(_scale, (levels, sums))
      further['downlink_bytes_per_client'] = tff.federated_map(
          tff.tensorflow.computation(sizes.num_bytes), told
      )
      encoded = tff.federated_map(
          encode, (tff.federated_broadcast(told), value, weight)
      )
      mean, measurements = weighted_mean(encoded)
      measurements = tff.federated_map(
          _join, (measurements, tff.federated_zip(further))
      )
      return tff.templates.MeasuredProcessOutput(state, mean, measurements)

    return tff.templates.AggregationProcess(init_fn, next_fn)


def check_phases(phases):
  """Raises a `ValueError` unless `phases` is 1 or 2."""
  if phases not in (1, 2):
    raise ValueError(f'phases must be 1 or 2, got {phases!r}.')


def _no_weights():
  """Returns the two sums of `level_schedules.weight_scale`, of no weights."""
  return collections.OrderedDict(sum_of_roots=0.0, sum_of_squares=0.0)


def _build_sum_weights(weight_type):
  """Builds the aggregation of the weights.

  Returns:
    A federated computation from the weights at CLIENTS to an `OrderedDict` of
    the sums of `level_schedules.weight_scale` and `uplink_bytes`, at SERVER.
  """

  @tff.tensorflow.computation
  def zero():
    return collections.OrderedDict(
        _no_weights(), uplink_bytes=tf.constant(0, tf.int64)
    )

  sums_type = zero.type_signature.result

  @tff.tensorflow.computation(sums_type, weight_type)
  def accumulate(sums, weight):
    w = tf.cast(weight, tf.float32)
    return collections.OrderedDict(
        sum_of_roots=sums['sum_of_roots'] + w ** (2.0 / 3.0),
        sum_of_squares=sums['sum_of_squares'] + w**2,
        uplink_bytes=sums['uplink_bytes'] + sizes.num_bytes(weight),
    )

  @tff.tensorflow.computation(sums_type, sums_type)
  def merge(a, b):
    return tf.nest.map_structure(tf.add, a, b)

  @tff.tensorflow.computation(sums_type)
  def report(sums):
    return sums

  @tff.federated_computation(tff.FederatedType(weight_type, tff.CLIENTS))
  def sum_weights(weight):
    return tff.federated_aggregate(weight, zero(), accumulate, merge, report)

  return sum_weights


@tff.tensorflow.computation
def _remember(state, sums):
  """Returns the state with the round's sums, unless all weights are 0."""
  is_usable = sums['sum_of_squares'] > 0.0
  state[_WEIGHT_SUMS] = collections.OrderedDict(
      (name, tf.where(is_usable, sums[name], last))
      for name, last in state[_WEIGHT_SUMS].items()
  )
  return state


@tff.tensorflow.computation
def _scale(levels, sums):
  return level_schedules.weight_scale(
      levels, sums['sum_of_roots'], sums['sum_of_squares']
  )


@tff.tensorflow.computation
def _uplink_bytes(sums):
  return collections.OrderedDict(uplink_bytes=sums['uplink_bytes'])


@tff.tensorflow.computation
def _join(measurements, further):
  return collections.OrderedDict(measurements, **further)
