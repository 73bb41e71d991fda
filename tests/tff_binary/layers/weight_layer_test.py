# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for all weight layers with the kernels of all kinds of Keras layers."""

import collections

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import layers
from tff_binary.ops import masks

_NUM_STEPS = 3
_SEED = (1, 2)


def _keras_layers():
  """Yields layers and the shapes of their inputs, one of each kind."""
  l = tf.keras.layers
  yield l.Dense(3), (2, 4)
  yield l.EinsumDense('abc,cde->abde', (None, 2, 3), bias_axes='de'), (2, 4, 3)
  yield l.Embedding(5, 3), (2, 4)
  yield l.Conv1D(3, 2), (2, 4, 2)
  yield l.Conv2D(3, 2), (2, 4, 4, 2)
  yield l.Conv3D(3, 2), (2, 4, 4, 4, 2)
  yield l.Conv2DTranspose(3, 2), (2, 4, 4, 2)
  yield l.DepthwiseConv2D(2), (2, 4, 4, 2)
  yield l.SeparableConv2D(3, 2), (2, 4, 4, 2)
  yield l.GRU(3, reset_after=True), (2, 4, 2)
  yield l.LSTM(3), (2, 4, 2)
  yield l.LayerNormalization(axis=[1, 2]), (2, 4, 3)
  yield l.PReLU(), (2, 4, 3)
  yield l.Dense(1, use_bias=False), (2, 1)


def _shapes():
  """Returns the shapes of all weights of these layers, and a few rare ones."""
  shapes = set()
  for layer, input_shape in _keras_layers():
    layer.build(input_shape)
    shapes.update(tuple(v.shape) for v in layer.trainable_weights)
  attention = tf.keras.layers.MultiHeadAttention(2, 3)
  attention(tf.zeros([2, 4, 5]), tf.zeros([2, 4, 5]))
  shapes.update(tuple(v.shape) for v in attention.trainable_weights)
  # A scale, as of LayerScale or a temperature; a table without a row.
  return sorted(shapes | {(), (0, 3)}, key=lambda shape: (len(shape), shape))


def _bit_freezing(active=(3,), **kwargs):
  return layers.BitFreezing(
      4, len(active), lambda round_num: tf.constant(active), **kwargs
  )


_BUILDERS = {
    'learned_binarization': layers.LearnableBinarization,
    'max_norm': lambda: layers.LearnableBinarization(step_size='max_norm'),
    'binary_signs': lambda: layers.BinaryKernel(sends_signs=True),
    'binary_updates': lambda: layers.BinaryKernel(sends_signs=False),
    'bernoulli_mask': lambda: layers.BernoulliMask(
        lambda shape: masks.frozen_weights(shape, 'kaiming_normal', _SEED),
        max_logit=4.6,
    ),
    'bit_freezing': _bit_freezing,
    'bit_freezing_redrawn': lambda: _bit_freezing(
        inherit=False, gradient='chain', magnitudes='uniform'
    ),
    'bit_freezing_sign': lambda: _bit_freezing(has_sign_bit=True),
    'bit_freezing_step_size': lambda: _bit_freezing(
        (2, -1), learn_step_size=True
    ),
    'error_feedback': layers.ErrorFeedback,
    'sparse_kernel': lambda: layers.SparseKernel(
        0.5, 'diff_on_top_k_weights', 0.5
    ),
    'synchronized_kernel': lambda: layers.SynchronizedKernel(
        layers.TrainedUpdate(),
        tf.zeros,
        lambda offered, kept, seed: (offered, kept, tf.constant(0, tf.int64)),
    ),
}


def _received(layer, kernel):
  """Returns what the server offers to a layer."""
  if isinstance(layer, layers.BitFreezing):
    codes = tf.cast(tf.clip_by_value(8.0 + 8.0 * kernel, 0.0, 15.0), tf.int32)
    return collections.OrderedDict(codes=codes, step_size=tf.constant(0.125))
  return kernel


def _specs(structure):
  return tf.nest.map_structure(
      lambda x: (tuple(x.shape), x.dtype), structure
  )


class WeightLayersTest(tf.test.TestCase, parameterized.TestCase):

  def test_shapes_are_of_all_ranks(self):
    self.assertEqual({len(shape) for shape in _shapes()}, set(range(6)))

  @parameterized.named_parameters(*_BUILDERS.items())
  def test_round_with_kernels_of_every_shape(self, build):
    for number, shape in enumerate(_shapes()):
      with self.subTest(str(shape)):
        random = np.random.RandomState(number)
        kernel = tf.constant(random.randn(*shape), tf.float32)
        upstream = tf.constant(random.randn(*shape), tf.float32)
        layer = build()
        layer.build(kernel.shape)
        received = _received(layer, kernel)
        first = layer.initial_state(_SEED)
        for round_num in range(2):
          state = first if round_num == 0 else layer.state()
          layer.receive(received, state, tf.constant(round_num), _SEED)
          layer.start()
          for step in range(_NUM_STEPS):
            layer.advance(tf.constant(step), tf.constant(_NUM_STEPS))
            with tf.GradientTape() as tape:
              effective = layer(received, _SEED)
            self.assertEqual(_specs(effective), _specs(kernel))
            variables = layer.trainable_variables
            for variable, gradient in zip(
                variables,
                tape.gradient(
                    effective, variables, upstream, tf.UnconnectedGradients.ZERO
                ),
            ):
              self.assertEqual(gradient.shape, variable.shape)
              variable.assign_sub(0.01 * gradient)
          layer.advance(tf.constant(_NUM_STEPS), tf.constant(_NUM_STEPS))
          sent = layer.update(received, _SEED)
          self._assert_finite([effective, sent, layer.state()])
          self.assertEqual(_specs(layer.state()), _specs(first))
          if isinstance(layer, layers.BitFreezing):
            signs = sent['signs'] if isinstance(sent, dict) else sent
            self.assertEqual(signs.shape[1:], kernel.shape)
          else:
            self.assertEqual(_specs(sent), _specs(kernel))

  def _assert_finite(self, structure):
    for x in tf.nest.flatten(structure):
      self.assertTrue(np.all(np.isfinite(x)))


if __name__ == '__main__':
  tf.test.main()
