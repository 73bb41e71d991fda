# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for quantized."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import wire

_SEED = (3, 5)
_LENGTHS = (0, 1, 7, 8, 9, 1000)


def _decode(codec, value, weight=1.0):
  return codec.decode(
      codec.encode(value, _SEED), tf.TensorSpec(value.shape, value.dtype), weight
  )


def _num_bytes(codec, value):
  return sum(x.numpy().nbytes for x in codec.encode(value, _SEED).values())


def _mean_decoded(codec, values, num_draws):
  """Returns for each of the values the mean of so many decoded draws."""
  value = tf.repeat(tf.constant(values)[:, tf.newaxis], num_draws, axis=1)
  return tf.reduce_mean(_decode(codec, value), axis=1).numpy()


def _random(length):
  return tf.constant(np.random.RandomState(1).randn(length), tf.float32)


class QuantizedCodecTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(*range(1, 9))
  def test_sends_b_bits_an_entry_and_a_step_size(self, bits):
    for length in _LENGTHS:
      num_bytes = _num_bytes(wire.QuantizedCodec(bits), _random(length))
      self.assertEqual(num_bytes, (length * bits + 7) // 8 + 4)

  @parameterized.parameters(*range(1, 9))
  def test_is_exact_on_the_grid(self, bits):
    levels = np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1))
    value = tf.constant(0.25 * np.tile(levels, 3), tf.float32)
    self.assertAllEqual(_decode(wire.QuantizedCodec(bits), value), value)

  def test_uniform_is_unbiased_but_for_the_clamped_end(self):
    values = np.array([-1.0, -0.3, 0.0, 0.01, 0.6], np.float32)
    num_draws = 100_000
    mean = _mean_decoded(wire.QuantizedCodec(3), values, num_draws)
    # A step is 1/4; six standard deviations of 5 means: fails by chance once in
    # 10^8.
    self.assertAllClose(mean, values, atol=6 / 8 / np.sqrt(num_draws), rtol=0)
    self.assertAllEqual(
        _decode(wire.QuantizedCodec(3), tf.constant([1.0, -1.0])), [0.75, -1.0]
    )

  def test_qsgd_is_unbiased(self):
    values = np.array([-0.7, 0.2, 0.0], np.float32)
    num_draws = 20_000
    mean = _mean_decoded(wire.QuantizedCodec(8, 'qsgd'), values, num_draws)
    step = np.sqrt(num_draws * np.sum(values**2)) / 127
    # Six standard deviations of 3 means: fails by chance once in 10^8.
    self.assertAllClose(
        mean, values, atol=6 * step / 2 / np.sqrt(num_draws), rtol=0
    )

  def test_more_bits_come_closer(self):
    value = _random(1000)
    errors = [
        np.linalg.norm(_decode(wire.QuantizedCodec(bits), value) - value)
        for bits in (2, 4, 6, 8)
    ]
    self.assertAllLess(np.divide(errors[1:], errors[:-1]), 0.5)

  @parameterized.parameters('uniform', 'qsgd')
  def test_zeros_stay_zero(self, form):
    value = tf.zeros([3, 5])
    self.assertAllEqual(_decode(wire.QuantizedCodec(4, form), value), value)

  @parameterized.parameters('uniform', 'qsgd')
  def test_not_finite_is_zero_with_weight_zero(self, form):
    value = tf.constant([np.nan, np.inf, 1.0])
    decoded = _decode(wire.QuantizedCodec(4, form), value, 0.0)
    self.assertAllEqual(decoded, [0.0, 0.0, 0.0])

  @parameterized.parameters((0,), (9,), (1, 'qsgd'), (4, 'max'), (2.0,))
  def test_refuses(self, *arguments):
    with self.assertRaisesRegex(ValueError, '^(bits|form) must be'):
      wire.QuantizedCodec(*arguments)


class RangeCodecTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      (0.25, 1), (0.5, 1), (0.75, 2), (1.0, 2), (4.0, 4), (1e3, 12), (1e9, 16)
  )
  def test_bits_follow_the_range(self, value_range, bits):
    value = tf.concat([[0.0, value_range], tf.zeros([98])], axis=0)
    codec = wire.RangeCodec(0.25)
    self.assertEqual(codec.encode(value, _SEED)['bits'], bits)
    self.assertEqual(_num_bytes(codec, value), 1 + 8 + (100 * bits + 7) // 8)

  def test_is_unbiased(self):
    values = np.array([-1.0, -0.3, 0.0, 0.01, 2.0], np.float32)
    num_draws = 100_000
    mean = _mean_decoded(wire.RangeCodec(1.0), values, num_draws)
    # Two bits, hence steps of 1; six standard deviations of 5 means: fails by
    # chance once in 10^8.
    self.assertAllClose(mean, values, atol=6 / 2 / np.sqrt(num_draws), rtol=0)

  def test_extremes_are_exact(self):
    decoded = _decode(wire.RangeCodec(0.3), tf.constant([[-1.0, 2.0]]))
    self.assertAllEqual(decoded, [[-1.0, 2.0]])

  @parameterized.parameters(*_LENGTHS)
  def test_constants_take_one_bit_and_are_exact(self, length):
    value = tf.fill([length], 0.3)
    codec = wire.RangeCodec()
    self.assertAllEqual(_decode(codec, value), value)
    self.assertEqual(_num_bytes(codec, value), 9 + (length + 7) // 8)

  def test_not_finite_is_zero_with_weight_zero(self):
    for bad in (np.nan, np.inf):
      decoded = _decode(wire.RangeCodec(), tf.constant([bad, 1.0]), 0.0)
      self.assertAllEqual(decoded, [0.0, 0.0])

  def test_weights_up_to_the_largest_number(self):
    for values in ([0.0, 0.1], [0.0, 0.0], [-0.5, 0.5]):
      decoded = _decode(wire.RangeCodec(), tf.constant(values), 3e38)
      self.assertAllClose(decoded / 3e38, values, rtol=1e-6)

  @parameterized.parameters(0.0, -1.0, np.nan, np.inf, None, '1', True)
  def test_refuses_resolution(self, resolution):
    with self.assertRaisesRegex(ValueError, 'resolution must be a positive'):
      wire.RangeCodec(resolution)


if __name__ == '__main__':
  tf.test.main()
