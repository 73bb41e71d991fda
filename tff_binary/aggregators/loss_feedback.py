# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Leads the clients' loss into an aggregator's state."""

import collections
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff

from tff_binary.aggregators import adaptive_mean
from tff_binary.ops import sizes


class LossFeedbackFactory(tff.aggregators.WeightedAggregationFactory):
  """Aggregation factory for `<..., loss_name=...>`.

  The clients' losses, which they send in a field of their updates, are averaged
  with their weights and put into the state of the aggregator of all else.

  In one phase that aggregates with the state as it is and the mean loss changes
  it for the next round: a round is one broadcast and one aggregation, as all of
  TFF's engines run it, and the loss may be what training has measured anyway.

  In two phases the mean loss changes the state before that aggregates, so that
  a round's own loss decides on it. That is what AdaQuantFL and DAdaQuant mean:
  the loss of the model that the clients have received, evaluated before they
  train, leads to the levels of the same round. It costs them one more pass over
  their data. The one-phase form is this package's.

  State and result are those of the inner process. The measurements are

  *   `update`: those of the inner process.
  *   the field's name: float32, the mean loss; NaN if all weights are 0.
  *   `uplink_bytes`: int64, bytes of the losses and weights that entered the
      aggregation, summed over the clients.
  """

  def __init__(
      self,
      inner: tff.aggregators.WeightedAggregationFactory,
      with_loss: Callable[[Any, tf.Tensor], Any],
      loss_name: str = 'received_loss',
      phases: int = 1,
  ):
    """Initializes `LossFeedbackFactory`.

    Args:
      inner: Aggregates all but the loss.
      with_loss: A TensorFlow function from the state of `inner` and the mean
        loss, a float32 scalar, to a state, `AdaptiveMeanFactory.with_loss`.
      loss_name: The field of an update that is the client's loss, a float32
        scalar: the mean over its examples in training, or at the model that it
        has received.
      phases: 1 or 2.

    Raises:
      ValueError: If `phases` is neither 1 nor 2.
    """
    adaptive_mean.check_phases(phases)
    self._inner = inner
    self._with_loss = with_loss
    self._loss_name = loss_name
    self._phases = phases

  def create(
      self, value_type: tff.Type, weight_type: tff.Type
  ) -> tff.templates.AggregationProcess:
    """Creates the process for a struct type with the loss among its fields."""
    names = [
        name
        for name, _ in tff.structure.iter_elements(value_type)
        if name not in (self._loss_name,)
    ]
    process = self._inner.create(
        tff.to_type(
            collections.OrderedDict((name, value_type[name]) for name in names)
        ),
        weight_type,
    )
    state_type = process.initialize.type_signature.result
    mean_loss = _build_mean_loss(value_type[self._loss_name], weight_type)

    is_one_phase = self._phases == 1  # Python values.

    @tff.tensorflow.computation(
        state_type.member, mean_loss.type_signature.result.member
    )
    def with_loss(state, sums):
      return self._with_loss(state, sums['loss'])

    @tff.tensorflow.computation
    def join(update, sums):
      return collections.OrderedDict([
          ('update', update),
          (self._loss_name, sums['loss']),
          ('uplink_bytes', sums['uplink_bytes']),
      ])

    @tff.federated_computation
    def init_fn():
      return process.initialize()

    @tff.federated_computation(
        state_type,
        tff.FederatedType(value_type, tff.CLIENTS),
        tff.FederatedType(weight_type, tff.CLIENTS),
    )
    def next_fn(state, value, weight):
      loss = mean_loss(value[self._loss_name], weight)
      update = tff.federated_zip(
          collections.OrderedDict((name, value[name]) for name in names)
      )
      if not is_one_phase:
        state = tff.federated_map(with_loss, (state, loss))
      output = process.next(state, update, weight)
      new_state = output.state
      if is_one_phase:
        new_state = tff.federated_map(with_loss, (new_state, loss))
      return tff.templates.MeasuredProcessOutput(
          new_state,
          output.result,
          tff.federated_map(join, (output.measurements, loss)),
      )

    return tff.templates.AggregationProcess(init_fn, next_fn)


def _build_mean_loss(loss_type, weight_type):
  """Builds the computation from losses and weights to their mean and bytes."""

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
        uplink_bytes=sums['uplink_bytes'] + sizes.num_bytes(message),
    )

  @tff.tensorflow.computation(sums_type, sums_type)
  def merge(a, b):
    return tf.nest.map_structure(tf.add, a, b)

  @tff.tensorflow.computation(sums_type)
  def report(sums):
    return collections.OrderedDict(
        loss=sums['loss'] / sums['weight'], uplink_bytes=sums['uplink_bytes']
    )

  @tff.federated_computation(
      tff.FederatedType(loss_type, tff.CLIENTS),
      tff.FederatedType(weight_type, tff.CLIENTS),
  )
  def mean_loss(loss, weight):
    return tff.federated_aggregate(
        tff.federated_zip((loss, weight)), zero(), accumulate, merge, report
    )

  return mean_loss
