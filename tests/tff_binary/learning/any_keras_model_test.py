# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""FedBAT trains any Keras model as it is."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests.tff_binary import tiny
from tff_binary import aggregators
from tff_binary import algorithms
from tff_binary import layers
from tff_binary import learning
from tff_binary import wire

_keras = tf.keras.layers


def _sequential(*model_layers):
  return lambda: tf.keras.Sequential([build() for build in model_layers])


def _input(*shape):
  return lambda: tf.keras.Input(shape)


def _logits():
  return _keras.Dense(tiny.NUM_CLASSES)


def _functional_model():
  """One kernel that is used twice, and a model inside a model."""
  inputs = tf.keras.Input((4,))
  shared = _keras.Dense(4, activation='tanh')
  inner = tf.keras.Sequential([
      tf.keras.Input((4,)), _keras.Dense(5), _keras.BatchNormalization(),
  ])  # pyformat: disable
  hidden = inner(shared(shared(inputs)))
  return tf.keras.Model(inputs, _logits()(hidden))


class _SubclassedModel(tf.keras.Model):

  def __init__(self):
    super().__init__()
    self._hidden = [_keras.Dense(5), _keras.Dense(4)]
    self._norm = _keras.BatchNormalization()
    self._logits = _logits()

  def call(self, inputs, training=False):
    for layer in self._hidden:
      inputs = tf.nn.tanh(layer(inputs))
    return self._logits(self._norm(inputs, training=training))


def _attention_model():
  inputs = tf.keras.Input((5, 4))
  attended = _keras.MultiHeadAttention(num_heads=2, key_dim=3)(inputs, inputs)
  return tf.keras.Model(inputs, _logits()(_keras.Flatten()(attended)))


# The model, its input's shape, and the shapes of all trainable tensors of rank
# 2 or more.
_LSTM_SHAPES = [(3, 16), (4, 16)]
_MODELS = dict(
    sequential=(
        _sequential(_input(4), lambda: _keras.Dense(5), _logits),
        (4,),
        [(4, 5), (5, 3)],
    ),
    functional=(_functional_model, (4,), [(4, 4), (4, 5), (5, 3)]),
    subclassed=(_SubclassedModel, (4,), [(4, 5), (5, 4), (4, 3)]),
    lstm=(
        _sequential(_input(6, 3), lambda: _keras.LSTM(4), _logits),
        (6, 3),
        _LSTM_SHAPES + [(4, 3)],
    ),
    bidirectional=(
        _sequential(
            _input(6, 3),
            lambda: _keras.Bidirectional(_keras.LSTM(4)),
            _logits,
        ),
        (6, 3),
        _LSTM_SHAPES * 2 + [(8, 3)],
    ),
    # The biases of the three input projections have rank 2 as well.
    attention=(
        _attention_model,
        (5, 4),
        [(4, 2, 3), (2, 3)] * 3 + [(2, 3, 4), (20, 3)],
    ),
    depthwise_and_separable=(
        _sequential(
            _input(6, 6, 2),
            lambda: _keras.DepthwiseConv2D(3),
            lambda: _keras.SeparableConv2D(4, 3),
            _keras.Flatten,
            _logits,
        ),
        (6, 6, 2),
        [(3, 3, 2, 1), (3, 3, 2, 1), (1, 1, 2, 4), (16, 3)],
    ),
    embedding=(
        _sequential(
            _input(7),
            lambda: _keras.Embedding(11, 4),
            _keras.Flatten,
            _logits,
        ),
        (7,),
        [(11, 4), (28, 3)],
    ),
)


def _client(features_shape, is_embedding):
  random = np.random.RandomState(0)
  features = random.randn(12, *features_shape).astype(np.float32)
  if is_embedding:
    features = random.randint(11, size=features.shape).astype(np.int32)
  labels = random.randint(tiny.NUM_CLASSES, size=12).astype(np.int32)
  return features, labels


class AnyKerasModelTest(tf.test.TestCase, parameterized.TestCase):

  def setUp(self):
    super().setUp()
    tf.keras.utils.set_random_seed(1)

  @parameterized.named_parameters(
      (name, name) for name in _MODELS if name != 'lstm'
  )
  def test_kernels_are_trained_and_binary(self, name):
    build_model, features_shape, shapes = _MODELS[name]
    features, labels = _client(features_shape, name == 'embedding')
    models = []

    def build_and_keep():
      models.append(build_model())
      return models[-1]

    client = tiny.EagerClient(
        build_and_keep,
        tiny.element_spec(features_shape, features.dtype),
        layers.LearnableBinarization,
        local_epochs=30,
        batch_size=12,
    )
    update, _, _ = client.train(learning.client_dataset(features, labels, 0))
    kernels = [u for u, c in zip(update['trainable'], client.compressed) if c]
    self.assertEqual([k.shape for k in kernels], shapes)
    for kernel in kernels:
      self.assertTrue(tiny.is_on_grid(kernel))
      self.assertAllGreater(np.abs(kernel), 0.0)
      payload = wire.BinaryCodec().encode(tf.constant(kernel))
      self.assertEqual(
          sum(x.numpy().nbytes for x in payload.values()),
          (kernel.size + 7) // 8 + 4,
      )

    def loss(weights):
      model = models[0]
      for variable, value in zip(model.trainable_variables, weights):
        variable.assign(value)
      return tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
          labels, model(features, training=True)
      )

    before = client.weights.trainable
    after = [w + u for w, u in zip(before, update['trainable'])]
    self.assertLess(loss(after), loss(before))

  @parameterized.named_parameters(
      ('functional', 'functional', aggregators.is_kernel),
      ('lstm', 'lstm', lambda spec: '/kernel:' in spec.name),
  )
  def test_in_tff(self, name, is_compressed):
    build_model, features_shape, shapes = _MODELS[name]
    spec = tiny.element_spec(features_shape)
    process = algorithms.build_fedbat(
        learning.keras_model_fn(build_model, spec),
        element_spec=spec,
        is_compressed=is_compressed,
    )
    state = process.initialize()
    before = process.get_model_weights(state).trainable
    output = process.next(
        state, [learning.client_dataset(*_client(features_shape, False), 0)]
    )
    after = process.get_model_weights(output.state).trainable
    recurrent = [] if name == 'functional' else [(4, 16)]
    kernels = [
        a - b
        for a, b in zip(after, before)
        if a.ndim >= 2 and a.shape not in recurrent
    ]
    self.assertEqual(
        [k.shape for k in kernels], [s for s in shapes if s not in recurrent]
    )
    for kernel in kernels:
      step_size = np.abs(kernel).max()
      self.assertGreater(step_size, 0.0)
      # The sum with the old weights is rounded.
      self.assertAllClose(
          np.abs(kernel), np.full(kernel.shape, step_size), atol=1e-6
      )
    metrics = learning.round_metrics(output.metrics)
    sizes = [kernel.size for kernel in kernels]
    self.assertAllClose(
        metrics['uplink_bits_per_param'],
        8 * sum((n + 7) // 8 + 4 for n in sizes) / sum(sizes),
    )


if __name__ == '__main__':
  tf.test.main()
