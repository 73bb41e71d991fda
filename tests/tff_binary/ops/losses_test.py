# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for losses."""

import tensorflow as tf

from tff_binary.ops import losses


def _gradient(function, x, upstream=None):
  x = tf.constant(x)
  with tf.GradientTape() as tape:
    tape.watch(x)
    y = function(x)
  return tape.gradient(y, x, output_gradients=upstream)


class LossesTest(tf.test.TestCase):

  def test_added_loss_joins_the_gradient_and_nothing_else(self):
    x = tf.constant([1.0, -2.0])
    for wrap in (lambda f: f, tf.function):  # Eager, and as a client runs it.
      function = wrap(
          lambda x: losses.add_loss(x, lambda x: tf.reduce_sum(x**2))
      )
      self.assertAllEqual(function(x), x)
      upstream = tf.constant([10.0, 20.0])
      self.assertAllEqual(_gradient(function, x, upstream), upstream + 2 * x)


if __name__ == '__main__':
  tf.test.main()
