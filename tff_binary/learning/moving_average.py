# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""A moving average of the server's weights over the rounds."""

from collections.abc import Callable
from typing import Optional

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary.distributors import model_tensors
from tff_binary.learning import finalizers


def build_moving_average_finalizer(
    tensors: model_tensors.ModelTensors,
    aggregate_type: tff.Type,
    server_optimizer: Optional[tff.learning.optimizers.Optimizer] = None,
    *,
    moving_average: float,
    start_with_first_round: bool = False,
    build_finalizer: Callable[
        ..., tff.learning.templates.FinalizerProcess
    ] = finalizers.build_model_update_finalizer,
) -> tff.learning.templates.FinalizerProcess:
  """Averages what another finalizer makes of a round with what was before.

  With w, the trainable weights before the round, and v, those that
  `build_finalizer` would replace them by, the new weights are

    moving_average * w + (1 - moving_average) * v.

  Since clients start from the average, this is a server learning rate of
  `1 - moving_average`: to rounding, averaging FedAvg's w and v is FedAvg with
  that learning rate. A server optimizer takes its step from w to v, and the
  average goes a share of that step, also of Adam's, whose size does not depend
  on the size of the update.

  The non-trainable weights are the finalizer's. A round without any usable
  client changes nothing.

  Source: LPT (Li et al., NeurIPS 2024).

  Args:
    tensors: The model's tensors.
    aggregate_type: The type of the aggregate `<trainable, non_trainable>`.
    server_optimizer: See `build_model_update_finalizer`.
    moving_average: lambda, the share of the weights before, a float in [0, 1).
    start_with_first_round: Whether the average starts with v of the first round
      that has a usable client, as in the authors' code, instead of the initial
      weights.
    build_finalizer: The other finalizer; takes the first three arguments.

  Returns:
    A `tff.learning.templates.FinalizerProcess`; its state is the number of
    rounds that are in the average and the other finalizer's state.
  """
  weights_type = tensors.weights_type
  inner = build_finalizer(tensors, aggregate_type, server_optimizer)

  @tff.tensorflow.computation(np.int32, weights_type, weights_type)
  @tf.function
  def average(num_rounds, old, new):
    share = tf.constant(moving_average)
    if start_with_first_round:
      share = tf.where(num_rounds > 0, share, 0.0)
    has_changed = tf.constant(False)
    for v, w in zip(new.trainable, old.trainable):
      has_changed = tf.logical_or(
          has_changed, tf.reduce_any(tf.not_equal(v, w))
      )
    # Written such that equal weights, and those of a share of 0, stay exact.
    trainable = [
        v + tf.cast(share, v.dtype) * (w - v)
        for v, w in zip(new.trainable, old.trainable)
    ]
    return num_rounds + tf.cast(
        has_changed, tf.int32
    ), tff.learning.models.ModelWeights(trainable, new.non_trainable)

  @tff.federated_computation
  def init_fn():
    return tff.federated_zip(
        (tff.federated_value(0, tff.SERVER), inner.initialize())
    )

  @tff.federated_computation(
      init_fn.type_signature.result,
      tff.FederatedType(weights_type, tff.SERVER),
      tff.FederatedType(aggregate_type, tff.SERVER),
  )
  def next_fn(state, weights, aggregate):
    output = inner.next(state[1], weights, aggregate)
    num_rounds, averaged = tff.federated_map(
        average, (state[0], weights, output.result)
    )
    return tff.templates.MeasuredProcessOutput(
        tff.federated_zip((num_rounds, output.state)),
        averaged,
        output.measurements,
    )

  return finalizers.build_finalizer_around(inner, init_fn, next_fn)
