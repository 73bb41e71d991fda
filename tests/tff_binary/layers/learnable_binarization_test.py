# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for learnable_binarization."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.layers import learnable_binarization
from tff_binary.layers import weight_layer
from tff_binary.ops import seeds

_SEED = tf.constant([1, 2])


def _layer(shape=(4, 5), **kwargs):
  layer = learnable_binarization.LearnableBinarization(**kwargs)
  layer.build(shape)
  layer.start()
  return layer


def _binarizing_layer(update, **kwargs):
  """A layer whose warm-up is over and left `update` behind."""
  layer = _layer(np.shape(update), warmup_ratio=0.5, **kwargs)
  layer.update_variable.assign(update)
  layer.advance(1, 2)
  return layer


def _is_binarizing(layer):
  """Whether the effective kernel no longer is w_t + m."""
  layer.update_variable.assign(tf.reshape(tf.range(20.0), [4, 5]) * 0.01)
  kernel = tf.zeros([4, 5])
  return not np.array_equal(layer(kernel, _SEED), layer.update_variable)


class PhaseTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      # warmup_ratio, tau, full-precision steps.
      (0.5, 10, 5),
      (0.5, 5, 2),
      (0.7, 10, 7),
      (0.29, 100, 29),
      (0.1, 5, 1),  # floor is 0: one step is taken all the same.
      (0.5, 1, 1),
      (0.0, 10, 0),
      (1.0, 3, 3),
  )
  def test_number_of_full_precision_steps(self, ratio, num_steps, expected):
    layer = _layer(warmup_ratio=ratio)
    full_precision = 0
    for step in range(num_steps):
      layer.advance(tf.constant(step), num_steps)
      full_precision += not _is_binarizing(layer)
    self.assertEqual(full_precision, expected)
    layer.advance(tf.constant(num_steps), num_steps)
    self.assertTrue(_is_binarizing(layer))

  def test_start_resets(self):
    layer = _binarizing_layer(tf.ones([4, 5]))
    layer.step_exponent.assign(0.1)
    layer.start()
    self.assertAllEqual(layer.update_variable, tf.zeros([4, 5]))
    self.assertEqual(layer.step_exponent.numpy(), 0.0)
    self.assertFalse(_is_binarizing(layer))

  def test_warmup_is_plain_training(self):
    layer = _layer()
    kernel = tf.random.stateless_normal([4, 5], [0, 0])
    upstream = tf.random.stateless_normal([4, 5], [0, 1])
    with tf.GradientTape() as tape:
      effective = layer(kernel, _SEED)
    self.assertAllEqual(effective, kernel)
    gradient, exponent_gradient = tape.gradient(
        effective,
        [layer.update_variable, layer.step_exponent],
        output_gradients=upstream,
        unconnected_gradients='zero',
    )
    self.assertAllEqual(gradient, upstream)
    self.assertEqual(exponent_gradient.numpy(), 0.0)


class GroupTest(tf.test.TestCase):
  """Layers that are advanced and called together."""

  def test_equal_each_by_itself(self):
    ratios = [0.5, 0.25, 0.5, 0.25]
    shapes = [[4, 5], [3], [2, 2], [4, 5]]
    together, alone = (
        [
            _layer(shape, warmup_ratio=ratio)
            for shape, ratio in zip(shapes, ratios)
        ]
        for _ in range(2)
    )
    kernels = [tf.ones(shape) for shape in shapes]
    all_seeds = seeds.fold_in_each(_SEED, range(4))
    for step in (0, 3, 5):  # None, two and all of them binarize.
      for i, layer in enumerate((*together, *alone)):
        layer.update_variable.assign_add(
            0.01 * tf.ones_like(layer.update_variable) * (i % 4 + 1)
        )
      weight_layer.advance_all(together, step, 8)
      for layer in alone:
        layer.advance(step, 8)
      self.assertAllEqual(
          [layer._step_base > 0.0 for layer in together],
          [step >= 8 * ratio for ratio in ratios],
      )
      for effective, layer, kernel, seed in zip(
          weight_layer.call_all(together, kernels, all_seeds),
          alone,
          kernels,
          all_seeds,
      ):
        self.assertAllEqual(effective, layer(kernel, seed))

  def test_as_many_functions_for_many_kernels_as_for_one(self):
    def num_functions(num_layers):
      group = [_layer() for _ in range(num_layers)]

      @tf.function
      def gradients(step, kernel):
        weight_layer.advance_all(group, step, 8)
        with tf.GradientTape() as tape:
          effective = weight_layer.call_all(
              group, [kernel] * num_layers, [_SEED] * num_layers
          )
        return tape.gradient(
            effective, [v for l in group for v in l.trainable_variables]
        )

      graph = gradients.get_concrete_function(0, tf.zeros([4, 5])).graph
      return len(graph.as_graph_def().library.function)

    self.assertEqual(num_functions(7), num_functions(1))


