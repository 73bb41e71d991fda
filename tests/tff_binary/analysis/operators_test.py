# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the spectral norms of affine functions."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.analysis import operators

_layers = tf.keras.layers


class OperatorsTest(tf.test.TestCase, parameterized.TestCase):

  def test_norm_of_a_known_matrix(self):
    # Singular values 3 and 1; the offset is no part of the operator.
    matrix = np.float32([[0.0, 3.0], [1.0, 0.0], [0.0, 0.0]])
    function = lambda x: tf.matmul(x, matrix, transpose_b=True) + 7.0
    self.assertAllClose(operators.spectral_norm(function, [2]), 3.0, 1e-5)
    self.assertAllEqual(operators.dense_matrix(function, [2]), matrix)

  # Made in the test: layers made before TFF's graphs are unusable after.
  @parameterized.parameters(
      (lambda: _layers.Conv2D(3, 3, padding='same'), (6, 5, 2)),
      (lambda: _layers.Conv2D(3, 3, padding='valid'), (6, 5, 2)),
      (lambda: _layers.Conv2D(3, 3, strides=2, padding='same'), (6, 5, 2)),
      (lambda: _layers.Conv2D(2, 3, dilation_rate=2), (7, 7, 2)),
      (lambda: _layers.Conv1D(4, 3, strides=2), (9, 2)),
      (lambda: _layers.Conv2DTranspose(2, 3, strides=2), (3, 3, 2)),
      (lambda: _layers.DepthwiseConv2D(3), (6, 6, 3)),
      (lambda: _layers.AveragePooling2D(3, strides=1), (6, 6, 2)),
  )
  def test_norm_is_that_of_the_matrix(self, build_layer, shape):
    layer = build_layer()
    tf.keras.utils.set_random_seed(1)
    layer(tf.zeros([1, *shape]))
    for variable in layer.weights:
      variable.assign(tf.random.normal(variable.shape))
    exact = np.linalg.norm(operators.dense_matrix(layer, shape), 2)
    norm = operators.spectral_norm(layer, shape).numpy()
    # From below, up to rounding.
    self.assertBetween(norm, 0.999 * exact, 1.00001 * exact)

  def test_norm_depends_on_the_size_of_the_input(self):
    # Differences of neighbours: the norm is 2 cos(pi / 2n), below the
    # limit 2 of infinitely long inputs.
    layer = _layers.Conv1D(1, 2, use_bias=False)
    layer(tf.zeros([1, 5, 1]))
    layer.kernel.assign([[[1.0]], [[-1.0]]])
    for size in (3, 6):
      norm = operators.spectral_norm(layer, [size, 1])
      self.assertAllClose(norm, 2.0 * np.cos(np.pi / (2 * size)), 1e-4)

  def test_nothing_is_mapped_to_zero(self):
    self.assertEqual(operators.spectral_norm(tf.zeros_like, [3]).numpy(), 0.0)


if __name__ == '__main__':
  tf.test.main()
