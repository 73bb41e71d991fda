# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Broadcast of the model weights with measured bytes."""

from typing import Optional

import tensorflow_federated as tff

from tff_binary.distributors import model_tensors


def build_float32_broadcast(
    tensors: model_tensors.ModelTensors,
    counts_kernels: bool = True,
) -> tff.learning.templates.DistributionProcess:
  """Sends the model weights as they are and measures them.

  The process has no state. Its measurements, for one client, are

  *   `downlink_bytes_per_client`: int64, all that is broadcast but what no
      round changes.
  *   `static_downlink_bytes_per_client`: int64, what no round changes: frozen
      layers, which a client needs once.
  *   `compressed_downlink_bytes_per_client`: int64, the part of it that is the
      kernels which the uplink compresses.

  Args:
    tensors: The model's tensors.
    counts_kernels: Whether the compressed kernels are counted. They are not
      where clients are sent something else, and say how much that is, see
      `KernelDifferences`.

  Returns:
    A `tff.learning.templates.DistributionProcess`.
  """

  @tff.federated_computation
  def init_fn():
    return tff.federated_value((), tff.SERVER)

  @tff.tensorflow.computation(tensors.weights_type)
  def measure(weights):
    if not counts_kernels:
      pairs = zip(weights.trainable, tensors.is_compressed)
      weights = tff.learning.models.ModelWeights(
          [() if c else x for x, c in pairs], weights.non_trainable
      )
    return model_tensors.measure(tensors, weights)

  @tff.federated_computation(
      init_fn.type_signature.result,
      tff.FederatedType(tensors.weights_type, tff.SERVER),
  )
  def next_fn(state, weights):
    return tff.templates.MeasuredProcessOutput(
        state,
        tff.federated_broadcast(weights),
        tff.federated_map(measure, weights),
    )

  return tff.learning.templates.DistributionProcess(init_fn, next_fn)


def build_encoded_broadcast(
    encode: tff.Computation,
    decode: tff.Computation,
    initialize: Optional[tff.Computation] = None,
) -> tff.learning.templates.DistributionProcess:
  """Sends a message in place of the model weights.

  Args:
    encode: A `tff.Computation` from the state and the model weights to the new
      state, the message and the measurements.
    decode: A `tff.Computation` from the message to what clients get.
    initialize: A `tff.Computation` without parameters that returns the first
      state; by default it is 0, the number of the round.

  Returns:
    A `tff.learning.templates.DistributionProcess`.
  """
  _, weights_type = encode.type_signature.parameter

  @tff.federated_computation
  def init_fn():
    if initialize is None:
      return tff.federated_value(0, tff.SERVER)
    return tff.federated_eval(initialize, tff.SERVER)

  @tff.federated_computation(
      init_fn.type_signature.result,
      tff.FederatedType(weights_type, tff.SERVER),
  )
  def next_fn(state, weights):
    new_state, message, measurements = tff.federated_map(
        encode, (state, weights)
    )
    return tff.templates.MeasuredProcessOutput(
        new_state,
        tff.federated_map(decode, tff.federated_broadcast(message)),
        measurements,
    )

  return tff.learning.templates.DistributionProcess(init_fn, next_fn)
