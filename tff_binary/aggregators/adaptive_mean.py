# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The weighted mean of updates with as many levels as the loss asks for."""

import collections
from collections.abc import Mapping, Sequence
from typing import Any, Union

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary.aggregators import messages
from tff_binary.ops import level_schedules
from tff_binary.ops import seeds
from tff_binary.wire import qsgd

LevelSchedule = Union[level_schedules.LossRatio, level_schedules.Plateau]

_SCHEDULE = 'level_schedule'


class AdaptiveMeanFactory(tff.aggregators.WeightedAggregationFactory):
  """Aggregation factory for the mean of updates quantized with s levels.

  Like `PackedMeanFactory`, and with all its measurements; but the server tells
  the clients with how many levels they are to quantize. A schedule changes the
  number with the loss of the model that the clients have received. A loss is no
  argument of an aggregation process: `with_loss` puts it into the state, which
  is done before each round. Until it is, the levels stay what they are at
  first.

  With `by_weight`, clients of more weight use more levels, see
  `level_schedules.weight_scale`. This takes a round trip of its own: clients
  send their weights, and the server answers with one number for all of them.

  The state is an `OrderedDict` with the schedule's state as `level_schedule`.
  The further measurements are

  *   `levels`: int32, the schedule's number of levels in this round.
  *   `downlink_bytes_per_client`: int64, bytes that the aggregation sends to
      each client.
  *   `weights`: only with `by_weight`, the `uplink_bytes` of that round trip.
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
  ):
    """Initializes `AdaptiveMeanFactory`.

    Args:
      codec: The codec of the compressed tensors.
      schedule: Gives the codec its levels.
      is_compressed: See `PackedMeanFactory`.
      by_weight: Whether clients' levels depend on their weights.
      seed: See `PackedMeanFactory`.

    Raises:
      TypeError: If `codec` is not a `QSGDCodec`.
      ValueError: If the schedule has more levels than the codec.
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
    self._codec = codec
    self._schedule = schedule
    self._is_compressed = is_compressed
    self._by_weight = by_weight
    self._seed = seed

  def with_loss(self, state: Any, loss: Any) -> Any:
    """Returns the aggregator's state for a round with this loss.

    For `tff.learning.algorithms.build_weighted_fed_avg`, where no loss reaches
    the aggregator, it is called between the rounds, with the training loss of
    the last one.

    Args:
      state: The state of the factory's process or of one around it, such as
        that of `tff.aggregators.clipping_factory` or a whole
        `tff.learning.templates.LearningAlgorithmState`.
      loss: The loss of the model that clients receive, a scalar. One that is
        not finite changes nothing.

    Returns:
      A state of the same type.

    Raises:
      ValueError: If the state holds none of this factory.
    """
    loss = tf.cast(loss, tf.float32)
    is_found = False

    def visit(node):
      nonlocal is_found
      if isinstance(node, Mapping):
        if _SCHEDULE in node:
          is_found = True
          schedule_state = collections.OrderedDict(
              (k, tf.convert_to_tensor(v)) for k, v in node[_SCHEDULE].items()
          )
          return _state(self._schedule.next(schedule_state, loss))
        return type(node)((name, visit(child)) for name, child in node.items())
      if isinstance(node, (list, tuple)):
        children = map(visit, node)
        is_named = hasattr(node, '_fields')
        return type(node)(*children) if is_named else type(node)(children)
      return node

    new_state = visit(state)
    if not is_found:
      raise ValueError(
          f'state must hold the state of an AdaptiveMeanFactory, got {state!r}.'
      )
    return new_state

  def create(
      self, value_type: tff.Type, weight_type: tff.Type
  ) -> tff.templates.AggregationProcess:
    """Creates the process, see `PackedMeanFactory.create`."""
    message_format = messages.MessageFormat(
        value_type, self._codec, self._is_compressed
    )

    @tff.tensorflow.computation
    def initialize():
      return _state(self._schedule.initial_state())

    @tff.tensorflow.computation(initialize.type_signature.result)
    def levels_of(state):
      return state[_SCHEDULE]['levels']

    # What the server tells the clients.
    told_type = np.float32 if self._by_weight else np.int32

    @tff.tensorflow.computation(told_type, value_type, weight_type)
    @tf.function
    def encode(told, value, weight):
      levels = told
      if self._by_weight:
        levels = level_schedules.levels_of_weight(
            told, tf.cast(weight, tf.float32), qsgd.MAX_LEVELS
        )
      parts = message_format.join(value)
      seed = seeds.of_values([self._seed, seeds.ENCODING_DRAWS], parts)
      codec = self._codec.with_levels(levels)
      return message_format.encode(parts, seed, codec), weight

    weighted_mean = messages.build_weighted_mean(
        message_format, encode.type_signature.result
    )
    scale_by_weights = _build_scale_by_weights(weight_type)

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
      told = levels
      if self._by_weight:
        told, further['weights'] = scale_by_weights(levels, weight)
      further['downlink_bytes_per_client'] = tff.federated_map(
          tff.tensorflow.computation(messages.num_bytes), told
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


def _build_scale_by_weights(weight_type):
  """Builds the round trip of the weights.

  Returns:
    A federated computation from the levels at SERVER and the weights at CLIENTS
    to the scale of `level_schedules.levels_of_weight` and measurements, both at
    SERVER.
  """

  @tff.tensorflow.computation
  def zero():
    return collections.OrderedDict(
        roots=0.0, squares=0.0, uplink_bytes=tf.constant(0, tf.int64)
    )

  sums_type = zero.type_signature.result

  @tff.tensorflow.computation(sums_type, weight_type)
  def accumulate(sums, weight):
    w = tf.cast(weight, tf.float32)
    return collections.OrderedDict(
        roots=sums['roots'] + w ** (2.0 / 3.0),
        squares=sums['squares'] + w**2,
        uplink_bytes=sums['uplink_bytes'] + messages.num_bytes(weight),
    )

  @tff.tensorflow.computation(sums_type, sums_type)
  def merge(a, b):
    return tf.nest.map_structure(tf.add, a, b)

  @tff.tensorflow.computation(sums_type)
  def report(sums):
    return sums

  @tff.tensorflow.computation(np.int32, sums_type)
  def scale(levels, sums):
    return (
        level_schedules.weight_scale(levels, sums['roots'], sums['squares']),
        collections.OrderedDict(uplink_bytes=sums['uplink_bytes']),
    )

  @tff.federated_computation(
      tff.FederatedType(np.int32, tff.SERVER),
      tff.FederatedType(weight_type, tff.CLIENTS),
  )
  def scale_by_weights(levels, weight):
    sums = tff.federated_aggregate(weight, zero(), accumulate, merge, report)
    return tff.federated_map(scale, (levels, sums))

  return scale_by_weights


def _state(schedule_state):
  return collections.OrderedDict([(_SCHEDULE, schedule_state)])


@tff.tensorflow.computation
def _join(measurements, further):
  return collections.OrderedDict(measurements, **further)
