# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the bound of a model's Lipschitz constant."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.analysis import lipschitz

_layers = tf.keras.layers


def _randomize(model):
  """Gives all variables random values, variances positive ones."""
  random = np.random.RandomState(1)
  for variable in model.weights:
    value = random.randn(*variable.shape)
    if 'variance' in variable.name:
      value = 0.1 + value**2
    variable.assign(value)
  return model


def _residual_model():
  inputs = tf.keras.Input((6, 6, 2))
  x = _layers.Conv2D(3, 3, padding='same', use_bias=False)(inputs)
  shortcut = x = _layers.ReLU()(_layers.BatchNormalization()(x))
  x = _layers.Conv2D(3, 3, padding='same', activation='tanh')(x)
  x = _layers.Add()([_layers.Conv2D(3, 3, padding='same')(x), shortcut])
  x = _layers.Concatenate()([x, _layers.Dropout(0.5)(shortcut)])
  x = _layers.GlobalAveragePooling2D()(_layers.MaxPooling2D()(x))
  x = tf.keras.Sequential(
      [tf.keras.Input((6,)), _layers.Dense(5, 'sigmoid'), _layers.Dense(4)]
  )(x)
  return tf.keras.Model(inputs, x)


class LipschitzTest(tf.test.TestCase, parameterized.TestCase):

  def test_product_of_norms_by_hand(self):
    model = tf.keras.Sequential([
        tf.keras.Input((2,)),
        _layers.Dense(2, 'relu'),
        _layers.Dropout(0.5),
        _layers.Dense(2, 'sigmoid'),
        _layers.Dense(1),
    ])
    norms = np.float32([[3.0, 0.0], [0.0, 1.0]])
    model.set_weights([
        norms,
        np.ones(2),
        2.0 * norms,
        np.zeros(2),
        np.ones([2, 1]),
        np.ones(1),
    ])
    bound = lipschitz.LipschitzBound(model)
    expected = 3.0 * 6.0 * 0.25 * np.sqrt(2.0)
    self.assertAllClose(bound(), expected, 1e-4)
    # It follows the weights.
    model.layers[0].kernel.assign(2.0 * norms)
    self.assertAllClose(bound(), 2.0 * expected, 1e-4)

  def test_batch_norm_is_folded(self):
    model = _randomize(
        tf.keras.Sequential([
            tf.keras.Input((3,)),
            _layers.Dense(3),
            _layers.BatchNormalization(epsilon=1e-3),
        ])
    )
    kernel, _ = model.layers[0].get_weights()
    gamma, _, _, variance = model.layers[1].get_weights()
    folded = kernel * gamma / np.sqrt(variance + 1e-3)
    self.assertAllClose(
        lipschitz.LipschitzBound(model)(), np.linalg.norm(folded, 2), 1e-4
    )

  def test_paths_are_summed_by_hand(self):
    inputs = tf.keras.Input((2,))
    double = _layers.Dense(2, use_bias=False)
    x = double(inputs)
    both = _layers.Concatenate()([_layers.Add()([x, inputs]), x])
    model = tf.keras.Model(inputs, double(_layers.Average()([x, inputs])))
    other = tf.keras.Model(inputs, both)
    double.kernel.assign(2.0 * tf.eye(2))
    # A shared layer counts where it is used: 2 (2 + 1) / 2; sqrt(3^2 + 2^2).
    self.assertAllClose(lipschitz.LipschitzBound(model)(), 3.0, 1e-4)
    self.assertAllClose(lipschitz.LipschitzBound(other)(), np.sqrt(13.0), 1e-4)

  def test_overlapping_windows_count(self):
    for pool, stride, expected in ((2, 2, 1.0), (3, 1, 3.0), (3, 2, 2.0)):
      model = tf.keras.Sequential(
          [tf.keras.Input((6, 6, 1)), _layers.MaxPooling2D(pool, stride)]
      )
      self.assertEqual(lipschitz.LipschitzBound(model)(), expected)

  def test_power_iteration_agrees_with_singular_values(self):
    model = _randomize(_residual_model())
    self.assertAllClose(
        lipschitz.LipschitzBound(model)(),
        lipschitz.LipschitzBound(model, exact=True)(),
        1e-3,
    )

  def test_no_two_examples_exceed_the_bound(self):
    model = _randomize(_residual_model())
    bound = lipschitz.LipschitzBound(model)()
    x = tf.random.stateless_normal([200, 6, 6, 2], [1, 2])
    y = x + 1e-2 * tf.random.stateless_normal(x.shape, [3, 4])
    ratios = tf.norm(model(x) - model(y), axis=-1) / tf.norm(
        tf.reshape(x - y, [200, -1]), axis=-1
    )
    self.assertGreater(np.max(ratios), 0.0)
    self.assertLess(np.max(ratios), bound)

  @parameterized.parameters(
      # Made in the test: layers made before TFF's graphs are unusable after.
      (lambda: _layers.LSTM(2), 'lstm.* is a LSTM'),
      (lambda: _layers.Dense(2, tf.math.exp), 'activation exp'),
      (lambda: _layers.Multiply(), 'is a Multiply'),
  )
  def test_names_a_layer_without_a_bound(self, build_layer, message):
    inputs = tf.keras.Input((3, 2))
    layer = build_layer()
    arguments = inputs
    if isinstance(layer, _layers.Multiply):
      arguments = [inputs, inputs]
    model = tf.keras.Model(inputs, layer(arguments))
    with self.assertRaisesRegex(lipschitz.UnboundedError, message):
      lipschitz.LipschitzBound(model)

  def test_names_what_has_no_size(self):
    inputs = tf.keras.Input((None, 2))
    model = tf.keras.Model(inputs, _layers.Conv1D(2, 2)(inputs))
    with self.assertRaisesRegex(lipschitz.UnboundedError, r'conv1d.*None'):
      lipschitz.LipschitzBound(model)
    model = tf.keras.Sequential([_layers.Dense(2)], name='unbuilt')
    with self.assertRaisesRegex(lipschitz.UnboundedError, 'unbuilt'):
      lipschitz.LipschitzBound(model)


if __name__ == '__main__':
  tf.test.main()
