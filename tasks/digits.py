# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The `digits` task: 8x8 images of handwritten digits, kept by scikit-learn.

1,797 of the UCI "Optical Recognition of Handwritten Digits" images; they come
with the package, so the task needs no download.
"""

import functools

import numpy as np
from sklearn import datasets
import tensorflow as tf

from tasks import models
from tasks import registry

_NUM_TEST_EXAMPLES = 360
# scikit-learn keeps the examples writer by writer and partly in order of their
# classes. A fixed permutation makes every leading part a random sample; the
# stream of `RandomState` is frozen, so the split is the same everywhere.
_SPLIT_SEED = 0
# Mean and standard deviation of the training pixels over 16, the largest value.
_MEAN = 0.3056
_STDDEV = 0.3763


def _normalize(features):
  return (tf.cast(features, tf.float32) / 16.0 - _MEAN) / _STDDEV


@registry.register('digits')
def load(*, data_dir, cache_dir, kernel_initializer, seed):
  """Loads the digits: 1,437 examples to train, 360 to test.

  Features are uint8 of shape `[n, 8, 8, 1]` with values in `[0, 16]`. The test
  set is the head of the examples permuted by
  `np.random.RandomState(0).permutation(1797)`, the training set the rest, so
  both hold all writers. The model is that of the FedBAT paper with two blocks
  of 32 and 64 filters: 21,280 kernel weights.

  Args:
    data_dir: Ignored; the data come with scikit-learn.
    cache_dir: Ignored.
    kernel_initializer: See `registry.load`.
    seed: See `registry.load`.

  Returns:
    A `registry.Task`.
  """
  del data_dir, cache_dir
  digits = datasets.load_digits()
  order = np.random.RandomState(_SPLIT_SEED).permutation(len(digits.target))
  features = digits.images.astype(np.uint8)[order, ..., np.newaxis]
  labels = digits.target.astype(np.int32)[order]
  return registry.Task(
      name='digits',
      train_features=features[_NUM_TEST_EXAMPLES:],
      train_labels=labels[_NUM_TEST_EXAMPLES:],
      test_features=features[:_NUM_TEST_EXAMPLES],
      test_labels=labels[:_NUM_TEST_EXAMPLES],
      num_classes=10,
      build_model=functools.partial(
          models.fedbat_cnn,
          (8, 8, 1),
          filters=(32, 64),
          kernel_initializer=kernel_initializer,
          seed=seed,
      ),
      preprocess_train=_normalize,
      preprocess_test=_normalize,
  )
