# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for block_floating_point."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import wire
from tff_binary.ops import block_floating_point


def _round_trip(value, bits, blocks, seed=(3, 4), weight=1.0):
  codec = wire.BlockFloatingPointCodec(bits, blocks)
  payload = codec.encode(tf.constant(value), seed)
  spec = tf.TensorSpec(value.shape, value.dtype)
  return payload, codec.decode(payload, spec, weight).numpy()


class BlockFloatingPointCodecTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(
      bits=(2, 3, 5, 8, 11, 16),
      blocks=block_floating_point.BLOCKS,
      shape=((3, 3, 4, 5), (7, 5), (9,), (0, 3)),
  )
  def test_is_lossless_on_its_grid_and_as_small_as_stated(
      self, bits, blocks, shape
  ):
    random = np.random.RandomState(1)
    value = (
        np.exp(3 * random.randn(*shape[-2:])) * random.randn(*shape)
    ).astype(np.float32)
    value = block_floating_point.quantize(
        tf.constant(value), bits, blocks, (1, 2)
    ).numpy()
    payload, decoded = _round_trip(value, bits, blocks)
    self.assertAllEqual(decoded, value)
    kept = {'tensor': 0, 'channel': 1, 'kernel': 2}[blocks]
    kept = 0 if len(shape) < 2 else kept
    num_blocks = int(np.prod(shape[len(shape) - kept :]))
    self.assertEqual(payload['codes'].shape, [-(-value.size * bits // 8)])
    self.assertEqual(payload['exponents'].shape, [num_blocks])
    for field in payload.values():
      self.assertEqual(field.dtype, tf.uint8)

  def test_a_convolutions_weight_takes_8_ninths_of_a_bit_for_exponents(self):
    value = np.random.RandomState(0).randn(3, 3, 16, 32).astype(np.float32)
    payload, _ = _round_trip(value, 8, 'kernel')
    num_bytes = sum(field.shape.num_elements() for field in payload.values())
    self.assertAllClose(8 * num_bytes / value.size, 8 + 8 / 9)

  def test_rounds_other_values_stochastically(self):
    value = np.random.RandomState(2).randn(100).astype(np.float32)
    _, first = _round_trip(value, 4, 'tensor')
    _, second = _round_trip(value, 4, 'tensor', seed=(5, 6))
    self.assertNotAllEqual(first, second)
    self.assertAllClose(first, value, atol=1.0)

  def test_multiplies_by_the_weight(self):
    value = np.float32([1.5, -2.0])
    _, decoded = _round_trip(value, 8, 'tensor', weight=3.0)
    self.assertAllEqual(decoded, 3.0 * value)

  @parameterized.parameters(
      (1, 'tensor', r'bits must be .* in \[2, 16\], got 1'),
      (17, 'tensor', r'got 17'),
      (8.0, 'tensor', r'got 8.0'),
      (8, 'row', "blocks must be one of tensor, channel, kernel, got 'row'"),
  )
  def test_refuses(self, bits, blocks, message):
    with self.assertRaisesRegex(ValueError, message):
      wire.BlockFloatingPointCodec(bits, blocks)


if __name__ == '__main__':
  tf.test.main()
