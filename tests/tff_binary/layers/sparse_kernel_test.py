# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for sparse_kernel."""

from absl.testing import parameterized
import tensorflow as tf

from tff_binary import layers

_SERVER = [[0.25, -0.5], [0.0, 1.0]]
_TRAINED = [[2.0, -1.0], [0.5, 1.0]]


def _layer(upload='top_k_weights_diff', upload_ratio=0.25):
  layer = layers.SparseKernel(0.25, upload, upload_ratio)
  layer.build(tf.TensorShape([2, 2]))
  layer.receive(tf.constant(_SERVER), (), 0, (1, 2))
  layer.start()
  return layer


class SparseKernelTest(tf.test.TestCase, parameterized.TestCase):

  def test_computes_with_the_largest_weights_and_trains_all(self):
    layer = _layer()
    upstream = tf.constant([[1.0, -2.0], [3.0, 4.0]])
    for trained, effective in (
        (_SERVER, [[0.0, 0.0], [0.0, 1.0]]),
        (_TRAINED, [[2.0, 0.0], [0.0, 0.0]]),
    ):
      layer.trained.assign(trained)
      with tf.GradientTape() as tape:
        actual = layer(tf.constant(_SERVER), (1, 2))
      self.assertAllEqual(actual, effective)
      self.assertLen(layer.trainable_variables, 1)
      self.assertAllEqual(
          tape.gradient(actual, layer.trained, output_gradients=upstream),
          upstream,
      )

  @parameterized.parameters(
      ('top_k_weights', _TRAINED),
      ('top_k_weights_diff', [[1.75, -0.5], [0.5, 0.0]]),
      # The weights 2, -1 and 1: two are equal.
      ('diff_on_top_k_weights', [[1.75, -0.5], [0.0, 0.0]]),
  )
  def test_offers_the_codec(self, upload, expected):
    layer = _layer(upload, upload_ratio=0.5)
    layer.trained.assign(_TRAINED)
    self.assertAllEqual(layer.update(tf.constant(_SERVER), (1, 2)), expected)


if __name__ == '__main__':
  tf.test.main()
