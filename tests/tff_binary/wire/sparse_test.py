# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for sparse."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import wire


def _at(positions, length):
  """A tensor of zeros but for different values at some positions."""
  value = np.zeros(length, np.float32)
  value[positions] = 1.0 + np.arange(len(positions))
  return tf.constant(value)


def _decode(codec, value, weight=1.0):
  return codec.decode(
      codec.encode(value), tf.TensorSpec(value.shape, value.dtype), weight
  )


def _num_bytes(codec, value):
  return {k: x.numpy().nbytes for k, x in codec.encode(value).items()}


class SparseCodecTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('front', 0.03, range(30), 1000),
      ('end', 0.03, range(970, 1000), 1000),
      ('both_ends', 0.002, [0, 999], 1000),
      ('one', 0.001, [500], 1000),
      ('all', 1.0, range(9), 9),
      ('half', 0.5, range(0, 100, 2), 100),
      ('of_one', 0.03, [0], 1),
      ('of_none', 0.03, [], 0),
      ('last_of_many', 1e-6, [199_999], 200_000),
  )
  def test_returns_what_is_sparse(self, ratio, positions, length):
    value = _at(positions, length)
    self.assertAllEqual(_decode(wire.SparseCodec(ratio), value), value)

  @parameterized.parameters(0.003, 0.03, 0.1, 0.3)
  def test_sends_the_largest_near_the_entropy(self, ratio):
    random = np.random.RandomState(1)
    value = tf.constant(random.randn(100, 200), tf.float32)
    codec = wire.SparseCodec(ratio)
    decoded = _decode(codec, value).numpy()
    k = round(20_000 * ratio)
    self.assertEqual(np.count_nonzero(decoded), k)
    threshold = np.sort(np.abs(value).ravel())[-k]
    self.assertAllEqual(
        decoded, np.where(np.abs(value) >= threshold, value, 0.0)
    )
    num_bytes = _num_bytes(codec, value)
    self.assertEqual(num_bytes.pop('values'), 4 * k)
    entropy = -ratio * np.log2(ratio) - (1 - ratio) * np.log2(1 - ratio)
    # Within 3 % in expectation. A gap's code has a standard deviation of some
    # 1.5 bits, the mean of the 60 gaps at 0.003 one of 0.2 of 10 bits; the seed
    # is fixed.
    self.assertBetween(
        8 * sum(num_bytes.values()) / 20_000, 0.95 * entropy, 1.05 * entropy
    )

  def test_worked_example(self):
    # Gaps 0, 5 and 2 with one bit of remainder: quotients 0, 2 and 1.
    value = _at([0, 6, 9], 10)
    payload = wire.SparseCodec(0.3).encode(value)
    self.assertEqual(list(payload), ['values', 'quotients', 'remainders'])
    self.assertAllEqual(payload['values'], [1.0, 2.0, 3.0])
    self.assertAllEqual(payload['quotients'], [0b1_001_01_00])
    self.assertAllEqual(payload['remainders'], [0b010_00000])

  def test_bits_of_97_percent_sparsity(self):
    value = tf.constant(np.random.RandomState(2).randn(389_920), tf.float32)
    num_bytes = sum(_num_bytes(wire.SparseCodec(1 - 0.97), value).values())
    self.assertAlmostEqual(8 * num_bytes / 389_920, 1.158, places=2)

  def test_applies_the_weight(self):
    value = _at([1, 3], 4)
    codec = wire.SparseCodec(0.5)
    self.assertAllEqual(_decode(codec, value, 3.0), 3.0 * value)
    self.assertAllEqual(
        _decode(codec, value * np.nan, 0.0), tf.zeros_like(value)
    )

  @parameterized.parameters(1e-9, 1e-17, 5e-324)
  def test_sends_one_entry_for_any_smaller_ratio(self, ratio):
    value = _at([70_000], 200_000)
    codec = wire.SparseCodec(ratio)
    self.assertAllEqual(_decode(codec, value), value)
    self.assertLess(sum(_num_bytes(codec, value).values()), 8)

  @parameterized.parameters(0.0, -0.1, 1.1, float('nan'), 'a', None, True)
  def test_refuses(self, ratio):
    with self.assertRaisesRegex(ValueError, f'in .0, 1., got {ratio!r}'):
      wire.SparseCodec(ratio)


if __name__ == '__main__':
  tf.test.main()
