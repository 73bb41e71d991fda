# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for binarize: equations 6-10 and 13 of FedBAT."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests.tff_binary.ops import kept_for_gradient
from tff_binary.ops import binarize
from tff_binary.ops import seeds


def _reference(x, alpha, zeta):
  """Equations 6-9, literally, in float64: S, dS/dx and dS/dalpha."""
  b = np.floor((x + alpha) / (2.0 * alpha) + zeta)
  inside = np.abs(x) <= alpha
  value = np.where(inside, alpha * (2.0 * b - 1.0), alpha * np.sign(x))
  x_slope = inside.astype(x.dtype)
  alpha_slope = np.where(inside, 2.0 * b - (x + alpha) / alpha, np.sign(x))
  return value, x_slope, alpha_slope


def _inputs(shape=(40, 25), seed=0):
  """Entries inside and outside the band, a step size, noise and upstream."""
  random = np.random.RandomState(seed)
  x, upstream = random.normal(size=shape), random.normal(size=shape)
  return x, 0.9, random.uniform(size=shape), upstream


def _value_and_gradients(x, alpha, zeta, upstream):
  x = tf.convert_to_tensor(x)
  alpha = tf.convert_to_tensor(alpha, x.dtype)
  with tf.GradientTape() as tape:
    tape.watch([x, alpha])
    value = binarize.binarize(x, alpha, zeta)
  return value, *tape.gradient(value, [x, alpha], output_gradients=upstream)


class ForwardTest(tf.test.TestCase, parameterized.TestCase):

  def test_equals_the_paper(self):
    x, alpha, zeta, _ = _inputs()
    value, _, _ = _reference(x, alpha, zeta)
    self.assertAllClose(binarize.binarize(x, alpha, zeta), value)
    self.assertCountEqual(np.unique(value), [-alpha, alpha])

  def test_ends_of_the_band_and_of_the_noise(self):
    # Dyadic numbers: the paper's formula is exact in float32.
    x = np.array([-1.0, -1.0, -0.5, -0.5, 0.0, 0.0, 0.5, 1.0, 1.0], np.float32)
    last = 1.0 - 2.0**-24  # The largest float32 below 1.
    zeta = np.array([0, last, 0.5, 0.75, 0.25, 0.5, 0.25, 0, last], np.float32)
    self.assertAllEqual(
        binarize.binarize(x, 1.0, zeta), [-1, -1, -1, 1, -1, 1, 1, 1, 1]
    )

  @parameterized.parameters(0.3, 1.0)
  def test_mean_and_variance(self, alpha):
    x = np.array([-1.5, -1.0, -0.3, -0.1, 0.0, 0.07, 0.25, 0.9, 3.0])
    draws = 40_000
    noise = seeds.uniform([draws, len(x)], tf.constant([1, 2]))
    samples = binarize.binarize(
        tf.broadcast_to(tf.cast(x, tf.float32), noise.shape), alpha, noise
    ).numpy().astype(np.float64)
    clipped = np.clip(x, -alpha, alpha)
    # By Hoeffding's inequality the mean of `draws` values in [-alpha, alpha] is
    # off by more than 0.03 alpha with a probability below 2 exp(-draws 0.03**2
    # / 2) = 3.1e-8: with 9 entries and 2 step sizes, a new seed would fail with
    # a probability below 6e-7. The tested seed is fixed.
    self.assertAllClose(
        np.mean(samples, axis=0), clipped, rtol=0.0, atol=0.03 * alpha
    )
    # The values being +-alpha, the variance follows from the mean: it is off by
    # at most 0.03 alpha (2 |x| + 0.03 alpha) whenever the mean passes.
    self.assertAllClose(
        np.var(samples, axis=0),
        alpha**2 - clipped**2,
        rtol=0.0,
        atol=0.03 * 2.03 * alpha**2,
    )

  def test_outside_the_band_the_noise_does_not_matter(self):
    x = tf.constant([-3.0, -1.0001, 1.0001, 3.0])
    for zeta in (0.0, 0.5, 0.999):
      self.assertAllEqual(
          binarize.binarize(x, 1.0, tf.fill([4], zeta)), [-1, -1, 1, 1]
      )

  @parameterized.parameters((), (0,), (7,), (3, 2, 2, 5))
  def test_shapes(self, *shape):
    x, alpha, zeta, upstream = _inputs(shape)
    value, x_grad, alpha_grad = _value_and_gradients(x, alpha, zeta, upstream)
    self.assertEqual(value.shape, shape)
    self.assertEqual(x_grad.shape, shape)
    self.assertEqual(alpha_grad.shape, ())

  def test_tiny_and_huge_numbers(self):
    noise = seeds.uniform([10_000], tf.constant([3, 4]))
    for scale in (1e-30, 1e30):
      x = tf.fill([10_000], np.float32(0.5 * scale))
      value = binarize.binarize(x, tf.constant(scale, tf.float32), noise)
      # Up with probability 3/4; 0.7 and 0.8 are 11 deviations away.
      self.assertBetween(np.mean(value.numpy() > 0.0), 0.7, 0.8)


  @parameterized.parameters(False, True)
  def test_step_sizes_up_to_the_largest_number(self, jit_compile):
    compiled = tf.function(binarize.binarize, jit_compile=jit_compile)
    x = np.array([-1.0, -0.5, 0.0, 0.5, 1.0] * 4, np.float32)
    zeta = np.repeat(np.array([0.0, 0.3, 0.7, 0.99], np.float32), 5)
    expected = compiled(x, 1.0, zeta)
    for step_size in (2.0**-120, 1e20, 2.0**126, np.finfo(np.float32).max):
      step_size = np.float32(step_size)
      value = compiled(x * step_size, step_size, zeta)
      self.assertAllEqual(value / step_size, expected)


class GradientTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(tf.float64, tf.float32)
  def test_equals_the_paper_given_the_draw(self, dtype):
    x, alpha, zeta, upstream = _inputs()
    _, x_slope, alpha_slope = _reference(x, alpha, zeta)
    _, x_grad, alpha_grad = _value_and_gradients(
        *(tf.cast(value, dtype) for value in (x, alpha, zeta, upstream))
    )
    self.assertAllClose(x_grad, x_slope * upstream, rtol=1e-6)
    self.assertAllClose(
        alpha_grad, np.sum(alpha_slope * upstream), rtol=1e-4
    )

  def test_step_size_gradient_entry_by_entry(self):
    x, alpha, zeta, _ = _inputs((30,))
    _, _, alpha_slope = _reference(x, alpha, zeta)
    for i, upstream in enumerate(np.eye(30)):
      _, _, alpha_grad = _value_and_gradients(x, alpha, zeta, upstream)
      self.assertAllClose(alpha_grad, alpha_slope[i])

  def test_forward_and_backward_share_the_draw(self):
    # Half way inside, the slope tells the draw: 2 b - 1 - x / alpha.
    x, upstream = np.zeros([1000]), np.ones([1000])
    zeta = np.random.RandomState(1).rand(1000)
    value, _, alpha_grad = _value_and_gradients(x, 0.5, zeta, upstream)
    self.assertAllClose(alpha_grad, np.sum(np.sign(value)))
    self.assertNotEqual(alpha_grad, 0.0)

  def test_keeps_a_byte_an_entry(self):
    x, alpha, zeta, _ = _inputs()
    kept = kept_for_gradient.num_bytes(
        binarize.binarize, [x, np.float64(alpha), zeta]
    )
    self.assertBetween(kept, x.size, x.size + 64)

  def test_slope_of_the_step_size_has_mean_zero_inside(self):
    x = np.full([40_000], 0.3)
    zeta = np.random.RandomState(2).rand(40_000)
    _, _, alpha_grad = _value_and_gradients(x, 1.0, zeta, np.ones_like(x))
    # The slopes lie in [-1.3, 0.7]: Hoeffding, as above.
    self.assertAllClose(alpha_grad / 40_000, 0.0, atol=0.03)

  def test_reaches_the_exponent(self):
    # dL/dalpha_e = rho alpha dL/dalpha.
    x, _, zeta, upstream = _inputs()
    exponent = tf.constant(0.1, tf.float64)
    with tf.GradientTape() as tape:
      tape.watch(exponent)
      alpha = binarize.learned_step_size(
          tf.constant(0.5, tf.float64), exponent, 6.0
      )
      value = binarize.binarize(x, alpha, zeta)
    gradient = tape.gradient(value, exponent, output_gradients=upstream)
    self.assertAllClose(alpha, 0.5 * np.exp(0.6))
    _, _, alpha_slope = _reference(x, alpha.numpy(), zeta)
    self.assertAllClose(
        gradient, 6.0 * alpha.numpy() * np.sum(alpha_slope * upstream)
    )


class EdgeCasesTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(2.0**-100, 1.0, 2.0**126)
  def test_gradients_do_not_depend_on_the_unit(self, unit):
    x, zeta = np.float32([-1.0, -0.5, 0.25, 2.0] * 8), tf.fill([32], 0.6)
    upstream = tf.constant(np.arange(1.0, 33.0, dtype=np.float32))
    _, x_grad, alpha_grad = _value_and_gradients(
        x * np.float32(unit), unit, zeta, upstream
    )
    _, expected_x_grad, expected = _value_and_gradients(x, 1.0, zeta, upstream)
    self.assertAllEqual(x_grad, expected_x_grad)
    self.assertAllClose(alpha_grad, expected, rtol=1e-6)

  def test_zero_step_size_gives_zero_and_finite_gradients(self):
    x = tf.constant([-1.0, -0.0, 0.0, 2.0])
    value, x_grad, alpha_grad = _value_and_gradients(
        x, 0.0, tf.fill([4], 0.5), tf.constant([1.0, 2.0, 3.0, 4.0])
    )
    self.assertAllEqual(value, tf.zeros([4]))
    # Zero is inside the band, anything else outside.
    self.assertAllEqual(x_grad, [0.0, 2.0, 3.0, 0.0])
    self.assertAllEqual(alpha_grad, 0.0)

  def test_infinite_entries_are_clipped(self):
    x = tf.constant([-np.inf, np.inf])
    value, x_grad, alpha_grad = _value_and_gradients(
        x, 0.5, tf.fill([2], 0.5), tf.constant([1.0, 3.0])
    )
    self.assertAllEqual(value, [-0.5, 0.5])
    self.assertAllEqual(x_grad, [0.0, 0.0])
    self.assertAllEqual(alpha_grad, 2.0)

  def test_nan_step_size_gives_nan(self):
    x = tf.constant([-1.0, 0.0, 1.0])
    value = binarize.binarize(x, np.nan, tf.fill([3], 0.5))
    self.assertAllEqual(np.isnan(value), [True] * 3)

  def test_nan_entry_keeps_to_the_two_values_and_gets_no_gradient(self):
    value, x_grad, _ = _value_and_gradients(
        tf.constant([np.nan, 2.0]), 0.5, tf.fill([2], 0.5), tf.ones([2])
    )
    self.assertAllEqual(tf.abs(value), [0.5, 0.5])
    self.assertAllEqual(x_grad, [0.0, 0.0])


class CompiledTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(False, True)
  def test_equals_eager(self, jit_compile):
    x, alpha, zeta, upstream = (
        tf.cast(value, tf.float32) for value in _inputs()
    )
    compiled = tf.function(_value_and_gradients, jit_compile=jit_compile)
    value, x_grad, alpha_grad = compiled(x, alpha, zeta, upstream)
    expected = _value_and_gradients(x, alpha, zeta, upstream)
    self.assertAllEqual(value, expected[0])
    self.assertAllEqual(x_grad, expected[1])
    # A sum, in another order.
    self.assertAllClose(alpha_grad, expected[2], rtol=1e-5)


class StepSizeTest(tf.test.TestCase, parameterized.TestCase):

  def test_learned_step_size(self):
    self.assertAllClose(
        binarize.learned_step_size(tf.constant(0.01), tf.constant(-0.5), 4.0),
        0.01 * np.exp(-2.0),
    )
    # rho = 0 keeps the initial value whatever the exponent.
    self.assertAllEqual(
        binarize.learned_step_size(tf.constant(0.01), tf.constant(9.0), 0.0),
        tf.constant(0.01),
    )

  def test_initial_step_size_is_the_mean_absolute_entry(self):
    update = tf.constant([[-1.0, 2.0, 0.0], [0.5, -0.5, 2.0]])
    self.assertAllClose(binarize.initial_step_size(update), 1.0)

  def test_max_norm(self):
    self.assertAllEqual(binarize.max_norm(tf.constant([[-3.0, 2.0]])), 3.0)

  def test_max_norm_makes_every_entry_unbiased(self):
    x, _, zeta, upstream = _inputs()
    alpha = binarize.max_norm(x)
    _, x_grad, _ = _value_and_gradients(x, alpha, zeta, upstream)
    self.assertAllEqual(x_grad, upstream)

  @parameterized.parameters(
      (binarize.initial_step_size,), (binarize.max_norm,)
  )
  def test_of_zero_empty_and_non_finite(self, function):
    self.assertAllEqual(function(tf.zeros([3, 2])), 0.0)
    self.assertAllEqual(function(tf.zeros([0, 2])), 0.0)
    self.assertAllEqual(function(tf.constant([1.0, -np.inf])), np.inf)
    self.assertTrue(np.isnan(function(tf.constant([1.0, np.nan]))))


class DrawTest(tf.test.TestCase):

  def test_is_unbiased_and_maps_the_ends_to_themselves(self):
    x = tf.repeat(tf.constant([-3.0, -2.0, -0.5, 0.0, 1.5, 2.0, np.inf]), 10**5)
    drawn = binarize.draw(x, tf.constant(2.0), tf.constant([1, 2]))
    self.assertAllInSet(drawn, [-2.0, 2.0])
    means = tf.reduce_mean(tf.reshape(drawn, [-1, 10**5]), axis=1)
    # Six standard deviations of at most 2 / sqrt(100,000): fails by chance for
    # one seed in 10^8, and the seed is fixed.
    self.assertAllClose(
        means, [-2.0, -2.0, -0.5, 0.0, 1.5, 2.0, 2.0], rtol=0, atol=0.04
    )
    self.assertAllEqual(tf.unique(drawn[: 2 * 10**5])[0], [-2.0])
    self.assertAllEqual(tf.unique(drawn[-2 * 10**5 :])[0], [2.0])

  def test_tells_whether_a_tensor_is_zero(self):
    late = np.zeros([1000], np.float32)
    late[-2] = 1.0
    tensors = [tf.zeros([3, 4]), tf.constant(late), tf.zeros([0]), tf.ones([])]
    self.assertEqual(
        [bool(binarize.is_zero(x)) for x in tensors],
        [True, False, True, False],
    )


if __name__ == '__main__':
  tf.test.main()
