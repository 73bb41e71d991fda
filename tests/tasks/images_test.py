# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for what tasks with images share."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

import tasks
from tasks import images


class BuildTaskTest(tf.test.TestCase, parameterized.TestCase):

  def _build(self, **kwargs):
    pixels = np.zeros([2, 32, 32, 3], np.uint8)
    labels = np.zeros([2], np.int32)
    arguments = dict(
        model='fedbat_cnn',
        kernel_initializer='paper',
        seed=1,
        train_pixels=images.Pixels(0.25, 0.5),
        test_pixels=images.Pixels((0.5, 0.25, 0.0), 1.0),
    )
    arrays = pixels, labels, pixels, labels
    return images.build_task(
        'some', lambda: arrays, 7, **{**arguments, **kwargs}
    )

  def test_pixels_are_standardized_by_the_constants(self):
    task = self._build()
    white = tf.fill([1, 3], tf.constant(255, tf.uint8))
    self.assertAllClose(task.preprocess_train(white), [[1.5, 1.5, 1.5]])
    self.assertAllClose(task.preprocess_test(white), [[0.5, 0.75, 1.0]])

  def test_test_pixels_are_those_of_training_by_default(self):
    for kwargs in ({'test_pixels': None}, {'normalization': 'imagenet'}):
      task = self._build(**kwargs)
      white = tf.fill([1, 3], tf.constant(255, tf.uint8))
      self.assertAllEqual(
          task.preprocess_train(white), task.preprocess_test(white)
      )

  def test_model_has_the_shape_of_the_images_and_the_classes(self):
    model = self._build().build_model()
    self.assertEqual(model.input_shape, (None, 32, 32, 3))
    self.assertEqual(model.output_shape, (None, 7))

  @parameterized.parameters(
      dict(normalization='svhn', allowed='cifar10, imagenet, mnist'),
      dict(model='resnet', allowed='conv10, .*vgg11_light'),
  )
  def test_refuses_before_anything_is_read(self, allowed, **wrong):
    (name, value), = wrong.items()
    for task in 'cifar10', 'cifar100', 'cinic10', 'fmnist', 'svhn':
      with self.assertRaisesRegex(
          ValueError, f"{name} must be one of {allowed}, got '{value}'"
      ):
        tasks.load(task, data_dir='/missing', **wrong)


class ShiftAndFlipTest(tf.test.TestCase):

  def test_every_image_is_a_shifted_and_perhaps_flipped_one(self):
    image = np.arange(1, 1 + 8 * 8, dtype=np.uint8).reshape(8, 8, 1)
    tiled = np.tile(image, [200, 1, 1, 1])
    augmented = images.shift_and_flip(tiled, [1, 2]).numpy()
    padded = np.pad(image, [(4, 4), (4, 4), (0, 0)])
    crops = {}
    for row in range(9):
      for column in range(9):
        crop = padded[row : row + 8, column : column + 8]
        crops[crop.tobytes()] = crops[crop[:, ::-1].tobytes()] = row, column
    shifts = [crops[x.tobytes()] for x in augmented]
    # 200 draws miss one of 9 values of a coordinate once in 10^9 seeds.
    for coordinates in zip(*shifts):
      self.assertCountEqual(set(coordinates), range(9))
    self.assertAllEqual(
        images.shift_and_flip(tiled, [1, 2]).numpy(), augmented
    )
    self.assertNotAllEqual(
        images.shift_and_flip(tiled, [1, 3]).numpy(), augmented
    )


if __name__ == '__main__':
  tf.test.main()
