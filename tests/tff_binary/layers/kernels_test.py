# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for kernels."""

from absl.testing import parameterized
import tensorflow as tf

from tff_binary.layers import kernels

_layers = tf.keras.layers


class KernelsTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('dense', _layers.Dense(2), (1, 3), ['kernel']),
      ('conv', _layers.Conv1D(2, 2), (1, 4, 3), ['kernel']),
      (
          'separable',
          _layers.SeparableConv2D(2, 2),
          (1, 4, 4, 3),
          ['depthwise_kernel', 'pointwise_kernel'],
      ),
      ('embedding', _layers.Embedding(5, 2), (1, 3), ['embeddings']),
      (
          'lstm',
          _layers.LSTM(2),
          (1, 4, 3),
          ['cell.kernel', 'cell.recurrent_kernel'],
      ),
      (
          'conv_lstm',
          _layers.ConvLSTM1D(2, 2),
          (1, 4, 3, 3),
          ['cell.kernel', 'cell.recurrent_kernel'],
      ),
      ('batch_norm', _layers.BatchNormalization(), (1, 3), []),
      ('frozen', _layers.Dense(2, trainable=False), (1, 3), []),
      ('nested', _layers.Bidirectional(_layers.LSTM(2)), (1, 4, 3), []),
  )
  def test_find(self, layer, input_shape, expected):
    layer.build(input_shape)
    self.assertEqual(list(kernels.find(layer)), expected)

  def test_check_dtypes(self):
    for dtype in ('float32', 'mixed_bfloat16', 'float64', 'float16'):
      layer = _layers.Dense(2, dtype=dtype, name='dense')
      layer.build((1, 3))
      if layer.variable_dtype == 'float32':
        kernels.check_dtypes(layer.weights)
      else:
        with self.assertRaisesRegex(
            ValueError, f'float32.* got .*kernel:0 of {dtype}'
        ):
          kernels.check_dtypes(layer.weights)

  def test_find_with_a_predicate(self):
    layer = _layers.Dense(2)
    layer.build((1, 3))
    found = kernels.find(layer, lambda variable: len(variable.shape) == 1)
    self.assertEqual(list(found), ['bias'])

  def test_kernel_under_two_names_is_not_found(self):
    layer = _layers.Dense(2)
    layer.build((1, 3))
    layer.alias = layer.kernel
    self.assertEmpty(kernels.find(layer))

  @parameterized.parameters(
      (_layers.Dense(2), 'kernel'), (_layers.LSTM(2), 'cell.kernel')
  )
  def test_put_keeps_the_weights_and_restoring_undoes_it(self, layer, path):
    layer.build((1, 4, 3))
    weights = [variable.ref() for variable in layer.weights]
    variable = kernels.get(layer, path)
    with kernels.restoring(layer, [path]):
      value = tf.zeros(variable.shape)
      kernels.put(layer, path, value)
      self.assertIs(kernels.get(layer, path), value)
      self.assertEqual([v.ref() for v in layer.weights], weights)
    self.assertIs(kernels.get(layer, path), variable)

  def test_wrap_kernels_keeps_the_rest_of_the_model(self):
    x = _layers.Input((3,))
    y = _layers.BatchNormalization()(_layers.Dense(3, name='dense')(x))
    model = tf.keras.Model(x, [y, _layers.Softmax()(y)], name='model')
    model.set_weights([w + 0.5 for w in model.get_weights()])
    calls = []

    class Wrapper(_layers.Wrapper):

      def call(self, inputs):
        return self.layer(inputs)

    def wrap(layer, paths):
      calls.append((layer.name, paths))
      return Wrapper(layer)

    wrapped = kernels.wrap_kernels(model, wrap)
    self.assertEqual(calls, [('dense', ['kernel'])])
    inputs = tf.random.stateless_normal([2, 3], [0, 0])
    for actual, expected in zip(wrapped(inputs), model(inputs)):
      self.assertAllEqual(actual, expected)
    self.assertEqual(wrapped.name, 'model')


if __name__ == '__main__':
  tf.test.main()
