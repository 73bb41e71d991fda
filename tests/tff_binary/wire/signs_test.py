# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for signs."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import wire
from tff_binary.ops import signs

_SEED = (3, 5)


def _decode(codec, value, weight=1.0):
  return codec.decode(
      codec.encode(value, _SEED), tf.TensorSpec(value.shape, value.dtype), weight
  )


def _mean_decoded(codec, values, num_draws):
  """Returns for each of the values the mean of so many decoded draws."""
  value = tf.repeat(tf.constant(values)[:, tf.newaxis], num_draws, axis=1)
  return tf.reduce_mean(_decode(codec, value), axis=1).numpy()


class SignCodecTest(tf.test.TestCase, parameterized.TestCase):

  def test_mean_step_size(self):
    value = tf.constant([3.0, -1.0, 0.0, -0.0])
    codec = wire.SignCodec()
    self.assertAllEqual(_decode(codec, value), [1.0, -1.0, 1.0, 1.0])
    self.assertEqual(codec.num_off_grid(value), 0)

  def test_fixed_step_size(self):
    value = tf.constant([3.0, -1.0, 0.0])
    decoded = _decode(wire.SignCodec(0.001), value)
    self.assertAllClose(decoded, [0.001, -0.001, 0.001], rtol=1e-7)

  def test_a_fixed_step_size_is_not_sent(self):
    payload = wire.SignCodec(0.001).encode(tf.ones([9]))
    self.assertEqual(sum(x.numpy().nbytes for x in payload.values()), 2)

  def test_nan_and_infinity_are_zero_with_weight_zero(self):
    value = tf.constant([np.nan, np.inf, -np.inf])
    for codec in (wire.SignCodec(), wire.SignCodec(0.5)):
      self.assertAllEqual(_decode(codec, value, 0.0), [0.0, 0.0, 0.0])

  def test_empty_tensor(self):
    self.assertAllEqual(_decode(wire.SignCodec(), tf.zeros([0])), [])

  @parameterized.parameters(0.1, np.float32(0.1), np.float64(0.1), 1)
  def test_takes_any_number(self, step_size):
    codec = wire.SignCodec(step_size)
    self.assertAllClose(_decode(codec, tf.ones([2])), [step_size] * 2)

  @parameterized.parameters(
      'max', 0.0, -1.0, 1e39, np.nan, np.inf, None, True, [np.ones(2)]
  )
  def test_refuses_step_size(self, step_size):
    message = r"'mean' or a number in \(0, 3.40282e\+38\], got"
    with self.assertRaisesRegex(ValueError, message):
      wire.SignCodec(step_size)


class NoisySignCodecTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      # The bias of a Gaussian is below x^3 / (6 sigma^2), here 0.004.
      ('gaussian', 1.0, 0.3, 0.006),
      # That of z = 2 starts with the fifth power: below 0.002.
      ('z_2', 2.0, 0.3, 0.003),
      ('uniform', float('inf'), 0.9, 0.0),
  )
  def test_is_unbiased_with_its_step_size(self, z, largest, bias):
    codec = wire.NoisySignCodec(signs.z_noise_step_size(1.0, z), 1.0, z)
    values = np.linspace(-largest, largest, 7, dtype=np.float32)
    num_draws = 200_000
    mean = _mean_decoded(codec, values, num_draws)
    # Six standard deviations for 21 means: fails by chance once in 10^7.
    self.assertAllClose(
        mean, values, atol=bias + 6 * 1.3 / np.sqrt(num_draws), rtol=0
    )

  @parameterized.parameters(
      ((0.0, 1.0), 'step_size'),
      ((1.0, -1.0), 'sigma'),
      ((1.0, '1'), 'sigma'),
      ((1.0, 1.0, 0.5), 'z'),
      ((1.0, 1.0, None), 'z'),
  )
  def test_refuses(self, arguments, name):
    with self.assertRaisesRegex(ValueError, f'^{name} must be'):
      wire.NoisySignCodec(*arguments)


class StochasticSignCodecTest(tf.test.TestCase, parameterized.TestCase):

  def test_is_unbiased_up_to_step_size_over_bound(self):
    values = np.array([-0.5, -0.2, 0.0, 0.1, 0.5], np.float32)
    num_draws = 100_000
    for bound, size in (
        ('max_norm', 0.5),
        ('2_norm', np.sqrt(num_draws * np.sum(values**2))),
    ):
      codec = wire.StochasticSignCodec(0.01, bound)
      mean = _mean_decoded(codec, values, num_draws)
      # Six standard deviations of 10 means: fails by chance once in 10^7.
      self.assertAllClose(
          mean,
          0.01 * values / size,
          atol=6 * 0.01 / np.sqrt(num_draws),
          rtol=0,
      )

  def test_zeros_get_both_signs(self):
    decoded = _decode(wire.StochasticSignCodec(1.0), tf.zeros([1000]))
    # Six standard deviations: fails by chance once in 10^8.
    self.assertLess(abs(np.sum(decoded)), 190)

  def test_refuses(self):
    with self.assertRaisesRegex(ValueError, '^step_size must be'):
      wire.StochasticSignCodec(0.0)
    with self.assertRaisesRegex(ValueError, "'2_norm', got '3'"):
      wire.StochasticSignCodec(1.0, '3')


if __name__ == '__main__':
  tf.test.main()
