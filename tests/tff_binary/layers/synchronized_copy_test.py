# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for synchronized_copy."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import layers

_SEED = (1, 2)
_SHAPE = (7, 3)
_NUM_STEPS = 31
_STEP_BYTES = 2 * 4  # Of a step of two float32.
_KERNEL_BYTES = 7 * 3 * 4


def _apply_step(kernel, step):
  # Neither commutative nor without rounding errors.
  return kernel * step[0] + step[1]


def _layer():
  layer = layers.SynchronizedCopy(_apply_step)
  layer.build(tf.TensorShape(_SHAPE))
  return layer


def _offer(kernel, steps, version):
  return {
      'kernel': tf.constant(kernel, tf.float32),
      'steps': tf.constant(steps, tf.float32),
      'version': tf.constant(version),
  }


def _history(num_steps):
  """Returns a kernel before some steps, the steps and the kernel after."""
  random = np.random.RandomState(3)
  before = random.randn(*_SHAPE).astype(np.float32)
  steps = (1.0 + 0.1 * random.randn(num_steps, 2)).astype(np.float32)
  after = tf.constant(before)
  for step in steps:
    after = _apply_step(after, step)
  return before, steps, after.numpy()


class SynchronizedCopyTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(0, 1, 5, 31)
  def test_missed_steps_lead_to_the_kernel(self, missed):
    before, steps, after = _history(missed)
    # Steps that the client knows: only the last of those offered are taken.
    steps = np.concatenate([np.full([_NUM_STEPS, 2], 9.0), steps])[::-1]
    layer = _layer()
    layer.receive(
        # What it does not need it does not look at.
        _offer(np.full(_SHAPE, np.nan), steps[:_NUM_STEPS], 40 + missed),
        {'copy': tf.constant(before), 'version': tf.constant(40)},
        0,
        _SEED,
    )
    self.assertAllEqual(layer.state()['copy'], after)
    self.assertEqual(layer.state()['version'], 40 + missed)
    self.assertEqual(layer.received_bytes(), missed * _STEP_BYTES)

  @parameterized.named_parameters(
      ('more_steps_than_are_kept', lambda layer: 40 - 32),
      ('a_copy_of_the_future', lambda layer: 41),
      ('the_first_round', lambda layer: layer.initial_state(_SEED)['version']),
  )
  def test_takes_the_kernel_after(self, version):
    layer = _layer()
    kernel = np.arange(21).reshape(_SHAPE)
    layer.receive(
        _offer(kernel, np.ones([_NUM_STEPS, 2]), 40),
        {'copy': tf.zeros(_SHAPE), 'version': tf.constant(version(layer))},
        0,
        _SEED,
    )
    self.assertAllEqual(layer.state()['copy'], kernel)
    self.assertEqual(layer.state()['version'], 40)
    self.assertEqual(layer.received_bytes(), _KERNEL_BYTES)

  def test_trains_the_update_and_keeps_the_copy(self):
    layer = _layer()
    offer = _offer(np.full(_SHAPE, 3.0), np.ones([_NUM_STEPS, 2]), 0)
    layer.receive(offer, layer.initial_state(_SEED), 0, _SEED)
    layer.update_variable.assign(tf.ones(_SHAPE))  # Of the client before.
    layer.start(5)
    with tf.GradientTape() as tape:
      effective = layer(offer, _SEED)
    self.assertAllEqual(effective, np.full(_SHAPE, 3.0))
    self.assertLen(layer.trainable_variables, 1)
    gradient = tape.gradient(effective, layer.update_variable)
    self.assertAllEqual(gradient, np.ones(_SHAPE))
    layer.update_variable.assign(np.full(_SHAPE, 0.5))
    self.assertAllEqual(layer(offer, _SEED), np.full(_SHAPE, 3.5))
    self.assertAllEqual(layer.update(offer, _SEED), np.full(_SHAPE, 0.5))
    self.assertAllEqual(layer.state()['copy'], np.full(_SHAPE, 3.0))


if __name__ == '__main__':
  tf.test.main()
