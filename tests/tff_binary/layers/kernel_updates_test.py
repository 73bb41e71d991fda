# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for kernel_updates, through both of its adapters."""

import os

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.layers import kernel_updates
from tff_binary.layers import keras_wrapper
from tff_binary.layers import tfmot_quantizer

_layers = tf.keras.layers

_BOTH_ADAPTERS = parameterized.named_parameters(
    ('keras_wrapper', keras_wrapper.binarize_updates),
    ('tfmot_quantizer', tfmot_quantizer.quantize_model),
)


def _every_layer_model():
  """One layer of each kind, masks and a layer used twice among them."""
  image = _layers.Input((6, 6, 2))
  x = _layers.Conv2D(4, 3, padding='same', kernel_regularizer='l2')(image)
  x = _layers.BatchNormalization()(x)
  x = _layers.DepthwiseConv2D(3)(x)
  x = _layers.SeparableConv2D(3, 3)(x)
  x = _layers.Conv2DTranspose(2, 2)(x)
  x = _layers.Flatten()(x)
  tokens = _layers.Input((5,), dtype=tf.int32)
  y = _layers.Embedding(7, 4, mask_zero=True)(tokens)
  y = _layers.LSTM(4, return_sequences=True)(y)
  y = _layers.GRU(4)(y)
  shared = _layers.Dense(4, activation='relu')
  z = _layers.Concatenate()([x, shared(shared(y))])
  return tf.keras.Model([image, tokens], _layers.Dense(3, name='head')(z))


def _every_layer_data():
  random = np.random.RandomState(0)
  images = random.randn(16, 6, 6, 2).astype(np.float32)
  tokens = random.randint(0, 7, [16, 5]).astype(np.int32)
  return [images, tokens], random.randint(0, 3, 16)


def _dense_model():
  tf.keras.utils.set_random_seed(1)
  return tf.keras.Sequential([
      _layers.Input((6,)),
      _layers.Dense(8, activation='relu', name='hidden'),
      _layers.Dense(3, name='head'),
  ])


def _dense_data():
  features = np.random.RandomState(0).randn(64, 6).astype(np.float32)
  return features, np.argmax(features[:, :3], axis=1)


def _compile(model, run_eagerly=True):
  loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
  model.compile(tf.keras.optimizers.SGD(0.5), loss, run_eagerly=run_eagerly)


def _fit(model, epochs=2, callbacks=(), **kwargs):
  """Takes four steps an epoch; returns the losses of the epochs."""
  _compile(model, **kwargs)
  history = model.fit(
      *_dense_data(),
      epochs=epochs,
      batch_size=16,
      shuffle=False,
      callbacks=list(callbacks),
      verbose=0,
  )
  return history.history['loss']


def _binarizing_model(convert, **options):
  """A model at the end of its warm-up, with updates of about 0.01."""
  model = convert(_dense_model(), **options)
  for i, update in enumerate(kernel_updates.updates(model)):
    noise = tf.random.stateless_normal(update.kernel.shape, [0, i])
    update.kernel.assign_add(0.01 * noise)
  kernel_updates.start_binarizing(model)
  return model


def _effective_kernels(model):
  return [u.effective_kernel().numpy() for u in kernel_updates.updates(model)]


class _Unembed(_layers.Layer):
  """A layer that multiplies by the embeddings of another one."""

  def __init__(self, embedding, **kwargs):
    super().__init__(**kwargs)
    self.embedding = embedding

  def call(self, x):
    return tf.matmul(x, self.embedding.embeddings, transpose_b=True)

  def get_config(self):
    return {**super().get_config(), 'embedding': self.embedding}


class _SerializableUnembed(_Unembed):

  def build(self, input_shape):
    if not self.embedding.built:
      self.embedding.build(None)
    super().build(input_shape)

  def get_config(self):
    config = tf.keras.layers.serialize(self.embedding)
    return {**super().get_config(), 'embedding': config}

  @classmethod
  def from_config(cls, config):
    embedding = tf.keras.layers.deserialize(config['embedding'])
    return cls(**{**config, 'embedding': embedding})


