# Copyright 2026 The tff_binary Authors.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Tests for binarize."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.ops import binarize


def _operator_of_the_paper(x, alpha, zeta):
  """Equations 6 and 7 as they are printed, in float64."""
  b = np.floor((alpha + x) / (2 * alpha) + zeta)
  inside = np.abs(x) <= alpha
  return np.where(inside, alpha * (2 * b - 1), alpha * np.sign(x)), b, inside


def _inputs(alpha, size=10000):
  rng = np.random.RandomState(0)
  # The float32 values that TensorFlow sees.
  x = (2.0 * alpha * rng.randn(size)).astype(np.float32)
  zeta = rng.rand(size).astype(np.float32)
  return x, np.minimum(zeta, np.float32(1.0 - 2.0**-24))


def _value_and_gradients(x, alpha, zeta, upstream, fn=binarize.binarize):
  x, alpha = tf.constant(x), tf.constant(alpha)
  with tf.GradientTape() as tape:
    tape.watch([x, alpha])
    value = fn(x, alpha, tf.constant(zeta))
  return value, tape.gradient(value, [x, alpha], output_gradients=upstream)


class BinarizeTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(1e-3, 0.25, 3.0)
  def test_equals_equations_6_and_7(self, alpha):
    x, zeta = _inputs(np.float32(alpha))
    alpha = np.float32(alpha)
    expected, _, _ = _operator_of_the_paper(
        x.astype(np.float64), np.float64(alpha), zeta.astype(np.float64)
    )
    value = binarize.binarize(x, tf.constant(alpha), zeta)
    self.assertCountEqual(np.unique(value), [-alpha, alpha])
    # float32 and float64 may round the comparison at the threshold differently.
    self.assertLessEqual(np.sum(value != expected.astype(np.float32)), 2)

  @parameterized.parameters(1e-3, 0.25, 3.0)
  def test_gradients_equal_equations_8_and_9(self, alpha):
    alpha = np.float32(alpha)
    x, zeta = _inputs(alpha)
    upstream = np.random.RandomState(1).randn(x.size).astype(np.float32)
    value, (x_grad, alpha_grad) = _value_and_gradients(
        x, alpha, zeta, upstream
    )
    inside = np.abs(x) <= alpha
    self.assertAllEqual(x_grad, np.where(inside, upstream, 0.0))
    # b is the draw of the forward pass.
    b = (value.numpy() > 0).astype(np.float64)
    wide = x.astype(np.float64)
    slope = np.where(inside, 2 * b - (wide + alpha) / alpha, np.sign(wide))
    # The terms cancel; float32 loses 6e-8 of their absolute sum at a time.
    terms = upstream * slope
    self.assertAllClose(
        alpha_grad, np.sum(terms), rtol=0.0, atol=1e-6 * np.sum(np.abs(terms))
    )

  def test_alpha_gradient_is_summed_over_the_tensor(self):
    # Three entries above alpha, one below -alpha: slopes 1, 1, 1 and -1.
    _, (_, alpha_grad) = _value_and_gradients(
        np.float32([[2, 3], [4, -5]]), 1.0, np.zeros([2, 2], np.float32),
        tf.ones([2, 2]),
    )
    self.assertEqual(alpha_grad.numpy(), 2.0)

  def test_mean_and_variance_inside_the_band(self):
    alpha, draws = 0.5, 100_000
    x = np.linspace(-alpha, alpha, 9).astype(np.float32)
    noise = tf.random.stateless_uniform([draws, 9], [3, 4])
    values = binarize.binarize(
        tf.tile(x[None, :], [draws, 1]), tf.constant(alpha), noise
    ).numpy()
    variance = alpha**2 - x.astype(np.float64) ** 2
    # Five standard errors; with nine entries this and the next check fail for
    # less than 1 of 50,000 seeds.
    error = np.sqrt(variance / draws)
    self.assertAllLessEqual(
        np.abs(values.mean(axis=0) - x) - 5 * error, 1e-6
    )
    # Var = alpha^2 - mean^2 holds for each sample, so the mean's error decides.
    self.assertAllLessEqual(
        np.abs(values.var(axis=0) - variance) - 10 * np.abs(x) * error
        - 25 * error**2,
        1e-6,
    )

  def test_interior_alpha_gradient_has_zero_mean(self):
    draws = 100_000
    x = tf.fill([draws], 0.2)
    noise = tf.random.stateless_uniform([draws], [5, 6])
    _, (_, alpha_grad) = _value_and_gradients(
        x.numpy(), 0.5, noise.numpy(), tf.fill([draws], 1.0 / draws)
    )
    # One slope has the standard deviation sqrt(1 - 0.4^2) < 1: five standard
    # errors, exceeded for less than 1 of a million seeds.
    self.assertLess(abs(alpha_grad.numpy()), 5.0 / np.sqrt(draws))

  @parameterized.parameters(0.0, 0.3, 0.999)
  def test_ends_of_the_band_are_not_random(self, zeta):
    x = np.float32([-0.5, 0.5, -7.0, 7.0])
    value = binarize.binarize(x, tf.constant(0.5), np.full(4, zeta, np.float32))
    self.assertAllEqual(value, [-0.5, 0.5, -0.5, 0.5])

  def test_step_size_zero_gives_zero_and_passes_gradients_of_zeros(self):
    value, (x_grad, alpha_grad) = _value_and_gradients(
        np.float32([0.0, 0.0]), 0.0, np.float32([0.2, 0.8]), tf.ones([2])
    )
    self.assertAllEqual(value, [0.0, 0.0])
    self.assertAllEqual(x_grad, [1.0, 1.0])
    self.assertTrue(np.isfinite(alpha_grad))

  def test_infinite_entries_are_clipped(self):
    value, (x_grad, alpha_grad) = _value_and_gradients(
        np.float32([np.inf, -np.inf]), 0.5, np.float32([0.5, 0.5]), tf.ones([2])
    )
    self.assertAllEqual(value, [0.5, -0.5])
    self.assertAllEqual(x_grad, [0.0, 0.0])
    self.assertEqual(alpha_grad.numpy(), 0.0)

  def test_nan_step_size_gives_nan(self):
    value = binarize.binarize(
        tf.ones([2]), tf.constant(np.nan), tf.fill([2], 0.5)
    )
    self.assertTrue(np.all(np.isnan(value)))

  @parameterized.parameters(False, True)
  def test_compiled_equals_eager(self, jit_compile):
    x, zeta = _inputs(0.25)
    upstream = tf.ones_like(x)
    value, gradients = _value_and_gradients(x, 0.25, zeta, upstream)
    compiled = tf.function(binarize.binarize, jit_compile=jit_compile)
    value_2, gradients_2 = _value_and_gradients(
        x, 0.25, zeta, upstream, compiled
    )
    self.assertAllEqual(value, value_2)
    self.assertAllEqual(gradients[0], gradients_2[0])
    self.assertAllClose(gradients[1], gradients_2[1], rtol=1e-4, atol=1e-3)


class StepSizeTest(tf.test.TestCase):

  def test_initial_step_size_is_the_mean_absolute_entry(self):
    self.assertAllClose(
        binarize.initial_step_size(tf.constant([[1.0, -2.0], [0.0, 5.0]])), 2.0
    )
    self.assertEqual(binarize.initial_step_size(tf.zeros([0])).numpy(), 0.0)

  def test_learned_step_size(self):
    exponent = tf.constant(0.1)
    with tf.GradientTape() as tape:
      tape.watch(exponent)
      step_size = binarize.learned_step_size(0.02, exponent, 6.0)
    self.assertAllClose(step_size, 0.02 * np.exp(0.6))
    # d alpha / d alpha_e = rho alpha.
    self.assertAllClose(tape.gradient(step_size, exponent), 6.0 * step_size)

  def test_max_norm(self):
    self.assertEqual(binarize.max_norm(tf.constant([1.0, -3.0])).numpy(), 3.0)
    self.assertEqual(binarize.max_norm(tf.zeros([0])).numpy(), 0.0)


if __name__ == '__main__':
  tf.test.main()
