# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for synchronized_kernel and wrapped_layer."""

import collections

import numpy as np
import tensorflow as tf

from tff_binary import layers

_SEED = (1, 2)
_SHAPE = (4, 3)


def _initial_state(shape):
  return collections.OrderedDict(
      copy=tf.zeros(shape), count=tf.constant(0, tf.int32)
  )


def _receive(offered, state, seed):
  """Takes an offer that says by how much the client's copy has changed."""
  del seed
  kernel = state['copy'] + offered['change']
  kept = collections.OrderedDict(copy=kernel, count=state['count'] + 1)
  return kernel, kept, tf.constant(7, tf.int64)


def _layer(inner=None):
  layer = layers.SynchronizedKernel(inner, _initial_state, _receive)
  layer.build(tf.TensorShape(_SHAPE))
  return layer


class SynchronizedKernelTest(tf.test.TestCase):

  def test_the_other_layer_works_with_what_was_received(self):
    offered = {'change': tf.constant(np.arange(12.0).reshape(_SHAPE), 'float32')}
    for inner, plain in (
        (layers.LearnableBinarization(), layers.LearnableBinarization()),
        (layers.ErrorFeedback(), layers.ErrorFeedback()),
    ):
      layer = _layer(inner)
      plain.build(tf.TensorShape(_SHAPE))
      self.assertEqual(layer.needs_num_steps, plain.needs_num_steps)
      state, plain_state = (l.initial_state(_SEED) for l in (layer, plain))
      for round_num in range(2):
        kernel = (round_num + 1.0) * offered['change']
        layer.receive(offered, state, round_num, _SEED)
        plain.receive(kernel, plain_state, round_num, _SEED)
        for l in (layer, plain):
          l.start()
          for v in l.trainable_variables:
            v.assign(v + 0.01)
          l.advance(3, 4)
        self.assertAllEqual(layer(offered, _SEED), plain(kernel, _SEED))
        self.assertAllEqual(
            layer.update(offered, _SEED), plain.update(kernel, _SEED)
        )
        self.assertAllEqual(
            layer.uncompressed_update(offered),
            plain.uncompressed_update(kernel),
        )
        tf.nest.map_structure(
            self.assertAllEqual,
            layer.observations(offered),
            plain.observations(kernel),
        )
        self.assertAllEqual(layer.received_bytes(), 7)
        self.assertEqual(
            list(layer.measurements()), list(plain.measurements())
        )
        state, plain_state = layer.state(), plain.state()
        self.assertAllEqual(state['kept']['copy'], kernel)
        self.assertAllEqual(state['kept']['count'], round_num + 1)
        tf.nest.map_structure(
            self.assertAllEqual, state['layer'], plain_state
        )
      tf.nest.assert_same_structure(state, layer.initial_state(_SEED))

  def test_without_another_layer_the_kernel_itself_is_trained(self):
    layer = _layer()
    offered = {'change': tf.ones(_SHAPE)}
    layer.receive(offered, layer.initial_state(_SEED), 0, _SEED)
    (trained,) = layer.trainable_variables
    with tf.GradientTape() as tape:
      kernel = layer(offered, _SEED)
    self.assertAllEqual(kernel, tf.ones(_SHAPE))
    self.assertAllEqual(tape.gradient(kernel, trained), tf.ones(_SHAPE))
    trained.assign(3.0 * trained)
    self.assertAllEqual(layer.update(offered, _SEED), 2.0 * tf.ones(_SHAPE))
    self.assertAllEqual(
        layer.uncompressed_update(offered), 2.0 * tf.ones(_SHAPE)
    )

  def test_an_update_is_trained_from_zero(self):
    layer = _layer(layers.TrainedUpdate())
    offered = {'change': tf.fill(_SHAPE, 3.0)}
    layer.receive(offered, layer.initial_state(_SEED), 0, _SEED)
    (update,) = layer.trainable_variables
    update.assign(tf.ones(_SHAPE))  # Of the client before.
    layer.start()
    with tf.GradientTape() as tape:
      kernel = layer(offered, _SEED)
    self.assertAllEqual(kernel, tf.fill(_SHAPE, 3.0))
    self.assertAllEqual(tape.gradient(kernel, update), tf.ones(_SHAPE))
    update.assign(tf.fill(_SHAPE, 0.5))
    self.assertAllEqual(layer(offered, _SEED), tf.fill(_SHAPE, 3.5))
    for sent in (
        layer.update(offered, _SEED), layer.uncompressed_update(offered)
    ):  # pyformat: disable
      self.assertAllEqual(sent, tf.fill(_SHAPE, 0.5))
    self.assertAllEqual(layer.state()['kept']['copy'], tf.fill(_SHAPE, 3.0))


if __name__ == '__main__':
  tf.test.main()
