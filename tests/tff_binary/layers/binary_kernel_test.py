# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for binary_kernel."""

import tensorflow as tf

from tff_binary import layers

_SERVER = [[0.25, -0.25, 0.0], [1.0, -1.0, 0.5]]
_TRAINED = [[0.5, -0.5, -0.0], [1.5, -1.5, 2.0]]  # mean |a| is 1.


def _layer(sends_signs=False):
  layer = layers.BinaryKernel(sends_signs)
  layer.build(tf.TensorShape([2, 3]))
  layer.receive(tf.constant(_SERVER), (), 0, (1, 2))
  layer.start()
  return layer


class BinaryKernelTest(tf.test.TestCase):

  def test_starts_from_the_server_s_kernel(self):
    self.assertAllEqual(_layer().auxiliary, _SERVER)

  def test_computes_with_scaled_signs(self):
    layer = _layer()
    layer.auxiliary.assign(_TRAINED)
    self.assertAllEqual(
        layer(tf.constant(_SERVER), (1, 2)), [[1, -1, 1], [1, -1, 1]]
    )

  def test_gradient_passes_inside_the_unit_interval(self):
    layer = _layer()
    upstream = tf.constant([[1.0, -2.0, 3.0], [4.0, 5.0, 6.0]])
    for auxiliary, passes in (
        (_TRAINED, [[1, 1, 1], [0, 0, 0]]),
        (_SERVER, [[1, 1, 1], [1, 1, 1]]),  # The ends are inside.
    ):
      layer.auxiliary.assign(auxiliary)
      with tf.GradientTape() as tape:
        effective = layer(tf.constant(_SERVER), (1, 2))
      self.assertLen(layer.trainable_variables, 1)
      gradient = tape.gradient(
          effective, layer.auxiliary, output_gradients=upstream
      )
      self.assertAllEqual(gradient, upstream * passes)

  def test_sends_signs_or_updates(self):
    for sends_signs, sent in (
        (True, [[1, -1, 1], [1, -1, 1]]),
        (False, [[0.25, -0.25, 0.0], [0.5, -0.5, 1.5]]),
    ):
      layer = _layer(sends_signs)
      layer.auxiliary.assign(_TRAINED)
      self.assertAllEqual(layer.update(tf.constant(_SERVER), (1, 2)), sent)


if __name__ == '__main__':
  tf.test.main()
