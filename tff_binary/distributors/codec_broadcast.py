# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Broadcast of kernels by the codecs that clients send with."""

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import wire
from tff_binary.distributors import broadcast
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

  @tff.tensorflow.computation(np.int32, weights_type)
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
    return round_num + 1, message, model_tensors.measure(tensors, message)

  @tff.tensorflow.computation(encode.type_signature.result[1])
  @tf.function
  def decode(message):
    return tff.learning.models.ModelWeights(
        [
            codec.decode(x, spec) if c else x
            for x, spec, c in zip(message.trainable, specs, is_compressed)
        ],
        message.non_trainable,
    )

  return broadcast.build_encoded_broadcast(encode, decode)
