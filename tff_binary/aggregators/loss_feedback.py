# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Leads the loss of the received model into an aggregator's state."""

import collections
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff

from tff_binary.aggregators import messages

_LOSS = 'received_loss'


class LossFeedbackFactory(tff.aggregators.WeightedAggregationFactory):
  """Aggregation factory for `<..., received_loss=...>`.

  The clients' losses at the model that they have received are averaged with
  their weights and put into the state of the aggregator of all else, before
  that aggregates. So a round's own loss decides on it. Clients can evaluate the
  loss before they train, and have the answer when they have finished.

  State and result are those of the inner process. The measurements are

  *   `update`: those of the inner process.
  *   `received_loss`: float32, the mean loss; NaN if all weights are 0.
  *   `uplink_bytes`: int64, bytes of the losses and weights that entered the
      aggregation, summed over the clients.
  """

  def __init__(
      self,
      inner: tff.aggregators.WeightedAggregationFactory,
      with_loss: Callable[[Any, tf.Tensor], Any],
  ):
    """Initializes `LossFeedbackFactory`.

    Args:
      inner: Aggregates all but `received_loss`.
      with_loss: A TensorFlow function from the state of `inner` and the mean
        loss, a float32 scalar, to a state, `AdaptiveMeanFactory.with_loss`.
    """
    self._inner = inner
    self._with_loss = with_loss

  def create(
      self, value_type: tff.Type, weight_type: tff.Type
  ) -> tff.templates.AggregationProcess:
    """Creates the process for a struct type with a float32 `received_loss`."""
    names = [
        name
        for name, _ in tff.structure.iter_elements(value_type)
        if name not in (_LOSS,)
    ]
    process = self._inner.create(
        tff.to_type(
            collections.OrderedDict((name, value_type[name]) for name in names)
        ),
        weight_type,
    )
    state_type = process.initialize.type_signature.result
    mean_loss = _build_mean_loss(value_type[_LOSS], weight_type)

    @tff.tensorflow.computation(
        state_type.member, mean_loss.type_signature.result.member
    )
    def with_loss(state, measurements):
      return self._with_loss(state, measurements[_LOSS])

    @tff.federated_computation
    def init_fn():
      return process.initialize()

    @tff.federated_computation(
        state_type,
        tff.FederatedType(value_type, tff.CLIENTS),
        tff.FederatedType(weight_type, tff.CLIENTS),
    )
    def next_fn(state, value, weight):
      measurements = mean_loss(value[_LOSS], weight)
      update = tff.federated_zip(
          collections.OrderedDict((name, value[name]) for name in names)
      )
      output = process.next(
          tff.federated_map(with_loss, (state, measurements)), update, weight
      )
      return tff.templates.MeasuredProcessOutput(
          output.state,
          output.result,
          tff.federated_map(_join, (output.measurements, measurements)),
      )

    return tff.templates.AggregationProcess(init_fn, next_fn)


def _build_mean_loss(loss_type, weight_type):
  """Builds the computation from losses and weights to the measurements."""

  @tff.tensorflow.computation
  def zero():
    return collections.OrderedDict(
        loss=0.0, weight=0.0, uplink_bytes=tf.constant(0, tf.int64)
    )

  sums_type = zero.type_signature.result

  @tff.tensorflow.computation(sums_type, (loss_type, weight_type))
  def accumulate(sums, message):
    loss, weight = message
    w = tf.cast(weight, tf.float32)
    return collections.OrderedDict(
        loss=sums['loss'] + tf.math.multiply_no_nan(loss, w),
        weight=sums['weight'] + w,
        uplink_bytes=sums['uplink_bytes'] + messages.num_bytes(message),
    )

  @tff.tensorflow.computation(sums_type, sums_type)
  def merge(a, b):
    return tf.nest.map_structure(tf.add, a, b)

  @tff.tensorflow.computation(sums_type)
  def report(sums):
    return collections.OrderedDict([
        (_LOSS, sums['loss'] / sums['weight']),
        ('uplink_bytes', sums['uplink_bytes']),
    ])

  @tff.federated_computation(
      tff.FederatedType(loss_type, tff.CLIENTS),
      tff.FederatedType(weight_type, tff.CLIENTS),
  )
  def mean_loss(loss, weight):
    return tff.federated_aggregate(
        tff.federated_zip((loss, weight)), zero(), accumulate, merge, report
    )

  return mean_loss


@tff.tensorflow.computation
def _join(update, measurements):
  return collections.OrderedDict([('update', update)], **measurements)
