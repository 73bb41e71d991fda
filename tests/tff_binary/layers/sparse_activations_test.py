# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for sparse_activations."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import layers

_RATIO = 0.25


def _sparse(x):
  """Returns the quarter of `x` of largest magnitude, and zeros elsewhere."""
  k = x.size // 4
  return np.where(np.abs(x) >= np.sort(np.abs(x).ravel())[-k], x, 0)


def _gradients(layer, x, upstream):
  """Returns output and gradients of a layer's inputs, kernel and bias."""
  x = tf.constant(x)

  @tf.function
  def run(x, upstream):
    with tf.GradientTape() as tape:
      tape.watch(x)
      output = layer(x)
    return output, tape.gradient(
        output, [x, *layer.trainable_weights], upstream
    )

  return tf.nest.map_structure(np.asarray, run(x, upstream))


def _sparsify(model, ratio=_RATIO):
  kernels = [v for v in model.trainable_variables if v.shape.rank >= 2]
  layers.sparsify_gradients(model, kernels, ratio)
  return model


class SparsifyGradientsTest(tf.test.TestCase, parameterized.TestCase):

  def test_dense_layer_by_hand(self):
    random = np.random.RandomState(1)
    x, upstream = random.randn(6, 4), random.randn(6, 3)
    dense = tf.keras.layers.Dense(3, activation='tanh', dtype='float64')
    model = _sparsify(tf.keras.Sequential([tf.keras.Input((4,)), dense]))
    kernel, bias = dense.get_weights()
    output, (dx, dw, db) = _gradients(model, x, upstream)
    self.assertAllClose(output, np.tanh(x @ kernel + bias))
    inner = upstream * (1 - output**2)
    self.assertAllClose(dx, inner @ kernel.T)
    self.assertAllClose(dw, _sparse(x.astype(np.float32)).T @ inner, atol=1e-5)
    self.assertAllClose(db, inner.sum(0))

  def test_convolution_by_hand(self):
    random = np.random.RandomState(2)
    x = random.randn(2, 5, 5, 2).astype(np.float32)
    upstream = random.randn(2, 3, 3, 3).astype(np.float32)
    conv = tf.keras.layers.Conv2D(3, 3, use_bias=False)
    model = _sparsify(tf.keras.Sequential([tf.keras.Input(x.shape[1:]), conv]))
    kernel = conv.get_weights()[0]
    output, (dx, dw) = _gradients(model, x, upstream)
    sparse_x = _sparse(x)
    expected = np.zeros_like(output), np.zeros_like(x), np.zeros_like(kernel)
    for i, j in np.ndindex(3, 3):  # Of the output.
      for a, b in np.ndindex(3, 3):  # Of the kernel.
        at = (slice(None), i + a, j + b)
        g = upstream[:, i, j]
        expected[0][:, i, j] += x[at] @ kernel[a, b]
        expected[1][at] += g @ kernel[a, b].T
        expected[2][a, b] += sparse_x[at].T @ g
    for actual, e in zip((output, dx, dw), expected):
      self.assertAllClose(actual, e, atol=1e-5)

  @parameterized.named_parameters(
      ('conv1d', lambda l: l.Conv1D(4, 3, padding='causal'), (8, 3)),
      ('grouped', lambda l: l.Conv2D(4, 3, groups=2), (8, 8, 2)),
      ('conv3d', lambda l: l.Conv3D(2, 2), (4, 4, 4, 2)),
      ('depthwise', lambda l: l.DepthwiseConv2D(3), (8, 8, 3)),
      ('transposed', lambda l: l.Conv2DTranspose(2, 3, strides=2), (4, 4, 3)),
      ('einsum', lambda l: l.EinsumDense('abc,cd->abd', (None, 5)), (4, 3)),
      ('dense_of_sequences', lambda l: l.Dense(5), (4, 3)),
  )
  def test_weight_gradient_is_that_of_sparse_inputs(self, build, shape):
    layer = build(tf.keras.layers)
    model = tf.keras.Sequential([tf.keras.Input(shape), layer])
    x = np.random.RandomState(3).randn(2, *shape).astype(np.float32)
    output = model(x)
    upstream = tf.random.stateless_normal(output.shape, (1, 2))
    _, dense = _gradients(model, x, upstream)
    _, expected = _gradients(model, _sparse(x), upstream)
    output, actual = _gradients(_sparsify(model), x, upstream)
    self.assertAllClose(output, model(x))
    self.assertAllClose(actual[0], dense[0], atol=1e-5)
    self.assertAllClose(actual[1], expected[1], atol=1e-5)
    self.assertNotAllClose(actual[1], dense[1], atol=1e-2)
    for a, d in zip(actual[2:], dense[2:]):
      self.assertAllClose(a, d, atol=1e-5)

  def test_mixed_precision(self):
    x = np.random.RandomState(4).randn(8, 6).astype(np.float32)
    dense = tf.keras.layers.Dense(3, dtype='mixed_bfloat16')
    model = _sparsify(tf.keras.Sequential([tf.keras.Input((6,)), dense]))
    upstream = tf.ones([8, 3], tf.bfloat16)
    output, (_, dw, db) = _gradients(model, x, upstream)
    self.assertEqual(output.dtype, tf.bfloat16.as_numpy_dtype)
    self.assertEqual(dw.dtype, np.float32)
    rounded = np.asarray(tf.cast(tf.cast(x, tf.bfloat16), tf.float32))
    self.assertAllClose(
        dw, np.tile(_sparse(rounded).sum(0)[:, None], 3), rtol=0.02, atol=0.02
    )
    self.assertAllEqual(db, [8.0] * 3)

  def test_reaches_nested_and_shared_layers(self):
    shared = tf.keras.layers.Dense(4)
    nested = tf.keras.Sequential([tf.keras.Input((4,)), shared])
    inputs = tf.keras.Input((4,))
    model = tf.keras.Model(inputs, nested(shared(inputs)))
    x = np.eye(4, dtype=np.float32) * np.arange(1, 5)
    upstream = tf.ones([4, 4])
    _, (_, dense, _) = _gradients(model, x, upstream)
    _, (_, sparse, _) = _gradients(_sparsify(model), x, upstream)
    self.assertNotAllClose(sparse, dense)

  def test_attention_with_biases_of_rank_two(self):
    def build():
      tf.keras.utils.set_random_seed(1)
      x = tf.keras.Input((5, 6))
      attention = tf.keras.layers.MultiHeadAttention(2, 3)
      return tf.keras.Model(x, attention(x, x))

    x = np.random.RandomState(5).randn(4, 5, 6).astype(np.float32)
    upstream = tf.random.stateless_normal(x.shape, (1, 2))
    model, sparse = build(), _sparsify(build())
    output, (dx, *expected) = _gradients(model, x, upstream)
    actual_output, (actual_dx, *actual) = _gradients(sparse, x, upstream)
    self.assertAllClose(actual_output, output)
    self.assertAllClose(actual_dx, dx, atol=1e-5)
    for variable, a, e in zip(model.trainable_variables, actual, expected):
      if 'bias' in variable.name:
        self.assertAllClose(a, e, atol=1e-5)
      else:
        self.assertNotAllClose(a, e, atol=1e-2)

  @parameterized.parameters(
      (tf.keras.layers.Embedding(10, 3, name='l'), (5,), "'l' of type Emb"),
      (tf.keras.layers.GRU(3, name='l'), (5, 2), "'gru_cell.*GRUCell"),
      (tf.keras.layers.LSTM(3, name='l'), (5, 2), "'lstm_cell.*LSTMCell"),
      (
          tf.keras.layers.SeparableConv1D(3, 2, name='l'),
          (5, 2),
          "'l' of type SeparableConv1D",
      ),
  )
  def test_refuses_other_layers(self, layer, shape, message):
    model = tf.keras.Sequential([tf.keras.Input(shape), layer])
    with self.assertRaisesRegex(
        ValueError, f'l/.* belongs to layer {message}.*is_compressed'
    ):
      _sparsify(model)

  def test_everything_is_kept_at_one(self):
    dense = tf.keras.layers.Dense(2)
    call = dense.call
    _sparsify(tf.keras.Sequential([tf.keras.Input((5,)), dense]), 1.0)
    self.assertEqual(dense.call, call)


if __name__ == '__main__':
  tf.test.main()
