# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for block_floating_point."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.ops import block_floating_point
from tff_binary.ops import seeds

_BITS = (2, 3, 6, 8, 16)


def _kernel():
  """A convolution's kernel whose 20 channel pairs differ in scale."""
  random = np.random.RandomState(0)
  scales = np.exp(4.0 * random.randn(4, 5))
  return (scales * random.randn(3, 3, 4, 5)).astype(np.float32)


def _exponents(x, bits, blocks='tensor'):
  return block_floating_point.exponents(tf.constant(x), bits, blocks)


def _quantize(x, bits, blocks='tensor', seed=(1, 2)):
  return block_floating_point.quantize(
      tf.constant(x), bits, blocks, seed
  ).numpy()


class BlockFloatingPointTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(bits=_BITS, blocks=block_floating_point.BLOCKS)
  def test_rounds_to_a_neighbour_on_the_grid_of_the_block(self, bits, blocks):
    x = _kernel()
    y = _quantize(x, bits, blocks)
    axes = {'tensor': (0, 1, 2, 3), 'channel': (0, 1, 2), 'kernel': (0, 1)}
    # Here by frexp, whose mantissa is in [0.5, 1).
    _, e = np.frexp(np.abs(x).max(axes[blocks], keepdims=True))
    e -= 1
    is_cut_off = x.max(axes[blocks], keepdims=True) > np.ldexp(
        2.0 - 2.0 ** (2 - bits), e
    )
    e += is_cut_off
    self.assertAllEqual(_exponents(x, bits, blocks), e)
    integers = np.ldexp(y, bits - 2 - e)
    self.assertAllEqual(integers, np.round(integers))
    self.assertAllInRange(
        integers, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    )
    self.assertAllLess(np.abs(np.ldexp(x, bits - 2 - e) - integers), 1.0)

  @parameterized.product(bits=_BITS, blocks=block_floating_point.BLOCKS)
  def test_what_is_rounded_stays(self, bits, blocks):
    y = _quantize(_kernel(), bits, blocks)
    self.assertAllEqual(_quantize(y, bits, blocks, seed=(3, 4)), y)

  def test_the_lowest_number_needs_no_larger_exponent(self):
    # All integers of 4 bits; a larger exponent has no odd ones.
    x = np.arange(-8.0, 8.0, dtype=np.float32)
    self.assertAllEqual(_exponents(x, 4), [2])
    self.assertAllEqual(_quantize(x, 4), x)
    # The positive 8 is none of them.
    self.assertAllEqual(_exponents(np.append(x, np.float32(8)), 4), [3])

  def test_vectors_and_matrices(self):
    vector, matrix = np.float32([1, 8]), np.float32([[1, 8], [16, 32]])
    for blocks in block_floating_point.BLOCKS:
      self.assertAllEqual(_exponents(vector, 8, blocks), [3])
    self.assertAllEqual(_exponents(matrix, 8, 'channel'), [[4, 5]])
    self.assertAllEqual(_exponents(matrix, 8, 'kernel'), [[0, 3], [4, 5]])

  # As the codec draws, and as `quantize` does.
  @parameterized.product(
      bits=_BITS, uniform=(seeds.uniform, seeds.coarse_uniform)
  )
  def test_rounding_has_no_bias(self, bits, uniform):
    # Also the largest entries, which a fixed exponent would cut off. The mean
    # of 20,000 draws deviates by 5 of its standard deviations, half a step over
    # sqrt(20,000) at most: false in 6e-7 of 12 entries, 5 widths and 2 kinds of
    # noise, so in 7 of 100,000 seeds.
    x = np.float32([1.999, -1.999, 1.5, 0.1, -0.03, 1e-3] * 2)
    x[6:] *= -0.77
    num_draws = 20_000
    tiled = tf.tile(tf.constant(x)[tf.newaxis], [num_draws, 1])
    noise = uniform(tf.shape(tiled), (5, bits))
    e = _exponents(x, bits)
    step = block_floating_point.step_sizes(e, bits)
    rounded = block_floating_point.encode(tiled, e, bits, noise) * step
    error = tf.reduce_mean(rounded - x, axis=0) / step
    self.assertAllLess(np.abs(error), 2.5 / np.sqrt(num_draws))

  def test_gradients_are_rounded_where_they_are_meant_to_be(self):
    x = tf.constant(_kernel())
    upstream = tf.random.stateless_normal(x.shape, (1, 2))
    with tf.GradientTape(persistent=True) as tape:
      tape.watch(x)
      kept = block_floating_point.quantize_gradient(x, 4, 'channel', (5, 6))
      rounded = block_floating_point.quantize_both_ways(x, 4, 'tensor', (5, 6))
    self.assertAllEqual(kept, x)
    self.assertNotAllEqual(rounded, x)
    self.assertAllEqual(rounded, _quantize(rounded, 4))
    for y, blocks in ((kept, 'channel'), (rounded, 'tensor')):
      gradient = tape.gradient(y, x, upstream)
      self.assertNotAllEqual(gradient, upstream)
      self.assertAllEqual(gradient, _quantize(gradient, 4, blocks))
      self.assertAllClose(gradient, upstream, atol=1.0)

  def test_bfloat16_holds_8_bits(self):
    x = tf.cast(_kernel(), tf.bfloat16)
    y = block_floating_point.quantize(x, 8, 'tensor', (1, 2))
    self.assertEqual(y.dtype, tf.bfloat16)
    self.assertAllEqual(
        tf.cast(y, tf.float32), _quantize(tf.cast(x, tf.float32), 8)
    )

  @parameterized.parameters(
      tf.float16, tf.bfloat16, tf.float32, tf.float64
  )
  def test_what_is_not_finite_stays_so(self, dtype):
    x = tf.constant([np.nan, np.inf, -np.inf, 1.0], dtype)
    y = block_floating_point.quantize(x, 8, 'tensor', (1, 2))
    self.assertAllEqual(
        np.isfinite(tf.cast(y, tf.float32)), [False, False, False, True]
    )


if __name__ == '__main__':
  tf.test.main()
