# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of what is measured of updates on request."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests.tff_binary import tiny
from tff_binary import algorithms
from tff_binary import layers
from tff_binary import learning
from tff_binary import wire
from tff_binary.learning import update_observer

_KERNEL = np.random.RandomState(1).randn(4, 3).astype(np.float32)
_GRADIENT = np.random.RandomState(2).randn(4, 3).astype(np.float32)
_SEED = tf.constant([1, 2])


def _trained(layer, state=(), kernel=_KERNEL):
  """Takes one step of SGD with learning rate 0.1 on `_GRADIENT`."""
  layer.build(_KERNEL.shape)
  layer.receive(tf.constant(kernel), state, tf.constant(0), _SEED)
  layer.start()
  layer.advance(tf.constant(0), tf.constant(2))
  with tf.GradientTape() as tape:
    effective = layer(tf.constant(kernel), _SEED)
  variables = layer.trainable_variables
  gradients = tape.gradient(effective, variables, tf.constant(_GRADIENT))
  for variable, gradient in zip(variables, gradients):
    if gradient is not None:
      variable.assign_sub(0.1 * gradient)
  return layer


def _observe(codec, x, layer=None):
  observer = update_observer.UpdateObserver(codec, [False, True])
  return observer.observe(
      [None, layer], [None, _KERNEL], [tf.zeros(3), tf.constant(x)], _SEED
  )


class UpdateObserverTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      (layers.LearnableBinarization(), -0.1 * _GRADIENT),
      (layers.LearnableTernarization(), -0.1 * _GRADIENT),
      (layers.LowPrecisionComputation(None, 16, 'tensor'), -0.1 * _GRADIENT),
      (layers.TrainedUpdate(), -0.1 * _GRADIENT),
      (layers.TrainedUpdate(0.01), -10.0 * _GRADIENT),
      (
          layers.LowPrecisionKernel(16, 'tensor'),
          _KERNEL - 0.1 * _GRADIENT,
      ),
      (layers.SparseKernel(1.0, 'top_k_weights_diff', 0.5), -0.1 * _GRADIENT),
      (
          layers.SparseKernel(1.0, 'diff_on_top_k_weights', 0.5),
          -0.1 * _GRADIENT,
      ),
      (
          layers.SparseKernel(1.0, 'top_k_weights', 0.5),
          _KERNEL - 0.1 * _GRADIENT,
      ),
  )
  def test_layers_know_their_update_before_compression(self, layer, expected):
    layer = _trained(layer)
    self.assertAllClose(
        layer.uncompressed_update(tf.constant(_KERNEL)), expected, 1e-3, 1e-3
    )

  def test_error_feedback_compresses_what_was_left_as_well(self):
    layer = _trained(layers.ErrorFeedback(), state=0.5 * tf.ones([4, 3]))
    self.assertAllClose(
        layer.uncompressed_update(_KERNEL), 0.5 - 0.1 * _GRADIENT
    )

  def test_mask_is_compared_with_its_mean(self):
    chances = np.full([4, 3], 0.7, np.float32)
    layer = layers.BernoulliMask(lambda shape: tf.ones(shape), 10.0)
    layer.build(chances.shape)
    layer.receive(tf.constant(chances), (), tf.constant(0), _SEED)
    self.assertAllClose(layer.uncompressed_update(chances), 2 * chances - 1)

  def test_signs_in_closed_form(self):
    observed = _observe(wire.SignCodec(), _KERNEL)
    norm, mean = np.linalg.norm(_KERNEL), np.mean(np.abs(_KERNEL))
    # C(x) = mean|x| sign(x): |C(x) - x|^2 = |x|^2 - d mean|x|^2.
    expected = {
        'update_error_1': 1.0 - _KERNEL.size * mean**2 / norm**2,
        'update_cosine_1': np.sqrt(_KERNEL.size) * mean / norm,
        'step_size_1': mean,
    }
    self.assertAllClose(observed, {k: [v, 1.0] for k, v in expected.items()})

  def test_error_of_unbiased_signs_is_the_known_one(self):
    # With alpha = |x|_inf, E|S(x) - x|^2 = d |x|_inf^2 - |x|^2. The mean of 400
    # draws is off by more than six of its standard errors once in 10^8 times.
    layer = _trained(layers.LearnableBinarization(step_size='max_norm'))
    layer.update_variable.assign(_KERNEL)
    errors = [
        _observe(wire.BinaryCodec(), layer.quantized([0, i]), layer)[
            'update_error_1'
        ][0]
        for i in range(400)
    ]
    largest, norm = np.max(np.abs(_KERNEL)), np.linalg.norm(_KERNEL)
    expected = _KERNEL.size * largest**2 / norm**2 - 1.0
    self.assertAllClose(
        np.mean(errors), expected, 0.0, 6.0 * np.std(errors) / 20.0
    )

  @parameterized.parameters(1e-30, 1e-10, 1e15, 1e38)
  def test_is_finite_and_does_not_depend_on_the_scale(self, scale):
    x = np.float32(scale * _KERNEL / np.max(np.abs(_KERNEL)))
    observed, same = _observe(wire.SignCodec(), x), _observe(
        wire.SignCodec(), _KERNEL
    )
    for name in ('update_error_1', 'update_cosine_1'):
      self.assertAllClose(observed[name], same[name], 1e-3)

  def test_update_of_zeros_does_not_count(self):
    observed = _observe(wire.SignCodec(), np.zeros_like(_KERNEL))
    for name in observed:
      self.assertAllEqual(observed[name], [0.0, 0.0])

  def test_entropy_coding_changes_nothing(self):
    self.assertAllEqual(
        _observe(wire.EntropyCodec(wire.SignCodec()), _KERNEL),
        _observe(wire.SignCodec(), _KERNEL),
    )

  def test_refuses_what_has_no_update_of_one_tensor(self):
    with self.assertRaisesRegex(ValueError, 'observe_updates.*QSGDCodec'):
      update_observer.UpdateObserver(wire.QSGDCodec(is_joint=True), [True])
    with self.assertRaisesRegex(ValueError, 'observe_updates.*level schedule'):
      algorithms.get('adaquantfl').build(
          learning.keras_model_fn(tiny.dense_model, tiny.element_spec()),
          observe_updates=True,
      )


if __name__ == '__main__':
  tf.test.main()
