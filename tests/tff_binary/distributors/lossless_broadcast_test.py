# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for lossless_broadcast."""

import collections

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import distributors
from tff_binary.distributors import lossless_broadcast


def _of_values(num_values, length, seed=1):
  random = np.random.RandomState(seed)
  values = random.randn(num_values)
  return np.float32(values[random.randint(0, num_values, length)])


class LosslessBroadcastTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      (1, 1), (1, 100), (2, 2), (2, 3), (2, 100), (11, 500), (40, 40),
      (255, 1000), (256, 1000), (257, 2000), (2000, 2000),
  )  # pyformat: disable
  def test_nothing_is_lost(self, num_values, length):
    tensor = tf.constant(_of_values(num_values, length))
    spec = tf.TensorSpec(tensor.shape, tensor.dtype)
    message = lossless_broadcast.encode(tensor)
    self.assertAllEqual(lossless_broadcast.decode(message, spec), tensor)
    num_values = len(np.unique(tensor))
    if num_values > 256 or num_values == length:
      self.assertAllEqual(message['values'], tensor)
      self.assertEmpty(message['codes'])
    else:
      self.assertLen(message['values'], num_values)

  def test_takes_the_entropy_of_counts(self):
    # The means of ten masks that agree in most entries.
    random = np.random.RandomState(2)
    theta = random.binomial(10, random.beta(0.1, 0.1, 50_000)) / 10
    shares = np.unique(theta, return_counts=True)[1] / theta.size
    entropy = -theta.size / 8 * np.sum(shares * np.log2(shares))
    message = lossless_broadcast.encode(tf.constant(theta, tf.float32))
    # Ten chances are learned, at log2(50000) / 2 + 1 bits each.
    self.assertBetween(len(message['codes']), entropy - 3, entropy + 15)

  def test_sends_and_measures_a_model(self):
    kernels = [
        np.reshape(_of_values(3, 120), [4, 30]),
        np.reshape(_of_values(600, 600), [30, 20]),
    ]
    weights = tff.learning.models.ModelWeights(
        [kernels[0], _of_values(9, 9), kernels[1]], [_of_values(4, 4), np.float32(5.0)]
    )
    tensors = distributors.ModelTensors(
        tff.to_type(
            tff.learning.models.ModelWeights(
                [tff.TensorType(x.dtype, x.shape) for x in weights.trainable],
                [
                    tff.TensorType(x.dtype, x.shape)
                    for x in weights.non_trainable
                ],
            )
        ),
        [True, False, True],
        [True, False],
    )
    process = distributors.build_lossless_broadcast(tensors)

    state_type, server_type = process.next.type_signature.parameter

    @tff.tensorflow.computation(
        process.next.type_signature.result.result.member, np.int32
    )
    def receive(received, client_id):
      del client_id  # Only says that there is a client.
      return received

    @tff.federated_computation(
        state_type, server_type, tff.FederatedType(np.int32, tff.CLIENTS)
    )
    def run(state, weights, client_ids):
      output = process.next(state, weights)
      received = tff.federated_map(receive, (output.result, client_ids))
      return received, output.measurements

    (received,), measured = run((), weights, [0])
    for x, y in zip(tf.nest.flatten(received), tf.nest.flatten(weights)):
      self.assertAllEqual(x, y)
    coded = lossless_broadcast.encode(tf.constant(kernels[0]))
    compressed = 4 * 3 + len(coded['codes']) + 4 * 600
    self.assertEqual(
        measured,
        collections.OrderedDict(
            downlink_bytes_per_client=compressed + 4 * 9 + 4 * 4,
            static_downlink_bytes_per_client=4,
            compressed_downlink_bytes_per_client=compressed,
        ),
    )


if __name__ == '__main__':
  tf.test.main()
