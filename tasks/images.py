# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What tasks with images share: scaling, augmentation, the model by name."""

import functools
from typing import Any, NamedTuple

import tensorflow as tf

from tasks import checks
from tasks import models
from tasks import registry

_PADDING = 4


class Pixels(NamedTuple):
  """Mean and standard deviation of pixels in `[0, 1]`.

  Each is a number for all channels, or a tuple of one for each.
  """

  mean: Any
  stddev: Any


# By the data set that they come from; papers take them for others, too.
NORMALIZATIONS = {
    'cifar10': Pixels((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    'imagenet': Pixels((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    'mnist': Pixels(0.1307, 0.3081),
}


def standardize(features, mean, stddev):
  """Returns uint8 pixels as float32, over 255 and standardized."""
  return (tf.cast(features, tf.float32) / 255.0 - mean) / stddev


def shift_and_flip(features, seed):
  """Shifts every image by up to 4 pixels each way and flips half of them.

  Zero padding by 4 pixels, a random crop of the original size and a random
  horizontal flip, on raw pixels: what comes in is black.

  Args:
    features: A uint8 tensor of shape `[n, height, width, channels]`.
    seed: An int32 tensor of shape `[2]`.

  Returns:
    A tensor like `features`.
  """
  num_images = tf.shape(features)[0]
  height, width = features.shape[1:3]
  draws = tf.random.stateless_uniform([3, num_images], seed, alg='philox')
  shifts = tf.cast(draws[:2] * (2 * _PADDING + 1), tf.int32)
  is_flipped = tf.reshape(draws[2] < 0.5, [-1, 1, 1, 1])
  margin = [_PADDING, _PADDING]
  padded = tf.pad(features, [[0, 0], margin, margin, [0, 0]])
  rows = shifts[0][:, tf.newaxis] + tf.range(height)
  columns = shifts[1][:, tf.newaxis] + tf.range(width)
  cropped = tf.gather(padded, rows, axis=1, batch_dims=1)
  cropped = tf.gather(cropped, columns, axis=2, batch_dims=1)
  return tf.where(is_flipped, cropped[:, :, ::-1], cropped)


def build_task(
    name,
    load_arrays,
    num_classes,
    *,
    model,
    kernel_initializer,
    seed,
    train_pixels,
    test_pixels=None,
    normalization=None,
    augment=False,
):
  """Builds the task of a data set of images.

  Args:
    name: The task's name.
    load_arrays: A function without arguments that returns training images,
      uint8 of shape `[n, height, width, channels]`, their labels, int32 of
      shape `[n]`, test images and labels.
    num_classes: The number of classes.
    model: One of `models.IMAGE_MODELS`.
    kernel_initializer: See `registry.load`.
    seed: See `registry.load`.
    train_pixels: The `Pixels` that standardize training images.
    test_pixels: Those of test images; as in training if None.
    normalization: A key of `NORMALIZATIONS`, for constants of another data set
      in place of these; None for these.
    augment: Whether clients train on shifted and flipped images.

  Returns:
    A `registry.Task`.

  Raises:
    ValueError: If `model` or `normalization` is not allowed.
  """
  # Before the arrays, which take long or are not even there.
  checks.check_choice('model', model, sorted(models.IMAGE_MODELS))
  if normalization is not None:
    checks.check_choice('normalization', normalization, list(NORMALIZATIONS))
    train_pixels, test_pixels = NORMALIZATIONS[normalization], None
  preprocess_train, preprocess_test = (
      functools.partial(standardize, **pixels._asdict())
      for pixels in (train_pixels, test_pixels or train_pixels)
  )
  train_features, train_labels, test_features, test_labels = load_arrays()
  return registry.Task(
      name=name,
      train_features=train_features,
      train_labels=train_labels,
      test_features=test_features,
      test_labels=test_labels,
      num_classes=num_classes,
      build_model=models.image_model(
          model,
          train_features.shape[1:],
          num_classes,
          kernel_initializer,
          seed,
      ),
      preprocess_train=preprocess_train,
      preprocess_test=preprocess_test,
      augment_train=shift_and_flip if augment else None,
  )
