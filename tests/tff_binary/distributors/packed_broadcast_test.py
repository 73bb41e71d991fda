# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for packed_broadcast."""

from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tests.tff_binary import tiny
from tff_binary import distributors


def _weights():
  random = np.random.RandomState(0)
  return tff.learning.models.ModelWeights(
      trainable=[
          random.randn(3, 5).astype(np.float32),
          random.randn(5).astype(np.float32),
          np.zeros([5, 2], np.float32),
      ],
      non_trainable=[np.ones([5], np.float32), np.int64(7)],
  )


def _broadcast(quantizer, dequantize=True, round_num=0, coding='packed'):
  """Returns what a client gets, the measurements and the type that is sent."""
  weights = _weights()
  tensor_type = lambda x: tff.TensorType(x.dtype, x.shape)
  weights_type = tff.to_type(
      tff.learning.models.ModelWeights(
          [tensor_type(x) for x in weights.trainable],
          [tensor_type(x) for x in weights.non_trainable],
      )
  )
  sent_types = []
  federated_broadcast = tff.federated_broadcast

  def spy(value):
    sent_types.append(value.type_signature.member)
    return federated_broadcast(value)

  with mock.patch.object(tff, 'federated_broadcast', spy):
    process = distributors.build_packed_broadcast(
        distributors.ModelTensors(
            weights_type,
            [True, False, True],
            [x.dtype.kind == 'f' for x in weights.non_trainable],
        ),
        quantizer,
        dequantize,
        coding,
    )

  state_type, server_type = process.next.type_signature.parameter
  received_type = process.next.type_signature.result.result.member

  @tff.tensorflow.computation(received_type, np.int32)
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

  (received,), measurements = run(round_num, weights, [0])
  return received, measurements, sent_types


class PackedBroadcastTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(
      bits=(3, 4), dequantize=(True, False), has_sign_bit=(True, False)
  )
  def test_clients_get_what_the_quantizer_makes(
      self, bits, dequantize, has_sign_bit
  ):
    quantizer = distributors.KernelQuantizer(bits, 3, has_sign_bit)
    received, _, _ = _broadcast(quantizer, dequantize, round_num=5)
    weights = _weights()
    for i in (0, 2):
      # Outside of TFF, as the finalizer does it inside: bit by bit the same.
      expected = quantizer.quantize(
          tf.constant(weights.trainable[i]), tf.constant(5), i
      )
      if dequantize:
        expected = quantizer.dequantize(expected)
      tf.nest.map_structure(
          self.assertAllEqual, received.trainable[i], expected
      )
    self.assertAllEqual(received.trainable[1], weights.trainable[1])
    self.assertAllEqual(received.non_trainable[0], np.ones([5]))
    self.assertAllEqual(received.non_trainable[1], 7)

  @parameterized.parameters(2, 4, 8)
  def test_coding_loses_nothing(self, bits):
    quantizer = distributors.KernelQuantizer(bits, step_scale=0.5)
    packed, all_bytes, _ = _broadcast(quantizer)
    coded, fewer_bytes, _ = _broadcast(quantizer, coding='entropy')
    tf.nest.map_structure(self.assertAllEqual, coded, packed)
    # The second kernel is zero, which has no entropy.
    for name in ('', 'compressed_'):
      name += 'downlink_bytes_per_client'
      self.assertLess(fewer_bytes[name], all_bytes[name])

  def test_changes_are_counted_by_those_who_get_them(self):
    quantizer = distributors.KernelQuantizer(4)
    received, measurements, _ = _broadcast(
        quantizer, dequantize=False, coding='changes'
    )
    expected, _, _ = _broadcast(quantizer, dequantize=False)
    tf.nest.map_structure(self.assertAllEqual, received, expected)
    step_sizes = 2 * 4
    self.assertEqual(
        measurements['compressed_downlink_bytes_per_client'], step_sizes
    )
    self.assertEqual(
        measurements['downlink_bytes_per_client'], step_sizes + 4 * (5 + 5)
    )

  def test_error_is_below_a_step(self):
    quantizer = distributors.KernelQuantizer(8)
    received, _, _ = _broadcast(quantizer)
    kernel = _weights().trainable[0]
    # The largest entry is clamped by a whole step at most.
    self.assertAllClose(
        received.trainable[0], kernel, rtol=0, atol=abs(kernel).max() / 127
    )

  def test_draws_differ_between_rounds_seeds_and_tensors(self):
    kernel = tf.constant(_weights().trainable[0])

    def codes(seed=0, round_num=0, index=0):
      quantizer = distributors.KernelQuantizer(8, seed)
      return quantizer.quantize(kernel, round_num, index)['codes']

    self.assertAllEqual(codes(), codes())
    for other in (codes(seed=1), codes(round_num=1), codes(index=1)):
      self.assertNotAllEqual(other, codes())

  @parameterized.parameters(2, 3, 16)
  def test_counts_the_bytes_that_are_broadcast(self, bits):
    quantizer = distributors.KernelQuantizer(bits)
    _, measurements, (sent_type,) = _broadcast(quantizer)
    self.assertEqual(
        measurements['downlink_bytes_per_client']
        + measurements['static_downlink_bytes_per_client'],
        tiny.num_bytes(sent_type),
    )
    kernels = sum(-(-n * bits // 8) + 4 for n in (15, 10))
    self.assertEqual(
        measurements['compressed_downlink_bytes_per_client'], kernels
    )
    rest = 4 * (5 + 5) + 8
    self.assertEqual(tiny.num_bytes(sent_type), kernels + rest)

  def test_measures_the_share_of_zeros(self):
    received, measurements, _ = _broadcast(distributors.KernelQuantizer(2))
    kernels = [received.trainable[i] for i in (0, 2)]
    num_zeros = sum(np.count_nonzero(k == 0.0) for k in kernels)
    self.assertGreater(num_zeros, 10)  # The second kernel is zero.
    self.assertLess(num_zeros, 25)
    self.assertAllClose(measurements['sparsity'], num_zeros / 25)

  @parameterized.parameters(0, 1, 17)
  def test_refuses_bits(self, bits):
    with self.assertRaisesRegex(
        ValueError, rf'bits must be an integer in \[2, 16\], got {bits}'
    ):
      distributors.KernelQuantizer(bits)

  @parameterized.parameters(
      ('entropie', 4), ('differences', 4), ('entropy', 9), ('changes', 16)
  )
  def test_refuses_coding(self, coding, bits):
    with self.assertRaisesRegex(
        ValueError, f"coding must be .* got '{coding}' for {bits}"
    ):
      _broadcast(distributors.KernelQuantizer(bits), coding=coding)


if __name__ == '__main__':
  tf.test.main()
