# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Broadcast of kernels by the codecs that clients send with."""

import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import wire
from tff_binary.distributors import model_tensors
from tff_binary.ops import seeds


def build_codec_broadcast(
    tensors: model_tensors.ModelTensors, codec: wire.Codec, seed: int = 0
) -> tff.learning.templates.DistributionProcess:
  """Sends each compressed tensor as a codec's payload.

  All other tensors are sent as they are. A codec that draws does so once in a
  round for all clients. The state is the number of the round, counted from 0.
  The measurements are those of `build_float32_broadcast`, taken from the
  payloads that are broadcast.

  Args:
    tensors: The model's tensors.
    codec: The codec of the compressed ones.
    seed: The seed of the run.

  Returns:
    A `tff.learning.templates.DistributionProcess`.
  """
  weights_type, is_compressed, _ = tensors
  specs = tff.types.type_to_tf_tensor_specs(weights_type.trainable)

  @tff.federated_computation
  def init_fn():
    return tff.federated_value(0, tff.SERVER)

  @tff.tensorflow.computation(
      init_fn.type_signature.result.member, weights_type
  )
  @tf.function
  def encode(round_num, weights):
    round_seed = seeds.fold_in([seed, seeds.SERVER_DRAWS], round_num)
    message = tff.learning.models.ModelWeights(
        [
            codec.encode(x, seeds.fold_in(round_seed, i)) if c else x
            for i, (x, c) in enumerate(zip(weights.trainable, is_compressed))
        ],
        weights.non_trainable,
    )
    return message, model_tensors.measure(tensors, message), round_num + 1

  @tff.tensorflow.computation(encode.type_signature.result[0])
  @tf.function
  def decode(message):
    return tff.learning.models.ModelWeights(
        [
            codec.decode(x, spec) if c else x
            for x, spec, c in zip(message.trainable, specs, is_compressed)
        ],
        message.non_trainable,
    )

  @tff.federated_computation(
      init_fn.type_signature.result,
      tff.FederatedType(weights_type, tff.SERVER),
  )
  def next_fn(round_num, weights):
    message, measurements, next_round = tff.federated_map(
        encode, (round_num, weights)
    )
    return tff.templates.MeasuredProcessOutput(
        next_round,
        tff.federated_map(decode, tff.federated_broadcast(message)),
        measurements,
    )

  return tff.learning.templates.DistributionProcess(init_fn, next_fn)