def _tied_model(unembed, trainable=True):
  """A model whose last layers are a function of hidden units and embedding."""
  tokens = _layers.Input((4,), dtype=tf.int32)
  embedding = _layers.Embedding(7, 3, name='embedding', trainable=trainable)
  hidden = _layers.Dense(3)(embedding(tokens))
  return tf.keras.Model(tokens, unembed(hidden, embedding))


def _lambda(x, embedding):
  return _layers.Lambda(
      lambda x: tf.matmul(x, embedding.embeddings, transpose_b=True),
      name='culprit',
  )(x)


def _argument(x, embedding):
  class Multiply(_layers.Layer):

    def call(self, x, y):
      return tf.matmul(x, y, transpose_b=True)

  return Multiply(name='culprit')(x, embedding.embeddings)


def _assigned_model():
  """Two layers of one kernel."""
  first, second = _layers.Dense(3), _layers.Dense(3, name='culprit')
  model = tf.keras.Sequential([_layers.Input((3,)), first, second])
  second.kernel = first.kernel
  return model


def _nested_model():
  """A layer that is used once more in a nested model."""
  shared = _layers.Dense(3)
  nested = tf.keras.Sequential([_layers.Input((3,)), shared], 'culprit')
  return tf.keras.Sequential([_layers.Input((3,)), shared, nested])


_TIES = {
    'closure': lambda: _tied_model(_lambda),
    'closure_over_frozen': lambda: _tied_model(_lambda, trainable=False),
    'argument': lambda: _tied_model(_argument),
    'attribute': lambda: _tied_model(
        lambda x, embedding: _Unembed(embedding, name='culprit')(x)
    ),
    'serialized_attribute': lambda: _tied_model(
        lambda x, embedding: _SerializableUnembed(embedding, name='culprit')(x)
    ),
    'assigned': _assigned_model,
    'nested': _nested_model,
}


class _RecordPhase(tf.keras.callbacks.Callback):
  """Records for each step whether it is binarized."""

  def __init__(self):
    super().__init__()
    self.phases = []

  def on_train_batch_end(self, batch, logs=None):
    update = kernel_updates.updates(self.model)[0]
    self.phases.append(bool(update.is_binarizing()))


class EveryLayerTest(tf.test.TestCase, parameterized.TestCase):

  @_BOTH_ADAPTERS
  def test_conversion_training_strip_and_h5(self, convert):
    model = _every_layer_model()
    features, labels = _every_layer_data()
    converted = convert(model)
    # Two of the separable convolution and of each recurrent layer, and the
    # bias of the GRU, which has rank 2.
    self.assertLen(kernel_updates.updates(converted), 13)
    self.assertAllClose(converted(features), model(features))

    _compile(converted)
    callback = kernel_updates.WarmUp(warmup_steps=2)
    converted.fit(
        features, labels, 8, epochs=2, callbacks=[callback], verbose=0
    )
    for update in kernel_updates.updates(converted):
      self.assertTrue(update.is_binarizing())
      moved = np.max(np.abs(update.kernel - update.anchor))
      self.assertGreater(moved, 0.0, update.anchor.name)

    expected = converted(features)
    self.assertNotAllClose(expected, model(features))
    stripped = kernel_updates.strip(converted)
    self.assertAllClose(stripped(features), expected)
    self.assertEqual(
        [w.shape for w in stripped.weights], [w.shape for w in model.weights]
    )
    self.assertEmpty(kernel_updates.updates(stripped))
    self._assert_saved(converted, features, '.h5')

  @_BOTH_ADAPTERS
  def test_other_formats(self, convert):
    # The layers that TFMOT's own wrapper fails to save, and a recurrent one.
    model = tf.keras.Sequential([
        _layers.Input((3, 3, 2)),
        _layers.SeparableConv2D(2, 2),
        _layers.Conv2DTranspose(2, 2),
        _layers.Reshape((9, 2)),
        _layers.LSTM(2),
    ])
    converted = convert(model)
    for update in kernel_updates.updates(converted):
      update.kernel.assign(update.kernel * 1.1)
    kernel_updates.start_binarizing(converted)
    features = tf.random.stateless_normal([2, 3, 3, 2], [0, 0])
    for suffix in ('.keras', ''):  # The latter is the SavedModel.
      self._assert_saved(converted, features, suffix)

  def _assert_saved(self, model, features, suffix):
    """Asserts that a loaded file is the same model, not only its output."""
    path = os.path.join(self.get_temp_dir(), f'model{suffix}')
    model.save(path)
    loaded = tf.keras.models.load_model(path)
    self.assertAllClose(loaded(features), model(features))
    for a, b in zip(
        kernel_updates.updates(loaded), kernel_updates.updates(model)
    ):
      self.assertAllEqual(a.kernel, b.kernel)
      self.assertAllEqual(a.step_size(), b.step_size())
      self.assertAllEqual(a.effective_kernel(), b.effective_kernel())


