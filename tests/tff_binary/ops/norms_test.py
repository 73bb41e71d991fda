# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for norms."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.ops import norms

_MAX = np.finfo(np.float32).max


def _norms(x):
  return norms.max_norm(x), norms.two_norm(x), norms.mean_magnitude(x)


class NormsTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(False, True)
  def test_bits_of_the_plain_formulas(self, jit_compile):
    compiled = tf.function(_norms, jit_compile=jit_compile)
    plain = tf.function(
        lambda x: (
            tf.reduce_max(tf.abs(x)),
            tf.norm(x),
            tf.reduce_sum(tf.abs(x)) / tf.cast(tf.size(x), x.dtype),
        ),
        jit_compile=jit_compile,
    )
    for scale in (1e-6, 0.3, 1.0, 7e4):
      x = tf.constant(np.random.RandomState(1).randn(999) * scale, tf.float32)
      self.assertAllEqual(compiled(x), plain(x))

  @parameterized.parameters(np.float32, np.float64)
  def test_scale_with_powers_of_two_over_the_whole_range(self, dtype):
    info = np.finfo(dtype)
    x = np.random.RandomState(1).uniform(-1.0, 1.0, 999).astype(dtype)
    expected = np.stack(_norms(tf.constant(x)))
    # The 2-norm is below 32 times the largest entry; entries below 1/1024 of it
    # may become subnormal.
    for exponent in (info.minexp + 24, -70, 70, info.maxexp - 6):
      scaled = _norms(tf.constant(np.ldexp(x, exponent)))
      self.assertAllClose(np.ldexp(scaled, -exponent), expected, rtol=1e-6)

  def test_what_exceeds_the_dtype_is_its_largest_number(self):
    x = tf.fill([100_000], _MAX)
    self.assertAllEqual(norms.max_norm(x), _MAX)
    self.assertAllEqual(norms.two_norm(x), _MAX)
    self.assertAllClose(norms.mean_magnitude(x), _MAX, rtol=1e-6)

  @parameterized.parameters(tf.float16, tf.bfloat16)
  def test_sums_of_narrow_dtypes(self, dtype):
    mean = norms.mean_magnitude(tf.fill([300_000], tf.constant(2.0, dtype)))
    self.assertEqual((mean.dtype, float(mean)), (dtype, 2.0))
    norm = norms.two_norm(tf.fill([4], tf.constant(3e4, dtype)))
    self.assertAllClose(float(norm), 6e4, rtol=0.01)

  def test_nothing_and_zeros(self):
    for x in (tf.zeros([0]), tf.zeros([2, 3])):
      self.assertAllEqual(_norms(x), [0.0, 0.0, 0.0])

  @parameterized.parameters(np.nan, np.inf)
  def test_what_is_not_finite_is_seen(self, bad):
    for norm in _norms(tf.constant([1.0, bad])):
      self.assertFalse(np.isfinite(norm))

  @parameterized.parameters(3, 7, 127, 32767)
  def test_below_overflow_keeps_multiples_finite(self, levels):
    norm = norms.below_overflow(tf.constant(_MAX))
    for step in (norm / levels, norm * (1.0 / levels)):
      self.assertTrue(np.isfinite(step * levels))
      self.assertAllClose(step * levels / _MAX, 1.0, rtol=2e-6)
    ordinary = tf.constant(3e38)
    self.assertAllEqual(norms.below_overflow(ordinary), ordinary)
    self.assertAllEqual(norms.below_overflow(-tf.constant(_MAX)), -norm)


if __name__ == '__main__':
  tf.test.main()
