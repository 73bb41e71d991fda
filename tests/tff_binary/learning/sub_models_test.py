# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for sub_models."""

import collections

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import learning
from tff_binary.learning import sub_models

_LAYERS = tf.keras.layers


def _residual_model():
  """A functional model with all that has to be sliced in another way."""
  image = tf.keras.Input((6, 6, 2))
  x = _LAYERS.Conv2D(8, 3, padding='same')(image)
  x = _LAYERS.BatchNormalization()(x)
  x = _LAYERS.ReLU()(x)
  y = _LAYERS.Conv2D(8, 3, padding='same', activation='elu')(x)
  y = _LAYERS.GroupNormalization(groups=-1)(y)
  x = _LAYERS.Add()([x, y])
  x = _LAYERS.MaxPooling2D()(x)
  x = _LAYERS.Flatten()(x)
  x = _LAYERS.BatchNormalization()(x)
  x = _LAYERS.Dense(5, activation='relu')(x)
  x = _LAYERS.Dropout(0.5)(x)
  x = _LAYERS.Dense(3)(x)
  return tf.keras.Model(image, _LAYERS.Activation('linear')(x))


def _model(build=_residual_model, shape=(6, 6, 2)):
  element_spec = collections.OrderedDict(
      features=tf.TensorSpec((None, *shape)),
      labels=tf.TensorSpec((None,), tf.int32),
      client_id=tf.TensorSpec((), tf.int32),
  )
  return learning.keras_model_fn(build, element_spec)()


def _spec(rates=(1.0,), **kwargs):
  return learning.SubModels(rates, lambda *args: args, **kwargs)


def _sequential(*layers):
  return lambda: tf.keras.Sequential([tf.keras.Input((6, 6, 2)), *layers])


class _OwnDense(_LAYERS.Dense):
  """A layer that may compute anything."""


def _shared_model():
  dense = _LAYERS.Dense(4)
  image = tf.keras.Input((6, 6, 2))
  x = dense(dense(_LAYERS.Dense(4)(image)))
  return tf.keras.Model(image, _LAYERS.Dense(3)(x))


class _Subclassed(tf.keras.Model):

  def __init__(self):
    super().__init__()
    self._dense = _LAYERS.Dense(3)

  def call(self, x):
    return self._dense(x)


class ArchitectureTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters((1.0, 8, 5), (0.5, 4, 3), (0.3, 3, 2), (0.01, 1, 1))
  def test_hidden_layers_have_leading_channels(self, rate, filters, units):
    model = _model()
    architecture = sub_models.Architecture(model, _spec(), rate)
    narrow = architecture.build().keras_model
    self.assertEqual(
        [tuple(v.shape) for v in narrow.trainable_variables if v.shape.rank > 1],
        [
            (3, 3, 2, filters),
            (3, 3, filters, filters),
            (9 * filters, units),
            (units, 3),
        ],
    )
    shapes = [s.sub_shape for s in architecture.trainable]
    self.assertEqual(
        shapes, [tuple(v.shape) for v in narrow.trainable_variables]
    )
    self.assertEqual(
        architecture.is_output, [False] * (len(shapes) - 2) + [True] * 2
    )
    flattened = model.keras_model.trainable_variables[-4]
    by_position = flattened.numpy().reshape(9, 8, 5)
    self.assertAllEqual(
        architecture.trainable[-4].take(flattened),
        by_position[:, :filters, :units].reshape(-1, units),
    )

  def test_rate_1_is_the_model(self):
    model = _model()
    architecture = sub_models.Architecture(model, _spec(), 1.0)
    narrow = architecture.build().keras_model
    narrow.set_weights(model.keras_model.get_weights())
    x = np.random.RandomState(0).randn(4, 6, 6, 2).astype(np.float32)
    self.assertAllEqual(narrow(x), model.keras_model(x))

  def test_narrow_layers_are_scaled_before_normalization(self):
    # Without biases a ReLU net, scaled twice by 0.8 / 0.4.
    build = _sequential(
        _LAYERS.Flatten(),
        _LAYERS.Dense(4, activation='relu', use_bias=False),
        _LAYERS.Dense(6, activation=tf.nn.relu, use_bias=False),
        _LAYERS.Dense(3, use_bias=False),
    )
    model = _model(build)
    x = np.random.RandomState(0).randn(5, 6, 6, 2).astype(np.float32)
    outputs = []
    for scales in (False, True):
      narrow = sub_models.Architecture(
          model, _spec((0.8, 0.4), scales=scales), 0.4
      ).build()
      random = np.random.RandomState(1)
      narrow.keras_model.set_weights(
          [random.randn(*w.shape) for w in narrow.keras_model.get_weights()]
      )
      outputs.append(narrow.keras_model(x))
    self.assertAllClose(outputs[1], 4.0 * outputs[0], rtol=1e-5)

  def test_label_mask_makes_logits_zero(self):
    model = _model()
    mask = tf.Variable([1.0, 0.0, 1.0])
    narrow = sub_models.Architecture(model, _spec(), 0.5).build(mask)
    x = np.random.RandomState(0).randn(4, 6, 6, 2).astype(np.float32)
    narrow.keras_model.set_weights(
        [np.full_like(w, 0.1) for w in narrow.keras_model.get_weights()]
    )
    logits = narrow.keras_model(x)
    self.assertAllEqual(logits[:, 1], [0.0] * 4)
    self.assertNotAllEqual(logits[:, 0], [0.0] * 4)
    self.assertLen(narrow.keras_model.weights, len(model.keras_model.weights))

  # With 4 blocks a unit of the 5 is in none.
  @parameterized.parameters((1, 1.0), (1, 0.5), (2, 0.5), (4, 0.25))
  def test_ensemble_is_the_mean_of_its_sub_models(self, num_blocks, rate):
    model = _model()
    architecture = sub_models.Architecture(
        model, _spec((rate,), num_blocks=num_blocks), rate
    )
    random = np.random.RandomState(0)
    variables = [
        *model.trainable_variables, *model.non_trainable_variables
    ]  # pyformat: disable
    weights = [
        random.uniform(0.1, 1.0, v.shape).astype(np.float32) for v in variables
    ]
    x = random.randn(4, 6, 6, 2).astype(np.float32)
    narrow = architecture.build()
    logits = []
    for block in range(num_blocks):
      for v, w, sub_tensor in zip(
          [*narrow.trainable_variables, *narrow.non_trainable_variables],
          weights,
          [*architecture.trainable, *architecture.non_trainable],
      ):
        v.assign(sub_tensor.take(w, block))
      logits.append(narrow.keras_model(x))
    for v, w in zip(variables, architecture.ensemble(weights)):
      v.assign(w)
    self.assertAllClose(
        model.keras_model(x), np.mean(logits, axis=0), rtol=1e-4, atol=1e-4
    )

  @parameterized.named_parameters(
      ('recurrent', [_LAYERS.Reshape((36, 2)), _LAYERS.LSTM(4, name='x')],
       "'reshape.*' of type Reshape"),
      ('layer_norm', [_LAYERS.LayerNormalization(name='x')],
       "'x' of type LayerNormalization"),
      ('depthwise', [_LAYERS.DepthwiseConv2D(3, name='x')],
       "'x' of type DepthwiseConv2D"),
      ('own', [_OwnDense(4, name='x')], "'x' of type _OwnDense"),
      ('groups', [_LAYERS.Conv2D(4, 3, groups=2, name='x')],
       "'x' of type Conv2D .* groups must be 1, got 2"),
      ('group_norm', [_LAYERS.Conv2D(8, 3),
                      _LAYERS.GroupNormalization(2, name='x')],
       "'x' of type GroupNormalization .*groups=-1.*got 2"),
      ('axis', [_LAYERS.BatchNormalization(axis=1, name='x')],
       "'x' of type BatchNormalization .* last one, got 1"),
      ('nested', [tf.keras.Sequential([_LAYERS.Dense(4)], name='x')],
       "'x' of type Sequential"),
  )  # pyformat: disable
  def test_layer_that_cannot_be_narrow_is_named(self, layers, message):
    build = _sequential(*layers, _LAYERS.Flatten(), _LAYERS.Dense(3))
    with self.assertRaisesRegex(ValueError, f'^Layer {message}'):
      sub_models.Architecture(_model(build), _spec(), 0.5)

  def test_layer_that_is_used_twice_is_named(self):
    with self.assertRaisesRegex(ValueError, 'type Dense .* is used 2 times'):
      sub_models.Architecture(_model(_shared_model), _spec(), 0.5)

  def test_layer_of_less_channels_than_sub_models_is_named(self):
    # Output layers may be.
    with self.assertRaisesRegex(
        ValueError, r'of type Dense cannot .* units must be at least 6.* got 5'
    ):
      sub_models.Architecture(_model(), _spec(num_blocks=6), 1 / 6)

  def test_subclassed_model_is_refused(self):
    with self.assertRaisesRegex(ValueError, 'Sequential or functional.*_Subcl'):
      sub_models.Architecture(_model(_Subclassed), _spec(), 0.5)


class ChoiceTest(tf.test.TestCase):

  def test_fixed_rates_follow_the_id(self):
    choose = learning.RateChooser([0, 1, 1])
    for seed in ([0, 0], [3, 4]):
      numbers = [int(choose(i, seed, 0)[0]) for i in (-1, 0, 1, 2, 3)]
      self.assertEqual(numbers, [1, 0, 1, 1, 0])

  def test_drawn_rates_follow_their_shares(self):
    choose = learning.RateChooser([0, 1, 1, 2], is_drawn=True)
    draw = tf.function(lambda i: choose(0, tf.stack([7, i]), 0)[0])
    counts = np.bincount([int(draw(tf.constant(i))) for i in range(1000)])
    # Five standard deviations, fails once in a million seeds.
    self.assertAllClose(counts, [250, 500, 250], atol=5 * 16)

  def test_sampler_covers_all_models_evenly(self):
    sampler = learning.BaseSampler(8, [1, 2, 8], seed=5)
    sample = tf.function(
        lambda i, p: sampler(i, tf.stack([3, p]), p)
    )
    numbers = np.stack([
        sample(tf.constant(p % 5), tf.constant(p)).numpy() for p in range(80)
    ])
    cycles = numbers[:, 0].reshape(10, 8)
    for cycle in cycles:  # Each goes through all of them,
      self.assertAllEqual(np.sort(cycle), np.arange(8))
    self.assertGreater(len(set(map(tuple, cycles))), 5)  # in another order.
    for position, row in enumerate(numbers):
      count = [1, 2, 8][position % 5 % 3]
      self.assertLen(set(row[:count]), count)
      self.assertAllLess(row[:count], 8)
      self.assertAllEqual(row[count:], [8] * (8 - count))

  def test_sampler_depends_on_the_seed(self):
    firsts = [
        [
            int(learning.BaseSampler(16, [1], seed)(0, [0, 0], p)[0])
            for p in range(16)
        ]
        for seed in (1, 2)
    ]
    self.assertNotEqual(*firsts)


if __name__ == '__main__':
  tf.test.main()