class ConvertTest(tf.test.TestCase, parameterized.TestCase):

  @_BOTH_ADAPTERS
  def test_unreached_kernel_raises_with_the_layers_name(self, convert):
    class Block(_layers.Layer):

      def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = _layers.Dense(4)

      def call(self, x):
        return self.inner(x)

    nested = tf.keras.Sequential([_layers.Input((5, 4)), _layers.Dense(4)])
    nested._name = 'culprit'  # pylint: disable=protected-access
    for layer in (
        nested,
        _layers.Bidirectional(_layers.LSTM(4), name='culprit'),
        _layers.TimeDistributed(_layers.Dense(4), name='culprit'),
        _layers.RNN([_layers.LSTMCell(4)] * 2, name='culprit'),
        Block(name='culprit'),
    ):
      model = tf.keras.Sequential(
          [_layers.Input((5, 4)), _layers.Dense(4), layer]
      )
      with self.subTest(type(layer).__name__):
        with self.assertRaisesRegex(ValueError, "'culprit'.*out of reach"):
          convert(model)

    x = _layers.Input((5, 4))
    attention = _layers.MultiHeadAttention(2, 2, name='culprit')
    with self.assertRaisesRegex(ValueError, "'culprit'.*out of reach"):
      convert(tf.keras.Model(x, attention(x, x)))

  @_BOTH_ADAPTERS
  def test_tied_variable_raises_with_the_layers_name(self, convert):
    for name, build in _TIES.items():
      model = build()
      before = model.get_weights()
      with self.subTest(name):
        with self.assertRaisesRegex(ValueError, "shared by.*'culprit'"):
          convert(model)
        for was, weight in zip(before, model.get_weights()):
          self.assertAllEqual(was, weight)

  @_BOTH_ADAPTERS
  def test_what_a_copy_would_lose_raises_with_the_layers_name(self, convert):
    def loss():
      return tf.constant(1.0)

    class Functional(tf.keras.Model):
      pass

    def layer_with_loss():
      model = _dense_model()
      model.get_layer('head').add_loss(loss)
      return model

    def model_with_loss():
      model = _dense_model()
      model._name = 'head'  # pylint: disable=protected-access
      model.add_loss(loss)
      return model

    def model_with_weight():
      x = _layers.Input((4,))
      model = Functional(x, _layers.Dense(2)(x), name='head')
      model.extra = tf.Variable(1.0, name='extra')
      return model

    def layer_without_config():
      class NoConfig(_layers.Dense):

        def __init__(self):
          super().__init__(3, name='head')

      return tf.keras.Sequential([_layers.Input((3,)), NoConfig()])

    for build, message in (
        (layer_with_loss, "'head'.* lose.*add_loss"),
        (model_with_loss, "'head'.* lose.*add_loss"),
        (model_with_weight, "'head'.* lose extra"),
        (layer_without_config, "'head'.* get_config"),
    ):
      with self.subTest(build.__name__):
        with self.assertRaisesRegex(ValueError, message):
          convert(build())

  @_BOTH_ADAPTERS
  def test_lookups_and_eager_layers_are_copied(self, convert):
    class Eager(_layers.Layer):

      def call(self, x):
        return tf.constant(2.0 * x.numpy())

      def compute_output_shape(self, shape):
        return shape

    words = _layers.Input((2,), dtype=tf.string)
    lookup = _layers.StringLookup()
    lookup.adapt(['a', 'b', 'c'])
    x = _layers.Embedding(5, 3)(lookup(words))
    x = Eager(dynamic=True)(_layers.Dense(2)(x))
    model = tf.keras.Model(words, x)
    features = tf.constant([['a', 'c'], ['b', 'd']])
    converted = convert(model)
    self.assertAllClose(converted(features), model(features))
    kernel_updates.start_binarizing(converted)
    stripped = kernel_updates.strip(converted)
    self.assertAllClose(stripped(features), converted(features))

  @_BOTH_ADAPTERS
  def test_subclassed_model_raises_with_its_name(self, convert):
    class Subclassed(tf.keras.Model):

      def __init__(self):
        super().__init__(name='culprit')
        self.inner = _layers.Dense(4)

      def call(self, x):
        return self.inner(x)

    model = Subclassed()
    model(tf.ones([1, 2]))
    with self.assertRaisesRegex(ValueError, "'culprit'"):
      convert(model)

  @_BOTH_ADAPTERS
  def test_own_weight_of_a_functional_subclass_raises(self, convert):
    class Functional(tf.keras.Model):
      pass

    x = _layers.Input((4,))
    model = Functional(x, _layers.Dense(2)(x), name='culprit')
    model.extra = tf.Variable(tf.ones([2, 2]))
    with self.assertRaisesRegex(ValueError, "'culprit'.*out of reach"):
      convert(model)

  @_BOTH_ADAPTERS
  def test_excluded_kernels_may_be_out_of_reach(self, convert):
    model = tf.keras.Sequential([
        _layers.Input((5, 4)),
        _layers.Bidirectional(_layers.LSTM(4)),
        _layers.Dense(2, name='head'),
    ])
    converted = convert(
        model, is_compressed=lambda v: v.name.startswith('head/kernel')
    )
    (update,) = kernel_updates.updates(converted)
    self.assertEqual(update.kernel.shape, [8, 2])
    features = np.random.RandomState(0).randn(2, 5, 4)
    self.assertAllClose(converted(features), model(features))

  @_BOTH_ADAPTERS
  def test_frozen_layers_are_left_alone(self, convert):
    model = _dense_model()
    model.get_layer('hidden').trainable = False
    converted = convert(model)
    self.assertLen(kernel_updates.updates(converted), 1)
    self.assertFalse(converted.get_layer('hidden').trainable)

  @_BOTH_ADAPTERS
  def test_nothing_to_convert_raises(self, convert):
    with self.assertRaisesRegex(ValueError, 'no variables yet'):
      convert(tf.keras.Sequential([_layers.Dense(2)]))
    with self.assertRaisesRegex(ValueError, 'no trainable kernel'):
      convert(_dense_model(), is_compressed=lambda variable: False)
    with self.assertRaisesRegex(ValueError, 'must be a Sequential'):
      convert(_layers.Dense(2))

  @_BOTH_ADAPTERS
  def test_original_is_unchanged(self, convert):
    model = _dense_model()
    before = model.get_weights()
    _fit(convert(model))
    self.assertAllEqual(
        np.concatenate([np.ravel(w) for w in model.get_weights()]),
        np.concatenate([np.ravel(w) for w in before]),
    )

  @_BOTH_ADAPTERS
  def test_sequential_without_input(self, convert):
    model = tf.keras.Sequential([_layers.Flatten(), _layers.Dense(3)])
    features = tf.random.stateless_normal([4, 2, 3], [0, 0])
    expected = model(features)
    self.assertAllClose(convert(model)(features), expected)


