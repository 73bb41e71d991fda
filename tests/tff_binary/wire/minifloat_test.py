# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for minifloat."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import wire

_SEED = (3, 5)
_ALL_BITS = tuple(range(6, 17))


def _round_trip(codec, value, seed=_SEED):
  value = tf.constant(value, tf.float32)
  spec = tf.TensorSpec(value.shape, value.dtype)
  return codec.decode(codec.encode(value, seed), spec).numpy()


def _grid(bits):
  """Returns the floats of `bits` bits up to 1, by IEEE 754's rule."""
  width = 2 ** (bits - 6)
  floats = [m / width * 2.0**-30 for m in range(width)]
  floats += [
      (1 + m / width) * 2.0 ** (e - 31) for e in range(1, 31)
      for m in range(width)
  ]
  return np.float32(floats + [1.0])


class MinifloatCodecTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(*_ALL_BITS)
  def test_floats_of_so_many_bits_are_exact(self, bits):
    grid = _grid(bits)
    value = np.concatenate([-grid, grid])
    for exponent in (0, 100, -80):
      scaled = np.ldexp(value, exponent)
      self.assertAllEqual(
          _round_trip(wire.MinifloatCodec(bits), scaled), scaled
      )

  @parameterized.parameters((1,), (3,), (1000,))
  def test_payload_is_packed(self, length):
    for bits in (6, 8, 11):
      payload = wire.MinifloatCodec(bits).encode(tf.ones([length]), _SEED)
      self.assertEqual(list(payload), ['codes', 'scale'])
      self.assertAllEqual(payload['codes'].shape, [-(-length * bits // 8)])
      self.assertEqual(payload['scale'].dtype, tf.float32)

  @parameterized.parameters(6, 8, 16)
  def test_rounds_to_a_neighbour_and_is_off_by_no_more_than_it_says(self, bits):
    random = np.random.RandomState(1)
    magnitudes = np.exp(random.uniform(np.log(2.0**-30), 0.0, 20_000))
    value = np.float32(magnitudes * random.choice([-1, 1], 20_000))
    value[0] = 1.0
    decoded = _round_trip(wire.MinifloatCodec(bits), value)
    self.assertAllEqual(np.isin(np.abs(decoded), _grid(bits)), [True] * 20_000)
    ratio = decoded / value - 1.0
    self.assertAllLess(np.abs(ratio), 2.0 ** (6 - bits) + 1e-6)
    bound = 1 / (4.0 ** (bits - 5) * (1 + 2.0 ** (6 - bits)))
    self.assertBetween(np.mean(ratio**2), 0.3 * bound, bound)

  @parameterized.parameters(6, 8)
  def test_is_right_on_average(self, bits):
    # From below the smallest float to the largest.
    value = np.float32([0.0, 3e-11, -2e-10, 1e-5, -0.07, 0.13, 0.999, 1.0])
    number = 20_000
    values = np.tile(value, [number, 1])
    decoded = np.float64(_round_trip(wire.MinifloatCodec(bits), values))
    errors = np.mean(decoded, axis=0) - value
    deviations = np.std(decoded, axis=0) / np.sqrt(number)
    # Normal, but for those of a few draws: fails once in 10^6.
    self.assertAllLess(np.abs(errors) - 5.5 * deviations, 1e-18)
    self.assertGreater(np.count_nonzero(deviations), 5)

  def test_small_tensors_do_not_vanish_beside_large_ones(self):
    random = np.random.RandomState(1)
    small, large = (
        np.float32(s * random.normal(size=500)) for s in (1e-6, 1.0)
    )
    decoded = _round_trip(wire.MinifloatCodec(), np.concatenate([small, large]))
    for sent, exact in ((decoded[:500], small), (decoded[500:], large)):
      error = np.sum((sent - exact) ** 2) / np.sum(exact**2)
      self.assertLess(error, 1 / 80)

  @parameterized.parameters(5, 17, 8.0, True, None)
  def test_refuses(self, bits):
    with self.assertRaisesRegex(ValueError, rf'in \[6, 16\], got {bits}'):
      wire.MinifloatCodec(bits)


if __name__ == '__main__':
  tf.test.main()
