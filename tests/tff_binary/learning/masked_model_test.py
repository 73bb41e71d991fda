# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for masked_model."""

import os
import tempfile

import numpy as np
import tensorflow as tf

from tff_binary import learning
from tff_binary.ops import masks

_SEED = 5


def _model(units=30):
  return tf.keras.Sequential([
      tf.keras.Input([8, 8, 1]),
      tf.keras.layers.Conv2D(16, 3, use_bias=False),
      tf.keras.layers.BatchNormalization(),
      tf.keras.layers.Flatten(),
      tf.keras.layers.Dense(units, 'relu'),
      tf.keras.layers.Dense(3),
  ])


def _masked_model(share, frozen_weights='signed_kaiming', seed=_SEED):
  model = _model()
  random = np.random.RandomState(1)
  for i, variable in enumerate(model.trainable_variables):
    if variable.shape.rank > 1:
      weights = masks.frozen_weights_of_run(
          variable.shape, frozen_weights, seed, i
      )
      variable.assign(weights * (random.rand(*variable.shape) < share))
    else:
      variable.assign(random.randn(*variable.shape))
  for variable in model.non_trainable_variables:
    variable.assign(random.rand(*variable.shape) + 0.1)
  return model


class MaskedModelTest(tf.test.TestCase):

  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.path = os.path.join(folder, 'model')

  def test_nothing_is_lost_and_little_is_stored(self):
    sizes = []
    for share, frozen_weights in (
        (0.5, 'signed_e'), (0.05, 'kaiming_normal'), (0.002, 'signed_kaiming')
    ):  # pyformat: disable
      model = _masked_model(share, frozen_weights)
      size = learning.save_masked_model(
          model, self.path, seed=_SEED, frozen_weights=frozen_weights
      )
      self.assertEqual(os.path.getsize(self.path), size)
      sizes.append(size)
      for loaded in (
          learning.load_masked_model(self.path),
          learning.load_masked_model(self.path, _model()),
      ):
        for x, y in zip(loaded.variables, model.variables):
          self.assertAllEqual(x, y)
        images = tf.random.stateless_uniform([4, 8, 8, 1], [1, 2])
        self.assertAllEqual(loaded(images), model(images))
    num_masked = 9 * 16 + 36 * 16 * 30 + 30 * 3
    entropies = [
        num_masked / 8 * -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
        for p in (0.5, 0.05, 0.002)
    ]
    # The rest is the same; shares of ones that deviate from the chance by 6
    # standard deviations, which happens once in 10^9, change less than this.
    rest = sizes[2] - entropies[2]
    self.assertLess(rest, 2500)
    self.assertAllClose(
        np.subtract(sizes, entropies), [rest] * 3, atol=150
    )

  def test_errors_when_saving(self):
    model = _masked_model(0.5)
    with self.assertRaisesRegex(ValueError, 'kernel.* of seed=6 .* others'):
      learning.save_masked_model(model, self.path, seed=6)
    with self.assertRaisesRegex(ValueError, "'kaiming_normal', but has others"):
      learning.save_masked_model(
          model, self.path, seed=_SEED, frozen_weights='kaiming_normal'
      )
    with self.assertRaisesRegex(ValueError, 'is_compressed refused .*kernel'):
      learning.save_masked_model(
          model, self.path, seed=_SEED, is_compressed=lambda spec: False
      )
    self.assertFalse(os.path.exists(self.path))

  def test_errors_when_loading(self):
    learning.save_masked_model(_masked_model(0.5), self.path, seed=_SEED)
    with self.assertRaisesRegex(ValueError, r'shapes .*\[576, 30\].* has .*31'):
      learning.load_masked_model(self.path, _model(31))
    with open(self.path, 'rb') as file:
      content = file.read()
    for damaged, message in (
        (content[:-1], 'damaged'),
        (content[:-500], 'damaged'),
        (content[:900] + b'?' + content[901:], 'damaged'),
        (b'PK' + content, 'not a file of save_masked_model'),
        (b'', 'not a file of save_masked_model'),
    ):
      with open(self.path, 'wb') as file:
        file.write(damaged)
      with self.assertRaisesRegex(ValueError, message):
        learning.load_masked_model(self.path)


if __name__ == '__main__':
  tf.test.main()
