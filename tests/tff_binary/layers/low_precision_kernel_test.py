# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for low_precision_kernel."""

import numpy as np
import tensorflow as tf

from tests.tff_binary import tiny
from tff_binary import layers
from tff_binary.ops import block_floating_point

_FORMAT = (4, 'channel')
_SHAPE = (6, 5)


def _is_on_grid(x):
  rounded = block_floating_point.quantize(tf.constant(x), *_FORMAT, (7, 8))
  return np.array_equal(rounded, x)


def _kernel():
  return tf.random.stateless_normal(_SHAPE, (1, 2))


def _received(layer):
  layer.build(_SHAPE)
  layer.receive(_kernel(), (), tf.constant(0), tf.constant([1, 2]))
  layer.start()
  return layer


def _step(layer, upstream):
  """Returns the kernel of a step, and the gradients of what is trained."""
  with tf.GradientTape() as tape:
    kernel = layer(_kernel(), tf.constant([3, 4]))
  gradients = tape.gradient(kernel, layer.trainable_variables, upstream)
  return kernel.numpy(), [g.numpy() for g in gradients]


class LowPrecisionKernelTest(tf.test.TestCase):

  def test_kernel_and_gradient_are_of_few_bits_at_every_step(self):
    layer = _received(layers.LowPrecisionKernel(*_FORMAT))
    upstream = tf.random.stateless_normal(_SHAPE, (5, 6))
    for _ in range(3):
      kernel, (gradient,) = _step(layer, upstream)
      self.assertTrue(_is_on_grid(kernel))
      self.assertTrue(_is_on_grid(gradient))
      self.assertAllClose(gradient, upstream, atol=1.0)
      # Nothing finer is kept.
      self.assertAllEqual(layer.trained, kernel)
      layer.trained.assign_sub(0.01 * gradient)
    self.assertFalse(_is_on_grid(layer.trained.numpy()))
    sent = layer.update(_kernel(), tf.constant([5, 6])).numpy()
    self.assertTrue(_is_on_grid(sent))
    self.assertAllClose(sent, layer.trained, atol=1.0)

  def test_what_is_received_in_few_bits_is_not_rounded_again(self):
    kernel = block_floating_point.quantize(_kernel(), *_FORMAT, (1, 2))
    layer = _received(layers.LowPrecisionKernel(*_FORMAT))
    layer.receive(kernel, (), tf.constant(0), tf.constant([1, 2]))
    self.assertAllEqual(_step(layer, tf.ones(_SHAPE))[0], kernel)


class LowPrecisionComputationTest(tf.test.TestCase):

  def test_an_update_that_is_trained_in_full(self):
    layer = _received(layers.LowPrecisionComputation(None, *_FORMAT))
    upstream = tf.random.stateless_normal(_SHAPE, (5, 6))
    kernel, (gradient,) = _step(layer, upstream)
    self.assertTrue(_is_on_grid(kernel))
    self.assertTrue(_is_on_grid(gradient))
    self.assertAllClose(kernel, _kernel(), atol=1.0)
    layer.trainable_variables[0].assign_sub(0.01 * upstream)
    self.assertAllClose(
        layer.update(_kernel(), tf.constant([5, 6])), -0.01 * upstream,
        atol=1e-6,
    )

  def test_another_layers_kernel_and_update(self):
    inner = layers.LearnableBinarization(warmup_ratio=0.0)
    layer = _received(layers.LowPrecisionComputation(inner, *_FORMAT))
    self.assertTrue(layer.needs_num_steps)
    upstream = tf.random.stateless_normal(_SHAPE, (5, 6))
    for step in range(2):
      layer.advance(tf.constant(step), tf.constant(2))
      kernel, gradients = _step(layer, upstream)
      self.assertTrue(_is_on_grid(kernel))
      self.assertLen(gradients, 2)  # Of the update and its step size.
      layer.trainable_variables[0].assign_sub(0.01 * gradients[0])
    sent = layer.update(_kernel(), tf.constant([5, 6])).numpy()
    self.assertTrue(tiny.is_on_grid(sent))
    self.assertGreater(np.abs(sent).max(), 0.0)
    self.assertEqual(
        list(layer.measurements()), ['clamped_step_sizes']
    )


if __name__ == '__main__':
  tf.test.main()
