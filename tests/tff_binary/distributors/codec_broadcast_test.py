# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for codec_broadcast."""

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import distributors
from tff_binary import wire

_CODEC = wire.BlockFloatingPointCodec(6, 'channel')
_SHAPE = [4, 3]
_TENSORS = distributors.ModelTensors(
    tff.to_type(
        tff.learning.models.ModelWeights(
            [
                tff.TensorType(np.float32, _SHAPE),
                tff.TensorType(np.float32, [3]),
            ],
            [tff.TensorType(np.float32, [2]), tff.TensorType(np.float32, [5])],
        )
    ),
    [True, False],
    [True, False],
)


class CodecBroadcastTest(tf.test.TestCase):

  def test_sends_and_measures_payloads_that_a_round_draws_anew(self):
    process = distributors.build_codec_broadcast(_TENSORS, _CODEC, seed=1)
    kernel = np.random.RandomState(0).randn(*_SHAPE).astype(np.float32)
    weights = tff.learning.models.ModelWeights(
        [kernel, np.ones(3, np.float32)],
        [np.ones(2, np.float32), np.ones(5, np.float32)],
    )
    state_type, server_type = process.next.type_signature.parameter

    @tff.tensorflow.computation(
        process.next.type_signature.result.result.member, np.int32
    )
    def receive(weights, client_id):
      del client_id  # Only says that there is a client.
      return weights

    @tff.federated_computation(
        state_type, server_type, tff.FederatedType(np.int32, tff.CLIENTS)
    )
    def run(state, weights, client_ids):
      output = process.next(state, weights)
      received = tff.federated_map(receive, (output.result, client_ids))
      return output.state, received, output.measurements

    state, received = process.initialize(), []
    for _ in range(2):
      state, (result,), sizes = run(state, weights, [0])
      received.append(result.trainable[0])
      self.assertAllEqual(result.trainable[1], weights.trainable[1])
      self.assertAllEqual(result.non_trainable[0], np.ones(2))
      # 12 codes of 6 bits and 3 exponents.
      self.assertEqual(sizes['compressed_downlink_bytes_per_client'], 9 + 3)
      self.assertEqual(sizes['downlink_bytes_per_client'], 12 + 4 * (3 + 2))
      self.assertEqual(sizes['static_downlink_bytes_per_client'], 4 * 5)
    self.assertEqual(state, 2)
    self.assertNotAllEqual(received[0], received[1])
    for x in received:
      self.assertAllClose(x, kernel, atol=0.3)
      payload = _CODEC.encode(tf.constant(x), (1, 2))
      spec = tf.TensorSpec(_SHAPE)
      self.assertAllEqual(_CODEC.decode(payload, spec), x)


if __name__ == '__main__':
  tf.test.main()