class TrainingTest(tf.test.TestCase, parameterized.TestCase):

  @_BOTH_ADAPTERS
  def test_binarized_steps_reduce_the_loss(self, convert):
    # A toy's few weights move by more than the default clamp.
    model = convert(_dense_model(), max_step_size=1.0)
    losses = _fit(
        model,
        epochs=20,
        callbacks=[kernel_updates.WarmUp(warmup_ratio=0.2)],
        run_eagerly=False,
    )
    # Four epochs of warm-up; the others also train the step sizes.
    self.assertLess(losses[-1], 0.8 * losses[4])
    for update in kernel_updates.updates(model):
      self.assertNotEqual(update.step_exponent.numpy(), 0.0)

  @_BOTH_ADAPTERS
  def test_warm_up_is_plain_training(self, convert):
    self.assertAllClose(_fit(convert(_dense_model())), _fit(_dense_model()))

  def test_adapters_agree(self):
    losses = [
        _fit(convert(_dense_model()), callbacks=[kernel_updates.WarmUp()])
        for convert in (
            keras_wrapper.binarize_updates,
            tfmot_quantizer.quantize_model,
        )
    ]
    self.assertAllClose(*losses)

  @_BOTH_ADAPTERS
  def test_every_kernel_has_two_values(self, convert):
    model = _binarizing_model(convert)
    for update in kernel_updates.updates(model):
      step_size = update.step_size().numpy()
      anchor = update.anchor.numpy()
      effective = update.effective_kernel().numpy()
      up = effective == anchor + step_size
      down = effective == anchor - step_size
      self.assertAllEqual(up, ~down)
      self.assertGreater(np.sum(up), 0)
      self.assertGreater(np.sum(down), 0)

  @_BOTH_ADAPTERS
  def test_layer_computes_with_the_effective_kernel(self, convert):
    model = _binarizing_model(convert)
    (first, second), features = _effective_kernels(model), _dense_data()[0]
    biases = [v for v in model.trainable_variables if 'bias' in v.name]
    hidden = np.maximum(features @ first + biases[0], 0.0)
    for training in (False, True):
      self.assertAllClose(
          model(features, training=training), hidden @ second + biases[1]
      )

  @_BOTH_ADAPTERS
  def test_gradient_reaches_update_and_step_size(self, convert):
    model = _binarizing_model(convert)
    features = _dense_data()[0]
    for update in kernel_updates.updates(model):
      m = (update.kernel - update.anchor).numpy()
      inside = np.abs(m) <= update.step_size().numpy()
      self.assertGreater(np.sum(inside), 0)
      self.assertGreater(np.sum(~inside), 0)
      with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(features, training=True) ** 2)
      gradient, step_gradient = tape.gradient(
          loss, [update.kernel, update.step_exponent]
      )
      reached = gradient.numpy() != 0.0
      self.assertAllEqual(reached & ~inside, np.zeros_like(inside))
      self.assertGreater(np.sum(reached), 0)
      self.assertNotEqual(step_gradient.numpy(), 0.0)

  @_BOTH_ADAPTERS
  def test_step_size_starts_at_the_mean_absolute_update(self, convert):
    model = convert(_dense_model())
    update = kernel_updates.updates(model)[0]
    update.kernel.assign_add(tf.fill(update.kernel.shape, -0.01))
    kernel_updates.start_binarizing(model)
    self.assertAllClose(update.step_size(), 0.01, rtol=1e-4)
    # A second start changes nothing.
    update.kernel.assign_add(tf.fill(update.kernel.shape, -0.01))
    kernel_updates.start_binarizing(model)
    self.assertAllClose(update.step_size(), 0.01, rtol=1e-4)

  @_BOTH_ADAPTERS
  def test_max_norm(self, convert):
    model = _binarizing_model(convert, step_size='max_norm')
    for update in kernel_updates.updates(model):
      m = update.kernel - update.anchor
      self.assertAllClose(update.step_size(), np.max(np.abs(m)))
    # The anchors, the kernels and the biases.
    self.assertLen(model.trainable_variables, 4)

  @parameterized.parameters(
      (dict(), 10.0, 5e-2),
      (dict(), 1e-6, 5e-4),
      (dict(max_step_size=0.5), 10.0, 0.5),
      (dict(clamp_step_size=False), 10.0, 10.0),
      (dict(), 0.0, 0.0),
      (dict(clamp_step_size=False), 0.0, 0.0),
      (dict(step_size='max_norm'), 0.0, 0.0),
  )
  def test_range_of_the_step_size(self, options, m, expected):
    model = keras_wrapper.binarize_updates(_dense_model(), **options)
    update = kernel_updates.updates(model)[0]
    update.anchor.assign(tf.zeros_like(update.anchor))
    update.kernel.assign(tf.fill(update.kernel.shape, m))
    kernel_updates.start_binarizing(model)
    self.assertAllClose(update.step_size(), expected, rtol=1e-5, atol=0.0)

  def test_rho_zero_keeps_the_step_size(self):
    model = _binarizing_model(keras_wrapper.binarize_updates, rho=0.0)
    update = kernel_updates.updates(model)[0]
    before = update.step_size().numpy()
    update.step_exponent.assign(1.0)
    self.assertEqual(update.step_size().numpy(), before)

  @parameterized.parameters(
      dict(rho=-1.0),
      dict(rho=float('nan')),
      dict(step_size='mean'),
      dict(min_step_size=0.0),
      dict(min_step_size=0.1),
      dict(max_step_size=float('inf')),
      dict(seed=-1),
  )
  def test_bad_option_raises_with_its_name(self, **options):
    (name,) = options
    with self.assertRaisesRegex(ValueError, name):
      keras_wrapper.binarize_updates(_dense_model(), **options)


