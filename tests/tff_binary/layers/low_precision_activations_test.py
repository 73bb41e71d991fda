# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for low_precision_activations."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import layers
from tff_binary.ops import block_floating_point

_BITS = 4
_SEED = (1, 2)


def _is_rounded(x):
  x = tf.constant(x)
  rounded = block_floating_point.quantize(x, _BITS, 'tensor', (7, 8))
  return np.array_equal(rounded, x)


def _spy(model):
  """Returns a dict that gets each layer's output, as a later layer gets it."""
  outputs = {}
  for layer in model.submodules:
    if isinstance(layer, tf.keras.layers.Layer) and layer is not model:

      def call(*args, layer=layer, inner=layer.call, **kwargs):
        outputs[layer.name] = inner(*args, **kwargs)
        return outputs[layer.name]

      object.__setattr__(layer, 'call', call)
  return outputs


def _rounded_layers(model, shape):
  """Returns the names of the layers that put out and get back few bits."""
  layers.quantize_activations(model, _BITS, _SEED)
  outputs = _spy(model)
  x = tf.random.stateless_normal((2, *shape), (3, 4))
  with tf.GradientTape() as tape:
    tape.watch(x)
    y = model(x, training=True)
  gradient = tape.gradient(y, x, tf.random.stateless_normal(y.shape, (5, 6)))
  assert np.all(np.isfinite(gradient))
  return sorted(name for name, o in outputs.items() if _is_rounded(o))


def _l():
  return tf.keras.layers


class QuantizeActivationsTest(tf.test.TestCase, parameterized.TestCase):

  def setUp(self):
    super().setUp()
    # With some weights a sum has few bits without having been rounded.
    tf.keras.utils.set_random_seed(1)

  def test_where_the_paper_rounds(self):
    model = tf.keras.Sequential([
        tf.keras.Input((8, 8, 2)),
        _l().Conv2D(4, 3, name='conv'),
        _l().GroupNormalization(groups=-1, name='norm'),
        _l().ReLU(name='relu'),
        _l().AveragePooling2D(name='pool'),
        _l().Flatten(name='flatten'),
        _l().Dense(3, name='logits'),
    ])
    self.assertEqual(
        _rounded_layers(model, (8, 8, 2)),
        # Flatten moves what the pooling has rounded.
        ['conv', 'flatten', 'logits', 'pool', 'relu'],
    )

  def test_normalization_and_sums_without_an_activation_behind_them(self):
    inputs = tf.keras.Input((6,))
    x = _l().Dense(5, name='first')(inputs)
    y = _l().BatchNormalization(name='followed')(x)
    y = _l().Dropout(0.1, name='dropout')(y)
    y = _l().Activation('tanh', name='tanh')(y)
    y = _l().LayerNormalization(name='not_followed')(y)
    z = _l().Add(name='sum')([x, y])
    z = _l().ReLU(name='relu')(z)
    z = _l().Activation('linear', name='linear')(z)
    model = tf.keras.Model(inputs, z)
    self.assertEqual(
        _rounded_layers(model, (6,)),
        ['first', 'linear', 'not_followed', 'relu', 'tanh'],
    )

  def test_errors_are_rounded_on_their_way_back(self):
    dense = _l().Dense(3, use_bias=False)
    model = tf.keras.Sequential([tf.keras.Input((4,)), dense])
    layers.quantize_activations(model, _BITS, _SEED)
    x = tf.eye(4)
    upstream = tf.random.stateless_normal((4, 3), (3, 4))
    with tf.GradientTape() as tape:
      y = model(x)
    # With these inputs it is the error itself.
    gradient = tape.gradient(y, dense.kernel, upstream)
    self.assertTrue(_is_rounded(gradient))
    self.assertFalse(_is_rounded(upstream))
    self.assertAllClose(gradient, upstream, atol=1.0)

  def test_draws_depend_on_seed_layer_and_activations(self):
    def outputs(seed, x):
      """Returns what two layers that do the same put out."""
      inputs = tf.keras.Input((50,))
      identity = lambda: _l().Dense(
          50, use_bias=False, kernel_initializer='identity'
      )
      model = tf.keras.Model(inputs, [identity()(inputs), identity()(inputs)])
      layers.quantize_activations(model, _BITS, seed)
      return np.stack(model(x))

    x = tf.random.stateless_normal((2, 50), (3, 4))
    first = outputs(_SEED, x)
    self.assertAllEqual(outputs(_SEED, x), first)
    self.assertNotAllEqual(outputs((1, 3), x), first)
    self.assertNotAllEqual(first[0], first[1])
    # The first row alone is the same in both.
    other = outputs(_SEED, tf.concat([x[:1], 0.5 * x[:1]], axis=0))
    self.assertNotAllEqual(other[:, 0], first[:, 0])

  def test_operators_nested_shared_and_subclassed_models(self):
    class Block(tf.keras.Model):

      def __init__(self):
        super().__init__(name='block')
        self.dense = _l().Dense(4, name='in_block')

      def call(self, x):
        return x + self.dense(x)

    shared = _l().Dense(4, activation='relu', name='shared')
    inputs = tf.keras.Input((4,))
    x = shared(shared(inputs))
    nested = tf.keras.Sequential(
        [tf.keras.Input((4,)), _l().Dense(4, name='in_nested')], name='nested'
    )
    x = Block()(nested(x))
    model = tf.keras.Model(inputs, 2.5 * x[:, :3])
    rounded = _rounded_layers(model, (4,))
    self.assertContainsSubset(['in_block', 'in_nested', 'shared'], rounded)
    self.assertContainsSubset(['tf.math.multiply'], rounded)

  def test_mixed_precision(self):
    model = tf.keras.Sequential([
        tf.keras.Input((4,)), _l().Dense(3, dtype='mixed_bfloat16')
    ])
    layers.quantize_activations(model, 8, _SEED)
    y = model(tf.random.stateless_normal((2, 4), (3, 4)))
    self.assertEqual(y.dtype, tf.bfloat16)

  def test_names_a_layer_that_it_cannot_reach(self):
    class Scale(_l().Layer):

      def call(self, x):
        return 2.0 * x

    class Odd(_l().Dense):

      def call(self, x):
        return 2.0 * super().call(x)

    for layer, shape, message in (
        (_l().GRU(3, name='l'), (5, 2), "'gru_cell.*' of type GRUCell"),
        (_l().Bidirectional(_l().LSTM(3)), (5, 2), 'of type LSTMCell'),
        (Scale(name='l'), (5,), "'l' of type Scale"),
        (Odd(3, name='l'), (5,), "'l' of type Odd"),
    ):
      model = tf.keras.Sequential([tf.keras.Input(shape), layer])
      with self.assertRaisesRegex(ValueError, f'Layer .*{message}.*reached'):
        layers.quantize_activations(model, _BITS, _SEED)


if __name__ == '__main__':
  tf.test.main()
