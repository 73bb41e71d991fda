# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for error_feedback."""

import numpy as np
import tensorflow as tf

from tff_binary import layers
from tff_binary.ops import signs


class ErrorFeedbackTest(tf.test.TestCase):

  def test_what_is_sent_and_what_stays_add_up(self):
    random = np.random.RandomState(1)
    kernel = tf.zeros([7, 3])
    layer = layers.ErrorFeedback()
    layer.build(kernel.shape)
    state = layer.initial_state((1, 2))
    self.assertAllEqual(state, kernel)
    for round_num in range(3):
      layer.receive(kernel, state, round_num, (1, 2))
      layer.start()
      update = tf.constant(random.randn(7, 3), tf.float32)
      layer.update_variable.assign(update)
      sent, new_state = layer.update(kernel, (1, 2)), layer.state()
      self.assertAllEqual(sent, signs.scaled_sign(update + state))
      # Rounded once in the sum and once in the difference.
      self.assertAllClose(sent + new_state, update + state, atol=1e-6)
      self.assertNotAllClose(new_state, state, atol=1e-2)
      state = new_state

  def test_trains_the_update_alone(self):
    layer = layers.ErrorFeedback()
    layer.build(tf.TensorShape([2]))
    layer.receive(tf.zeros([2]), tf.ones([2]), 0, (1, 2))
    layer.start()
    with tf.GradientTape() as tape:
      effective = layer(tf.constant([3.0, 4.0]), (1, 2))
    self.assertAllEqual(effective, [3.0, 4.0])
    self.assertLen(layer.trainable_variables, 1)
    gradient = tape.gradient(effective, layer.update_variable)
    self.assertAllEqual(gradient, [1.0, 1.0])


if __name__ == '__main__':
  tf.test.main()