class DrawTest(tf.test.TestCase, parameterized.TestCase):

  @_BOTH_ADAPTERS
  def test_layer_used_twice_has_one_draw_per_step(self, convert):
    x = _layers.Input((6,))
    shared = _layers.Dense(5)
    outputs = [shared(x), shared(x)]
    model = convert(tf.keras.Model(x, outputs))
    (update,) = kernel_updates.updates(model)
    update.kernel.assign_add(
        0.01 * tf.random.stateless_normal(update.kernel.shape, [0, 0])
    )
    kernel_updates.start_binarizing(model)

    @tf.function
    def step(features):
      with tf.GradientTape() as tape:
        first, second = model(features, training=True)
        loss = tf.reduce_sum(first + second)
      return first, second, tape.gradient(loss, update.kernel)

    seen = []
    for _ in range(3):
      first, second, _ = step(tf.ones([1, 6]))
      self.assertAllEqual(first, second)
      seen.append(tuple(first.numpy().ravel()))
    self.assertLen(set(seen), 3)
    self.assertEqual(update.draw.numpy(), 3)

  @_BOTH_ADAPTERS
  def test_evaluation_neither_varies_nor_moves_the_draw(self, convert):
    model = _binarizing_model(convert)
    features, _ = _dense_data()
    # In one batch: products of others are rounded otherwise on some machines.
    predict = lambda: model.predict(features, len(features), verbose=0)
    first = predict()
    self.assertAllEqual(first, predict())
    self.assertAllEqual(first, model(features, training=True))

  def test_seeds(self):
    def kernels(**kwargs):
      return _effective_kernels(
          _binarizing_model(keras_wrapper.binarize_updates, **kwargs)
      )

    self.assertAllEqual(kernels(seed=1)[0], kernels(seed=1)[0])
    self.assertNotAllEqual(kernels(seed=1)[0], kernels(seed=2)[0])

  def test_kernels_of_equal_shape_have_different_noise(self):
    x = _layers.Input((5, 6))
    y = _layers.LSTM(6, return_sequences=True)(x)
    y = _layers.LSTM(6)(y)
    model = keras_wrapper.binarize_updates(tf.keras.Model(x, y))
    patterns = set()
    for update in kernel_updates.updates(model):
      # An update of almost nothing but one entry: the signs are the noise's.
      update.anchor.assign(tf.zeros_like(update.anchor))
      update.kernel.assign(tf.eye(6, 24) * 1e-6)
      update.start_binarizing()
      patterns.add(tuple(np.sign(update.effective_kernel().numpy().ravel())))
    self.assertLen(patterns, 4)


class WarmUpTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      # Arguments, full-precision steps of the eight.
      (dict(), 4),
      (dict(warmup_ratio=0.3), 2),
      (dict(warmup_ratio=0.01), 1),
      (dict(warmup_ratio=0.0), 0),
      (dict(warmup_steps=3), 3),
      (dict(warmup_steps=0), 0),
      (dict(warmup_ratio=1.0), 8),
  )
  def test_number_of_steps(self, arguments, expected):
    model = keras_wrapper.binarize_updates(_dense_model())
    record = _RecordPhase()
    _fit(
        model,
        callbacks=[kernel_updates.WarmUp(**arguments), record],
    )
    self.assertEqual(record.phases, [i >= expected for i in range(8)])
    self.assertTrue(kernel_updates.updates(model)[0].is_binarizing())

  def test_resumed_training_counts_on(self):
    model = keras_wrapper.binarize_updates(_dense_model())
    _compile(model)
    record = _RecordPhase()
    for initial_epoch in (0, 1):
      model.fit(
          *_dense_data(),
          batch_size=16,
          epochs=4 if initial_epoch else 1,
          initial_epoch=initial_epoch,
          callbacks=[kernel_updates.WarmUp(warmup_steps=6), record],
          verbose=0,
      )
      if not initial_epoch:
        self.assertEqual(record.phases, [False] * 4)
    self.assertEqual(record.phases, [i >= 6 for i in range(16)])

  def test_bad_use_raises(self):
    with self.assertRaisesRegex(ValueError, 'warmup_ratio'):
      kernel_updates.WarmUp(warmup_ratio=1.5)
    with self.assertRaisesRegex(ValueError, 'warmup_steps'):
      kernel_updates.WarmUp(warmup_steps=-1)
    with self.assertRaisesRegex(ValueError, 'no binarized kernel'):
      _fit(_dense_model(), callbacks=[kernel_updates.WarmUp()])
    with self.assertRaisesRegex(ValueError, 'no binarized kernel'):
      kernel_updates.strip(_dense_model())

  def test_unknown_number_of_steps_raises(self):
    model = keras_wrapper.binarize_updates(_dense_model())
    _compile(model)
    dataset = tf.data.Dataset.from_tensor_slices(_dense_data()).batch(16)
    unknown = dataset.filter(lambda *batch: True)
    with self.assertRaisesRegex(ValueError, 'warmup_steps'):
      model.fit(unknown, callbacks=[kernel_updates.WarmUp()], verbose=0)


class StripTest(tf.test.TestCase):

  def test_tied_variable_raises_with_the_layers_name(self):
    def wrap(layer):
      return keras_wrapper.LearnableBinarizationWrapper(layer)

    embedding = _layers.Embedding(7, 3)
    x = _layers.Input((4,), dtype=tf.int32)
    y = wrap(_layers.Dense(3))(wrap(embedding)(x))
    model = tf.keras.Model(x, _lambda(y, embedding))
    with self.assertRaisesRegex(ValueError, "shared by 'culprit'"):
      kernel_updates.strip(model)

  def test_converted_model_in_a_model(self):
    inner = keras_wrapper.binarize_updates(_dense_model())
    model = tf.keras.Sequential([_layers.Input((6,)), inner, _layers.Dense(3)])
    _fit(model, callbacks=[kernel_updates.WarmUp()])
    stripped = kernel_updates.strip(model)
    self.assertEmpty(kernel_updates.updates(stripped))
    features, _ = _dense_data()
    self.assertAllClose(stripped(features), model(features))


if __name__ == '__main__':
  tf.test.main()
