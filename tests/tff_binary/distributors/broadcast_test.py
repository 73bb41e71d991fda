# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for broadcast."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import distributors


class BroadcastTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(True, False)
  def test_sends_the_weights_and_counts_their_bytes(self, counts_kernels):
    weights = tff.learning.models.ModelWeights(
        trainable=[np.ones([3, 4], np.float32), np.ones([4], np.float32)],
        non_trainable=[np.ones([5], np.float32), np.int64(7)],
    )
    weights_type = tff.types.to_type(
        tff.learning.models.ModelWeights(
            [
                tff.TensorType(np.float32, [3, 4]),
                tff.TensorType(np.float32, [4]),
            ],
            [tff.TensorType(np.float32, [5]), tff.TensorType(np.int64)],
        )
    )
    process = distributors.build_float32_broadcast(
        distributors.ModelTensors(weights_type, [True, False], [True, False]),
        counts_kernels,
    )

    @tff.tensorflow.computation(weights_type)
    def take_trainable(received):
      return received.trainable

    @tff.federated_computation(
        tff.FederatedType(weights_type, tff.SERVER),
        tff.FederatedType(np.float32, tff.CLIENTS),
    )
    def broadcast(value, client_weights):
      output = process.next(process.initialize(), value)
      received = tff.federated_map(take_trainable, output.result)
      return (
          tff.federated_mean(received, client_weights),
          output.measurements,
      )

    received, measurements = broadcast(weights, [1.0, 1.0])
    self.assertAllEqual(received[0], weights.trainable[0])
    self.assertAllEqual(received[1], weights.trainable[1])
    kernel_bytes = 12 * 4 if counts_kernels else 0
    self.assertEqual(
        measurements['compressed_downlink_bytes_per_client'], kernel_bytes
    )
    # The counter, which no round changes, counts apart.
    self.assertEqual(
        measurements['downlink_bytes_per_client'], kernel_bytes + (4 + 5) * 4
    )
    self.assertEqual(measurements['static_downlink_bytes_per_client'], 8)


if __name__ == '__main__':
  tf.test.main()
