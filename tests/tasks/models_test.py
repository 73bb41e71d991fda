# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for the models of the tasks."""

import functools

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tasks import models


def _kernels(model):
  return [v for v in model.trainable_variables if v.shape.rank > 1]


class FedbatCnnTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('fmnist', (28, 28, 1), 389_920),
      ('svhn', (32, 32, 3), 398_176),
  )
  def test_has_the_papers_number_of_weights(self, input_shape, num_weights):
    model = models.fedbat_cnn(input_shape)
    kernels = _kernels(model)
    vectors = [v for v in model.trainable_variables if v.shape.rank == 1]
    self.assertLen(kernels, 5)
    self.assertEqual(sum(v.shape.num_elements() for v in kernels), num_weights)
    self.assertEqual(sum(v.shape.num_elements() for v in vectors), 960)
    for v in vectors:
      self.assertRegex(v.name, 'gamma|beta')

  def test_pools_to_one_pixel_as_pytorch_does(self):
    model = models.fedbat_cnn()
    heights = [
        layer.output_shape[1]
        for layer in model.layers
        if isinstance(layer, tf.keras.layers.MaxPool2D)
    ]
    self.assertEqual(heights, [14, 7, 3, 1])

  def test_batch_normalization_follows_pytorchs_defaults(self):
    inputs = np.random.RandomState(0).normal(3.0, 2.0, [64, 8, 8, 1])
    model = models.fedbat_cnn((8, 8, 1), filters=(1,))
    convolution, normalization = model.layers[:2]
    inputs = convolution(inputs)
    normalization(inputs, training=True)
    self.assertAllClose(
        normalization.moving_mean, 0.1 * tf.reduce_mean(inputs, [0, 1, 2])
    )
    self.assertEqual(normalization.epsilon, 1e-5)

  @parameterized.parameters('paper', 'kaiming')
  def test_initial_kernels_have_the_stated_deviation(self, initializer):
    model = models.fedbat_cnn(kernel_initializer=initializer, seed=0)
    for kernel in _kernels(model):
      fan_in = kernel.shape[:-1].num_elements()
      stddev = 0.01 if initializer == 'paper' else np.sqrt(2.0 / fan_in)
      scaled = kernel.numpy().ravel() / stddev
      error = 5.0 / np.sqrt(len(scaled))
      self.assertAllClose(np.mean(scaled), 0.0, atol=error)
      # The variance of the square of a standard normal variable is 2.
      self.assertAllClose(np.mean(scaled**2), 1.0, atol=np.sqrt(2.0) * error)
      if len(scaled) > 10_000:
        # Truncation at two standard deviations would cut these off.
        self.assertGreater(np.abs(scaled).max(), 3.0)

  def test_equal_seeds_give_equal_weights(self):
    first, again, other = (
        models.fedbat_cnn(seed=seed).get_weights() for seed in (1, 1, 2)
    )
    for a, b in zip(first, again):
      self.assertAllEqual(a, b)
    self.assertNotAllClose(first[0], other[0])

  def test_kernels_do_not_repeat_each_other(self):
    kernels = _kernels(models.fedbat_cnn(seed=1))
    values = np.concatenate([k.numpy().ravel() for k in kernels])
    _, counts = np.unique(values, return_counts=True)
    # Two of 389,920 independent float32 values are rarely equal; a shared
    # stream repeats whole kernels.
    self.assertLess(np.mean(counts > 1), 0.05)

  def test_unseeded_weights_follow_keras_global_seed(self):
    weights = []
    for seed in (7, 7, 8):
      tf.keras.utils.set_random_seed(seed)
      weights.append(models.fedbat_cnn().get_weights())
    for a, b in zip(weights[0], weights[1]):
      self.assertAllEqual(a, b)
    self.assertNotAllClose(weights[0][0], weights[2][0])

  def test_logits_are_float32_under_mixed_precision(self):
    policy = tf.keras.mixed_precision.global_policy()
    self.addCleanup(tf.keras.mixed_precision.set_global_policy, policy)
    tf.keras.mixed_precision.set_global_policy('mixed_bfloat16')
    model = models.fedbat_cnn((8, 8, 1), filters=(4, 8))
    self.assertEqual(model.layers[0].compute_dtype, 'bfloat16')
    self.assertEqual(model(tf.zeros([2, 8, 8, 1])).dtype, tf.float32)
    for variable in model.variables:
      self.assertEqual(variable.dtype, tf.float32)

  def test_refuses_an_unknown_initializer(self):
    with self.assertRaisesRegex(ValueError, "paper, kaiming, got 'zeros'"):
      models.fedbat_cnn(kernel_initializer='zeros')


class ConvnetTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      ((28, 28, 1), 10, 317_706),
      ((32, 32, 3), 10, 320_010),
      ((32, 32, 3), 100, 504_420),
  )
  def test_has_the_papers_number_of_weights(
      self, input_shape, num_classes, num_weights
  ):
    model = models.convnet(input_shape, num_classes)
    self.assertEqual(model.count_params(), num_weights)
    self.assertLen(model.trainable_variables, len(model.variables))
    self.assertEqual(model.layers[-2].input_shape, (None, 2048))

  def test_normalizes_each_channel_of_each_example(self):
    model = models.convnet((8, 8, 2), filters=(3,), seed=1)
    inputs = np.random.RandomState(0).normal(3.0, 2.0, [4, 8, 8, 2])
    convolution, normalization = model.layers[:2]
    outputs = convolution(inputs)
    self.assertAllClose(
        normalization(outputs),
        (outputs - tf.reduce_mean(outputs, [1, 2], keepdims=True))
        / tf.sqrt(
            tf.math.reduce_variance(outputs, [1, 2], keepdims=True) + 1e-5
        ),
        atol=1e-4,
    )

  def test_pads_images_of_one_channel_by_3(self):
    model = models.convnet((28, 28, 1), filters=(2,))
    padding, convolution = model.layers[:2]
    x = np.zeros([1, 28, 28, 1], np.float32)
    x[0, 0, 0, 0] = 1.0
    reached = np.argwhere(convolution(padding(x))[0, ..., 0])
    self.assertAllEqual(reached.min(axis=0), [1, 1])
    self.assertAllEqual(reached.max(axis=0), [3, 3])


_RESNET10 = models.IMAGE_MODELS['resnet10']
_RESNET10_WIDE = models.IMAGE_MODELS['resnet10_wide']
_CONV6 = functools.partial(models.conv, 6, (32, 32, 3))


class LargeModelsTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('resnet10', _RESNET10, (), 10, 1_226_080, 1_228_960),
      ('resnet10_100', _RESNET10, (), 100, 1_249_120, 1_252_000),
      ('resnet10_wide', _RESNET10_WIDE, (), 10, 4_897_472, 4_903_232),
      ('conv6', _CONV6, (), 10, 2_261_184, 2_262_602),
      ('resnet18', models.resnet, (18,), 10, 11_164_352, 11_173_962),
      ('resnet34', models.resnet, (34,), 100, 21_311_168, 21_328_292),
      ('vgg11_light', models.vgg11_light, (), 10, 6_863_552, 6_870_282),
  )
  def test_has_the_stated_number_of_weights(
      self, build, args, num_classes, num_kernel_weights, num_weights
  ):
    model = build(*args, num_classes=num_classes, seed=1)
    count = lambda variables: sum(v.shape.num_elements() for v in variables)
    self.assertEqual(count(_kernels(model)), num_kernel_weights)
    self.assertEqual(count(model.trainable_variables), num_weights)
    self.assertEqual(model.output_shape, (None, num_classes))

  @parameterized.named_parameters(
      ('resnet18', models.resnet, (18,)),
      ('resnet34', models.resnet, (34,)),
      ('vgg11_light', models.vgg11_light, ()),
      ('conv6', _CONV6, ()),
  )
  def test_gradients_of_a_step_are_finite(self, build, args):
    model = build(*args, seed=1)
    features = np.random.RandomState(0).normal(size=[4, 32, 32, 3])
    with tf.GradientTape() as tape:
      logits = model(features.astype(np.float32), training=True)
      loss = tf.reduce_mean(tf.square(logits - 1.0))
    for gradient in tape.gradient(loss, model.trainable_variables):
      self.assertTrue(np.all(np.isfinite(gradient)))
    self.assertEqual(logits.shape, [4, 10])

  def test_strides_pad_both_sides(self):
    # A stride of 2 halves 32 pixels three times.
    heights = {
        layer.output_shape[1]
        for layer in models.resnet(18).layers
        if isinstance(layer, tf.keras.layers.Conv2D)
    }
    self.assertEqual(heights, {32, 16, 8, 4})

  def test_refuses_another_depth(self):
    with self.assertRaisesRegex(
        ValueError, 'depth must be 10, 18 or 34, got 50'
    ):
      models.resnet(50)


class ImageModelsTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      ('conv4', (28, 28, 1), 10, 1_933_258),
      ('conv10', (32, 32, 3), 100, 19_197_092),
      ('fedbat_cnn', (28, 28, 1), 10, 390_880 + 960),
  )
  def test_builds_what_it_is_asked_for(self, name, shape, classes, num_weights):
    model = models.image_model(name, shape, classes, 'kaiming', 1)()
    self.assertEqual(model.count_params(), num_weights)
    self.assertEqual(model.input_shape, (None, *shape))

  def test_errors(self):
    with self.assertRaisesRegex(ValueError, "conv10, .* got 'conv5'"):
      models.image_model('conv5', (28, 28, 1), 10, 'kaiming', 1)
    with self.assertRaisesRegex(ValueError, '4, 6 or 10, got 5'):
      models.conv(5)
    with self.assertRaisesRegex(ValueError, r'32 pixels .* \(28, 28, 1\)'):
      models.conv(10)


class CharacterLstmTest(tf.test.TestCase, parameterized.TestCase):

  def test_has_the_papers_number_of_weights(self):
    model = models.character_lstm(90)
    kernels = [v.shape.num_elements() for v in _kernels(model)]
    self.assertEqual(kernels, [720, 8_192, 262_144, 262_144, 262_144, 23_040])
    self.assertEqual(sum(kernels), 818_384)
    self.assertEqual(model.count_params(), 820_522)

  @parameterized.parameters('paper', 'kaiming')
  def test_initial_kernels_have_the_stated_deviation(self, initializer):
    model = models.character_lstm(90, kernel_initializer=initializer, seed=0)
    kernels = _kernels(model)
    for kernel in kernels:
      stddev = 0.01 if initializer == 'paper' else (2.0 / kernel.shape[0])**0.5
      scaled = kernel.numpy().ravel() / stddev
      error = 5.0 / np.sqrt(len(scaled))
      self.assertAllClose(np.mean(scaled), 0.0, atol=error)
      self.assertAllClose(np.std(scaled), 1.0, atol=error)
    # No two of equal shape share their values.
    self.assertNotAllClose(kernels[2], kernels[3])
    self.assertNotAllClose(kernels[3], kernels[4])

  @parameterized.parameters('float32', 'mixed_bfloat16')
  def test_logits_depend_on_the_ids_up_to_them(self, policy):
    self.addCleanup(
        tf.keras.mixed_precision.set_global_policy,
        tf.keras.mixed_precision.global_policy(),
    )
    tf.keras.mixed_precision.set_global_policy(policy)
    model = models.character_lstm(9, units=4, seed=0)
    ids = np.array([[5, 2, 7, 1, 3, 0], [5, 2, 7, 8, 3, 0]], np.int32)
    first, second = model(ids)
    self.assertEqual(first.dtype, tf.float32)
    self.assertEqual(first.shape, [6, 9])
    self.assertAllEqual(first[:3], second[:3])
    self.assertNotAllClose(first[3:], second[3:])


if __name__ == '__main__':
  tf.test.main()