class StepSizeTest(tf.test.TestCase, parameterized.TestCase):

  def test_starts_at_the_mean_absolute_update(self):
    layer = _binarizing_layer([[0.01, -0.03], [0.0, 0.04]])
    self.assertAllClose(layer.step_size(), 0.02)

  def test_starts_at_a_multiple_of_it(self):
    layer = _binarizing_layer([[0.01, -0.03], [0.0, 0.04]], step_scale=1.5)
    self.assertAllClose(layer.step_size(), 0.03)

  def test_rho_sets_the_pace(self):
    layer = _binarizing_layer([[0.01, -0.01]], rho=2.0)
    layer.step_exponent.assign(0.5)
    self.assertAllClose(layer.step_size(), 0.01 * np.exp(1.0))

  def test_rho_zero_keeps_it_fixed(self):
    layer = _binarizing_layer([[0.01, -0.01]], rho=0.0)
    with tf.GradientTape() as tape:
      effective = layer(tf.zeros([1, 2]), _SEED)
    gradient = tape.gradient(
        effective, layer.step_exponent, output_gradients=tf.ones([1, 2])
    )
    self.assertEqual(gradient.numpy(), 0.0)
    layer.step_exponent.assign(5.0)
    self.assertAllClose(layer.step_size(), 0.01)

  @parameterized.parameters((1e-5, 5e-4), (1.0, 5e-2))
  def test_clamp(self, update, expected):
    layer = _binarizing_layer([[update, -update]])
    self.assertAllClose(layer.step_size(), expected)
    with tf.GradientTape() as tape:
      effective = layer(tf.zeros([1, 2]), _SEED)
    gradient = tape.gradient(
        effective, layer.step_exponent, output_gradients=tf.constant([[1.0, 2]])
    )
    self.assertEqual(gradient.numpy(), 0.0)
    self.assertEqual(layer.measurements()['clamped_step_sizes'].numpy(), 1.0)

  def test_inside_the_clamp_is_not_counted(self):
    layer = _binarizing_layer([[0.01, -0.01]])
    self.assertEqual(layer.measurements()['clamped_step_sizes'].numpy(), 0.0)

  @parameterized.parameters(1e-5, 1.0)
  def test_without_clamp(self, update):
    layer = _binarizing_layer([[update, -update]], clamp_step_size=False)
    self.assertAllClose(layer.step_size(), update)
    self.assertEmpty(layer.measurements())

  def test_floor_without_clamp_and_warmup(self):
    layer = _layer(warmup_ratio=0.0, clamp_step_size=False)
    layer.advance(0, 10)
    layer.update_variable.assign(tf.ones([4, 5]))
    self.assertAllClose(
        layer.step_size(), learnable_binarization.STEP_SIZE_FLOOR
    )

  def test_max_norm_follows_the_update_without_a_gradient(self):
    layer = _layer((1, 3), step_size='max_norm', warmup_ratio=0.0)
    layer.advance(0, 10)
    self.assertLen(layer.trainable_variables, 1)
    for update in ([[0.1, -0.4, 0.2]], [[3.0, 0.0, 1.0]]):
      layer.update_variable.assign(update)
      with tf.GradientTape() as tape:
        effective = layer(tf.zeros([1, 3]), _SEED)
      self.assertAllClose(
          tf.abs(effective), np.full([1, 3], np.max(np.abs(update)))
      )
      upstream = tf.constant([[1.0, 2.0, 3.0]])
      self.assertAllEqual(
          tape.gradient(effective, layer.update_variable, upstream), upstream
      )


class UpdateTest(tf.test.TestCase):

  def test_has_exactly_two_values(self):
    update = tf.random.stateless_normal([40, 50], [0, 0]) * 0.01
    layer = _binarizing_layer(update)
    sent = layer.update(tf.ones([40, 50]), _SEED).numpy()
    step_size = layer.step_size().numpy()
    self.assertCountEqual(np.unique(sent), [-step_size, step_size])

  def test_effective_kernel_is_kernel_plus_update(self):
    layer = _binarizing_layer([[0.01, -0.02, 0.03]])
    kernel = tf.constant([[1.0, 2.0, 3.0]])
    self.assertAllEqual(
        layer(kernel, _SEED), kernel + layer.update(kernel, _SEED)
    )

  def test_zero_update_sends_zero(self):
    for kwargs in ({}, dict(clamp_step_size=False), dict(step_size='max_norm')):
      layer = _binarizing_layer(tf.zeros([4, 5]), **kwargs)
      self.assertAllEqual(
          layer.update(tf.ones([4, 5]), _SEED), tf.zeros([4, 5])
      )

  def test_is_unbiased_inside_the_band(self):
    layer = _binarizing_layer([[0.01, -0.02, 0.005, 0.0]], step_size='max_norm')
    draws = 4000
    mean = np.mean(
        [
            layer.update(None, seeds.fold_in(_SEED, i)).numpy()
            for i in range(draws)
        ],
        axis=0,
    )
    # A mean of `draws` values +-0.02 has a deviation of at most
    # 0.02 / sqrt(draws); five of them fail for one of the entries in less than
    # 1 of 400,000 choices of the seed.
    bound = 5.0 * 0.02 / np.sqrt(draws)
    self.assertAllClose(mean, layer.update_variable, atol=bound, rtol=0.0)

  def test_works_in_a_graph(self):
    layer = _binarizing_layer([[0.01, -0.02, 0.03]])
    kernel = tf.ones([1, 3])

    @tf.function
    def compute():
      layer.advance(tf.constant(0), 2)
      return layer(kernel, _SEED), layer.update(kernel, _SEED)

    effective, update = compute()
    self.assertAllEqual(effective, layer(kernel, _SEED))
    self.assertAllEqual(update, layer.update(kernel, _SEED))


if __name__ == '__main__':
  tf.test.main()
