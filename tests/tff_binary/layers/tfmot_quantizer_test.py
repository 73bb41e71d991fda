# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for tfmot_quantizer; what it shares is in kernel_updates_test."""

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot

from tff_binary.layers import kernel_updates
from tff_binary.layers import tfmot_quantizer

_layers = tf.keras.layers


class _OwnQuantizeConfig(
    tfmot_quantizer.LearnableBinarizationQuantizeConfig
):
  """Written as TFMOT's guide writes them."""

  def get_weights_and_quantizers(self, layer):
    return [
        (layer.kernel, tfmot_quantizer.LearnableBinarizationQuantizer())
    ]

  def set_quantize_weights(self, layer, quantize_weights):
    layer.kernel = quantize_weights[0]


class QuantizerTest(tf.test.TestCase):

  def test_annotate_and_apply(self):
    annotate = tfmot.quantization.keras.quantize_annotate_layer

    def config():
      # A toy's few weights move by more than the default clamp.
      return tfmot_quantizer.LearnableBinarizationQuantizeConfig(
          options=kernel_updates.Options(max_step_size=1.0)
      )

    model = tf.keras.Sequential([
        _layers.Input((3,)),
        annotate(_layers.Dense(4), config()),
        annotate(_layers.Dense(1), config()),
    ])
    applied = tfmot.quantization.keras.quantize_apply(model)
    applied.compile('sgd', 'mse')
    features = np.random.RandomState(0).randn(64, 3).astype(np.float32)
    history = applied.fit(
        features,
        features[:, :1],
        batch_size=8,
        epochs=4,
        callbacks=[kernel_updates.WarmUp()],
        verbose=0,
    )
    self.assertLess(history.history['loss'][-1], history.history['loss'][0])
    updates = kernel_updates.updates(applied)
    self.assertLen(updates, 2)
    for update, layer in zip(updates, (model.layers[0], model.layers[1])):
      # The anchor is the kernel at conversion.
      self.assertAllEqual(update.anchor, layer.layer.kernel)
      self.assertNotEqual(update.step_exponent.numpy(), 0.0)
    with tfmot.quantization.keras.quantize_scope():
      stripped = kernel_updates.strip(applied)
    self.assertAllClose(stripped(features), applied(features))

  def test_own_config_in_tfmots_wrapper(self):
    wrapper = tfmot.quantization.keras.QuantizeWrapperV2(
        _layers.Dense(2), _OwnQuantizeConfig()
    )
    wrapper(tf.ones([1, 3]))
    (update,) = kernel_updates.updates(wrapper)
    update.kernel.assign_add(tf.fill([3, 2], 0.01))
    kernel_updates.start_binarizing(wrapper)
    self.assertAllClose(
        wrapper(tf.eye(3)), update.effective_kernel(), atol=1e-6
    )

  def test_ambiguous_name_raises_with_the_layers_name(self):
    class TwoDense(_layers.Layer):

      def build(self, input_shape):
        self.first, self.second = _layers.Dense(2), _layers.Dense(2)
        self.first.build(input_shape)
        self.second.build(input_shape)
        self.kernel = self.first.kernel

    wrapper = tfmot.quantization.keras.QuantizeWrapperV2(
        TwoDense(name='culprit'), _OwnQuantizeConfig()
    )
    with self.assertRaisesRegex(ValueError, "'culprit'.*'kernel'"):
      wrapper.build((1, 3))

  def test_mixed_precision_raises_with_the_layers_name(self):
    policy = tf.keras.mixed_precision.Policy('mixed_bfloat16')
    model = tf.keras.Sequential(
        [_layers.Input((3,)), _layers.Dense(2, dtype=policy, name='culprit')]
    )
    with self.assertRaisesRegex(ValueError, "'culprit'.*bfloat16"):
      tfmot_quantizer.quantize_model(model)

  def test_masks_pass_through(self):
    x = _layers.Input((4,), dtype=tf.int32)
    y = _layers.Embedding(5, 3, mask_zero=True)(x)
    y = _layers.LSTM(2, return_sequences=True)(_layers.Dense(3)(y))
    model = tfmot_quantizer.quantize_model(tf.keras.Model(x, y))
    output = model(tf.constant([[1, 2, 0, 0]]))
    # Masked steps repeat the last output.
    self.assertAllEqual(output[:, 1], output[:, 3])


if __name__ == '__main__':
  tf.test.main()
