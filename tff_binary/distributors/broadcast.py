# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Broadcast of the model weights with measured bytes."""

import collections
from collections.abc import Sequence

import tensorflow as tf
import tensorflow_federated as tff


def build_float32_broadcast(
    weights_type: tff.Type, is_compressed: Sequence[bool]
) -> tff.learning.templates.DistributionProcess:
  """Sends the model weights as they are and measures them.

  The process has no state. Its measurements, for one client, are

  *   `downlink_bytes_per_client`: int64, all that is broadcast.
  *   `compressed_downlink_bytes_per_client`: int64, the part of it that is the
      kernels which the uplink compresses.

  Args:
    weights_type: A `tff.Type` of `tff.learning.models.ModelWeights`.
    is_compressed: One bool for each trainable tensor: whether the uplink
      compresses it.

  Returns:
    A `tff.learning.templates.DistributionProcess`.
  """

  @tff.federated_computation
  def init_fn():
    return tff.federated_value((), tff.SERVER)

  @tff.tensorflow.computation(weights_type)
  def measure(weights):
    num_bytes = lambda x: tf.size(x, tf.int64) * x.dtype.size
    trainable = [num_bytes(x) for x in weights.trainable]
    non_trainable = [num_bytes(x) for x in weights.non_trainable]
    return collections.OrderedDict(
        downlink_bytes_per_client=sum(trainable + non_trainable),
        compressed_downlink_bytes_per_client=sum(
            (n for n, c in zip(trainable, is_compressed) if c),
            tf.constant(0, tf.int64),
        ),
    )

  @tff.federated_computation(
      init_fn.type_signature.result,
      tff.FederatedType(weights_type, tff.SERVER),
  )
  def next_fn(state, weights):
    return tff.templates.MeasuredProcessOutput(
        state,
        tff.federated_broadcast(weights),
        tff.federated_map(measure, weights),
    )

  return tff.learning.templates.DistributionProcess(init_fn, next_fn)
