# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for keras_wrapper; what it shares is in kernel_updates_test."""

import os

import numpy as np
import tensorflow as tf

from tff_binary.layers import kernel_updates
from tff_binary.layers import keras_wrapper

_layers = tf.keras.layers


@tf.keras.utils.register_keras_serializable('keras_wrapper_test')
class _TwoKernels(_layers.Layer):
  """A registered layer of other attribute names, which takes no mask."""

  def build(self, input_shape):
    self.first = self.add_weight('first', (input_shape[-1], 4))
    self.second = self.add_weight('second', (4, 4))
    super().build(input_shape)

  def call(self, inputs):
    return tf.nn.relu(inputs @ self.first) @ self.second


def _move_and_start(model):
  """Makes updates of about 0.01 and ends the warm-up."""
  for i, update in enumerate(kernel_updates.updates(model)):
    noise = tf.random.stateless_normal(update.kernel.shape, [0, i])
    update.kernel.assign_add(0.01 * noise)
  kernel_updates.start_binarizing(model)


class LearnableBinarizationWrapperTest(tf.test.TestCase):

  def test_by_hand_in_a_model_without_input(self):
    wrapper = keras_wrapper.LearnableBinarizationWrapper
    model = tf.keras.Sequential([
        wrapper(_layers.Dense(4), options=kernel_updates.Options(rho=2.0)),
        wrapper(_layers.Dense(1)),
    ])
    model.compile('sgd', 'mse')
    features = np.random.RandomState(0).randn(32, 3).astype(np.float32)
    callback = kernel_updates.WarmUp()
    model.fit(features, features[:, :1], callbacks=[callback], verbose=0)
    self.assertLen(kernel_updates.updates(model), 2)
    path = os.path.join(self.get_temp_dir(), 'model.keras')
    model.save(path)
    loaded = tf.keras.models.load_model(path)
    self.assertAllClose(loaded(features), model(features))

  def test_kernels_by_name(self):
    wrapper = keras_wrapper.LearnableBinarizationWrapper(
        _TwoKernels(), kernel_paths=['second']
    )
    wrapper(tf.ones([1, 3]))
    (update,) = kernel_updates.updates(wrapper)
    self.assertIs(update.kernel, wrapper.layer.second)

  def test_registered_layer_is_loaded_from_every_file(self):
    model = tf.keras.Sequential([_layers.Input((2, 3)), _TwoKernels()])
    converted = keras_wrapper.binarize_updates(model)
    _move_and_start(converted)
    features = tf.random.stateless_normal([4, 2, 3], [0, 0])
    for suffix in ('.h5', '.keras'):
      path = os.path.join(self.get_temp_dir(), f'model{suffix}')
      converted.save(path)
      loaded = tf.keras.models.load_model(path)
      self.assertAllClose(loaded(features), converted(features))

  def test_kernel_is_put_back_when_the_call_fails(self):
    class Failing(_layers.Dense):

      def call(self, inputs):
        super().call(inputs)
        raise RuntimeError('on purpose')

    wrapper = keras_wrapper.LearnableBinarizationWrapper(Failing(2))
    with self.assertRaisesRegex(RuntimeError, 'on purpose'):
      wrapper(tf.ones([1, 3]))
    self.assertIsInstance(wrapper.layer.kernel, tf.Variable)
    self.assertLen(wrapper.layer.trainable_weights, 2)

  def test_masks_pass_through(self):
    x = _layers.Input((4,), dtype=tf.int32)
    y = _layers.Embedding(5, 3, mask_zero=True)(x)
    y = _layers.Dense(3)(y)
    y = _layers.LSTM(2, return_sequences=True)(y)
    model = keras_wrapper.binarize_updates(tf.keras.Model(x, y))
    tokens = tf.constant([[1, 2, 0, 0]])
    output = model(tokens)
    # pylint: disable-next=protected-access
    self.assertAllEqual(output._keras_mask, tokens > 0)
    # Masked steps repeat the last output.
    self.assertAllEqual(output[:, 1], output[:, 3])

  def test_training_flag_reaches_the_layer(self):
    class Flag(_layers.Dense):

      def call(self, inputs, training=None):
        return super().call(inputs) * (2.0 if training else 1.0)

    wrapper = keras_wrapper.LearnableBinarizationWrapper(Flag(2))
    inputs = tf.ones([1, 3])
    self.assertAllClose(
        wrapper(inputs, training=True), 2.0 * wrapper(inputs, training=False)
    )

  def test_mixed_precision_keeps_the_update_in_float32(self):
    self.addCleanup(tf.keras.mixed_precision.set_global_policy, 'float32')
    tf.keras.mixed_precision.set_global_policy('mixed_bfloat16')
    model = tf.keras.Sequential([_layers.Input((64,)), _layers.Dense(64)])
    converted = keras_wrapper.binarize_updates(model)
    _move_and_start(converted)
    (update,) = kernel_updates.updates(converted)
    # bfloat16 has no number between 0.25 and 0.2509: in it, the update would be
    # zero, and so would its binarization.
    update.anchor.assign(tf.fill([64, 64], 0.25))
    update.kernel.assign(tf.fill([64, 64], 0.2501))
    effective = tf.cast(converted(tf.eye(64)), tf.float32)
    self.assertAllClose(
        tf.abs(effective - 0.25),
        tf.fill([64, 64], update.step_size()),
        atol=1e-3,
    )
    self.assertEqual(converted(tf.ones([1, 64])).dtype, tf.bfloat16)
    self.assertAllEqual(
        kernel_updates.strip(converted)(tf.ones([1, 64])),
        converted(tf.ones([1, 64])),
    )

  def test_distribution_strategy(self):
    with tf.distribute.MirroredStrategy(['cpu:0']).scope():
      model = keras_wrapper.binarize_updates(
          tf.keras.Sequential([_layers.Input((3,)), _layers.Dense(2)])
      )
      model.compile('sgd', 'mse')
    model.fit(
        tf.ones([8, 3]),
        tf.ones([8, 2]),
        batch_size=4,
        callbacks=[kernel_updates.WarmUp()],
        verbose=0,
    )
    (update,) = kernel_updates.updates(model)
    self.assertTrue(update.is_binarizing())
    # One draw for each of the two steps.
    self.assertEqual(update.draw.read_value().numpy(), 2)


if __name__ == '__main__':
  tf.test.main()
