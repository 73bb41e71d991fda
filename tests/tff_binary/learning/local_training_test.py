# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for local_training."""

import functools
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tests.tff_binary import tiny
from tff_binary import layers
from tff_binary import learning
from tff_binary.learning import keras_models
from tff_binary.learning import local_training
from tff_binary.ops import seeds

_Binarization = layers.LearnableBinarization


class _Recorder(layers.WeightLayer):
  """Sends what the loop told it: taus, calls, last phase; sums but for that.

  Attributes:
    seeds: The seeds of all calls and of the update, of all recorders.
  """

  needs_num_steps = True
  seeds = []

  def build(self, kernel_shape):
    self._counts = self.add_weight(
        'counts', (4,), tf.int32, initializer='zeros', trainable=False
    )
    super().build(kernel_shape)

  def start(self):
    self._counts.assign([0, 0, 0, 0])

  def advance(self, step, num_steps):
    taus, calls, _, total = tf.unstack(self._counts)
    self._counts.assign(
        tf.stack([taus + num_steps, calls, step, total + step])
    )

  def _record(self, seed):
    tf.py_function(lambda s: self.seeds.append(tuple(s.numpy())), [seed], [])

  def call(self, kernel, seed):
    self._record(seed)
    self._counts.assign_add([0, 1, 0, 0])
    return tf.identity(kernel)

  def update(self, kernel, seed):
    self._record(seed)
    return tf.pad(
        tf.cast(self._counts, tf.float32)[:, None],
        [[0, kernel.shape[0] - 4], [0, kernel.shape[1] - 1]],
    )


class BatchesTest(tf.test.TestCase):
  """What a client trains on."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls._batches = []
    # The first feature of an example is its index.
    record = lambda x: cls._batches.append(x[:, 0].numpy().astype(int).tolist())

    def preprocess(features):
      tf.py_function(record, [features], [])
      return features

    cls._client = tiny.EagerClient(
        build_weight_layer=_Recorder,
        local_epochs=2,
        batch_size=64,
        preprocess_fn=preprocess,
    )

  def _train(self, num_examples, client_id=0, round_num=0):
    """Returns the batches, the kernel's update, the weight and the metrics."""
    self._batches.clear()
    features, labels = tiny.arrays(num_examples)
    features[:, 0] = np.arange(num_examples)
    update, weight, metrics = self._client.train(
        learning.client_dataset(features, labels, client_id), round_num
    )
    return list(self._batches), update['trainable'][0], weight, metrics

  def test_every_epoch_visits_every_example_once(self):
    for n, sizes in [
        (0, []), (1, [1]), (63, [63]), (64, [64]), (65, [64, 1]),
    ]:  # pyformat: disable
      with self.subTest(num_examples=n):
        batches, _, weight, metrics = self._train(n)
        self.assertEqual([len(b) for b in batches], sizes * 2)
        for epoch in (batches[: len(sizes)], batches[len(sizes) :]):
          self.assertCountEqual(sum(epoch, []), range(n))
        self.assertEqual(weight, n)
        self.assertEqual(metrics['num_batches'], [len(batches)])
        self.assertEqual(metrics['num_examples'], [2 * n])

  def test_layers_are_told_the_exact_number_of_steps(self):
    for n, tau in [(1, 2), (63, 2), (64, 2), (65, 4), (129, 6)]:
      with self.subTest(num_examples=n):
        _, update, _, _ = self._train(n)
        # start(); advance(0, tau), ..., advance(tau - 1, tau), each with one
        # call; advance(tau, tau).
        expected = [tau * (tau + 1), tau, tau, sum(range(tau + 1))]
        self.assertAllEqual(update[:4, 0], expected)

  def test_every_draw_has_a_seed_of_its_own(self):
    # Two kernels, four steps and the update.
    seeds = []
    for kwargs in ({}, dict(client_id=1), dict(round_num=1)):
      _Recorder.seeds.clear()
      self._train(65, **kwargs)
      self.assertLen(_Recorder.seeds, 2 * (4 + 1))
      seeds += _Recorder.seeds
    self.assertLen(set(seeds), len(seeds))

  def test_order_depends_on_client_round_and_epoch_alone(self):
    # Two independent orders of 65 examples agree with probability 1 / 65!.
    batches, _, _, _ = self._train(65)
    self.assertNotEqual(batches[0] + batches[1], batches[2] + batches[3])
    self.assertEqual(self._train(65)[0], batches)
    self.assertNotEqual(self._train(65, client_id=1)[0], batches)
    self.assertNotEqual(self._train(65, round_num=1)[0], batches)


def _recorded(batches):
  """A function for `preprocess_fn` that appends every batch to `batches`."""

  def preprocess(features):
    tf.py_function(lambda x: batches.append(x.numpy()), [features], [])
    return features

  return preprocess


class AugmentationTest(tf.test.TestCase):

  def test_every_step_changes_its_batch_by_a_seed_of_its_own(self):
    drawn = []

    def augment(features, seed):
      tf.py_function(lambda s: drawn.append(tuple(s.numpy())), [seed], [])
      return features + seeds.uniform([tf.shape(features)[0], 1], seed)

    client, plain = (
        tiny.EagerClient(local_epochs=2, batch_size=4, augment_fn=augment_fn)
        for augment_fn in (augment, None)
    )
    update = client.kernel_updates(tiny.client(10))
    self.assertLen(set(drawn), 6)
    tf.nest.map_structure(
        self.assertAllEqual, update, client.kernel_updates(tiny.client(10))
    )
    self.assertEqual(drawn[6:], drawn[:6])
    self.assertNotAllClose(update[0], plain.kernel_updates(tiny.client(10))[0])


class FullPrecisionTest(tf.test.TestCase, parameterized.TestCase):
  """Without layers a client is plain training."""

  @parameterized.named_parameters(
      (
          'momentum',
          tff.learning.optimizers.build_sgdm(0.1, momentum=0.9),
          lambda: tf.keras.optimizers.SGD(0.1, momentum=0.9),
      ),
      (
          'adam',
          tff.learning.optimizers.build_adam(0.05),
          lambda: tf.keras.optimizers.Adam(0.05),
      ),
  )
  def test_equals_a_plain_keras_loop(self, optimizer, build_keras_optimizer):
    batches = []
    client = tiny.EagerClient(
        tiny.batch_norm_model,
        local_epochs=3,
        batch_size=4,
        optimizer=optimizer,
        preprocess_fn=_recorded(batches),
    )
    update, _, metrics = client.train(tiny.client(10))
    self.assertLen(batches, 9)

    model = tiny.batch_norm_model()
    keras_optimizer = build_keras_optimizer()
    loss_fn = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    losses = []
    for features in batches:
      labels = np.argmax(features[:, : tiny.NUM_CLASSES], 1)
      with tf.GradientTape() as tape:
        loss = loss_fn(labels, model(features, training=True))
      gradients = tape.gradient(loss, model.trainable_variables)
      keras_optimizer.apply_gradients(
          zip(gradients, model.trainable_variables)
      )
      losses.append(loss * len(features))
    for variables, initial, half in (
        (model.trainable_variables, client.weights.trainable, 'trainable'),
        (
            model.non_trainable_variables,
            client.weights.non_trainable,
            'non_trainable',
        ),
    ):
      self.assertAllClose(
          [v - w for v, w in zip(variables, initial)],
          update[half],
          rtol=1e-3,  # Adam divides by small second moments.
          atol=1e-5,
      )
    self.assertAllClose(metrics['loss'], [sum(losses), 30.0], rtol=1e-5)


class ProximalTermTest(tf.test.TestCase):

  def test_second_step_is_drawn_back_by_the_first(self):
    # Both begin with the same step, of all examples: the pull of the term is
    # then the update so far.
    build = lambda epochs, strength: tiny.EagerClient(
        local_epochs=epochs, batch_size=12, proximal_strength=strength
    ).train(tiny.client(12))[0]['trainable']
    one, free, held = build(1, 3.0), build(2, 0.0), build(2, 3.0)
    for u_1, u, v in zip(one, free, held):
      self.assertAllClose(v, u - 0.1 * 3.0 * u_1, atol=1e-6)

  def test_refuses(self):
    with self.assertRaisesRegex(
        ValueError, r'proximal_strength must be a number in .*, got -1'
    ):
      learning.LocalTraining(proximal_strength=-1)


class KeptOptimizerStateTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('momentum', tff.learning.optimizers.build_sgdm(0.1, momentum=0.9)),
      ('adam', tff.learning.optimizers.build_adam(0.1)),
  )
  def test_two_rounds_are_one_of_two_steps(self, optimizer):
    # One client, all of whose examples make a batch.
    def build(**kwargs):
      return learning.build_learning_process(
          learning.keras_model_fn(tiny.dense_model, tiny.element_spec()),
          element_spec=tiny.element_spec(),
          local_training=learning.LocalTraining(
              batch_size=12, optimizer=optimizer, **kwargs
          ),
      )

    client = [tiny.client(12)]
    process = build(local_epochs=2)
    expected = process.get_model_weights(
        process.next(process.initialize(), client).state
    )
    process = build(keep_optimizer_state=True)
    self.assertIsInstance(process, learning.StatefulLearningProcess)
    state, kept = process.initialize(), [process.initialize_client(0)]
    # Without a usable example the state stays.
    _, unchanged, _ = process.next(state, kept, [tiny.client(0)])
    tf.nest.map_structure(self.assertAllEqual, unchanged, kept)
    for _ in range(2):
      state, kept, _ = process.next(state, kept, client)
    weights = process.get_model_weights(state)
    for w, e in zip(weights.trainable, expected.trainable):
      self.assertAllClose(w, e, atol=1e-6)


  def _process(self, optimizer):
    return learning.build_learning_process(
        learning.keras_model_fn(tiny.dense_model, tiny.element_spec()),
        element_spec=tiny.element_spec(),
        local_training=learning.LocalTraining(
            batch_size=12, optimizer=optimizer, keep_optimizer_state=True
        ),
    )

  def test_learning_rate_is_that_of_the_process(self):
    build = lambda rate: self._process(
        tff.learning.optimizers.build_sgdm(rate, momentum=0.9)
    )
    client = [tiny.client(12)]
    slow, fast = build(0.1), build(0.2)
    state, kept, _ = slow.next(
        slow.initialize(), [slow.initialize_client(0)], client
    )
    before = slow.get_model_weights(state).trainable
    changes = []
    for process in (slow, fast):
      state_after, _, _ = process.next(state, kept, client)
      after = process.get_model_weights(state_after).trainable
      changes.append([w - v for w, v in zip(after, before)])
    for slow_change, fast_change in zip(*changes):
      self.assertAllClose(fast_change, 2.0 * slow_change, rtol=1e-4)

  def test_overflow_of_a_last_step_is_not_kept(self):
    process = self._process(tff.learning.optimizers.build_adam(0.1))
    features, labels = tiny.arrays(12)
    state, kept = process.initialize(), [process.initialize_client(0)]
    for scale in (1.0, 1e30, 1.0):
      data = [learning.client_dataset(np.float32(scale) * features, labels, 0)]
      state, kept, metrics = process.next(state, kept, data)
      for x in tf.nest.flatten(kept):
        self.assertAllEqual(np.isfinite(x), np.ones_like(x, bool))
    self.assertEqual(learning.round_metrics(metrics)['non_finite_clients'], 0)


class ReportedLossTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(None, _Binarization)
  def test_is_the_loss_before_training_and_changes_nothing_else(self, layer):
    client, plain = (
        tiny.EagerClient(
            tiny.batch_norm_model,
            build_weight_layer=layer,
            local_epochs=2,
            batch_size=4,
            reported_loss=reported_loss,
        )
        for reported_loss in ('received_loss', None)
    )
    model = tiny.batch_norm_model()
    loss_fn = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    features, labels = tiny.arrays(10)
    expected = sum(
        loss_fn(labels[i : i + 4], model(features[i : i + 4], training=True))
        * len(labels[i : i + 4])
        for i in (0, 4, 8)
    )
    update, weight, metrics = client.train(tiny.client(10))
    self.assertAllClose(update.pop('received_loss'), expected / 10, rtol=1e-5)
    tf.nest.map_structure(
        self.assertAllEqual,
        (update, weight, metrics),
        plain.train(tiny.client(10)),
    )

  def test_training_loss_is_that_of_the_metrics(self):
    client, plain = (
        tiny.EagerClient(
            local_epochs=2, batch_size=4, reported_loss=reported_loss
        )
        for reported_loss in ('training_loss', None)
    )
    update, weight, metrics = client.train(tiny.client(10))
    total, num_examples = metrics['loss']
    self.assertAllClose(
        update.pop('training_loss'), total / num_examples, rtol=1e-5
    )
    tf.nest.map_structure(
        self.assertAllEqual,
        (update, weight, metrics),
        plain.train(tiny.client(10)),
    )

  @parameterized.product(
      name=('received_loss', 'training_loss'), case=((0, 0), (8, 1))
  )
  def test_is_zero_for_a_client_that_cannot_be_used(self, name, case):
    n, num_nan = case
    client = tiny.EagerClient(reported_loss=name)
    update, weight, metrics = client.train(tiny.client(n, num_nan=num_nan))
    self.assertEqual(update[name], 0.0)
    self.assertEqual(weight, 0.0)
    self.assertEqual(metrics['non_finite_clients'], num_nan)


def _copies(num_examples):
  """A client with one and the same example, so that no order matters."""
  features, labels = tiny.arrays(1)
  return learning.client_dataset(
      np.repeat(features, num_examples, 0), np.repeat(labels, num_examples), 0
  )


class FedBATTest(tf.test.TestCase, parameterized.TestCase):

  def test_equals_algorithm_1_by_hand(self):
    # y = k1 k2 x + b with squared loss, x = 1. Both kernels grow at every step,
    # so |m| >= alpha and no entry is rounded at random.
    rho, learning_rate, target, k, b = 0.5, 0.01, 5.0, np.array([1.0, 2.0]), 0.0

    def build_model():
      dense = lambda value, **kwargs: tf.keras.layers.Dense(
          1, kernel_initializer=tf.constant_initializer(value), **kwargs
      )
      return tf.keras.Sequential(
          [tf.keras.Input((1,)), dense(k[0], use_bias=False), dense(k[1])]
      )

    spec = tiny.element_spec((1,))
    spec['labels'] = tf.TensorSpec((None, 1), tf.float32)
    client = tiny.EagerClient(
        build_model,
        spec,
        functools.partial(_Binarization, rho=rho, clamp_step_size=False),
        model_fn_kwargs=dict(
            loss_fn=tf.keras.losses.MeanSquaredError, metrics_fn=list
        ),
        local_epochs=5,
        optimizer=tff.learning.optimizers.build_sgdm(learning_rate),
    )
    update, _, _ = client.train(
        learning.client_dataset(
            np.ones([1, 1], np.float32), np.full([1, 1], target, np.float32), 0
        )
    )

    m, exponent, base = np.zeros(2), np.zeros(2), None
    for step in range(5):
      if step < 2:
        binarized = m
      else:
        if base is None:
          base = np.abs(m)
        alpha = base * np.exp(rho * exponent)
        self.assertAllGreaterEqual(m - alpha, 0.0)
        binarized = alpha
      effective = k + binarized
      error = 2.0 * (effective[0] * effective[1] + b - target)
      gradient = error * effective[::-1]
      b -= learning_rate * error
      if step < 2:
        m -= learning_rate * gradient
      else:
        inside = m <= alpha
        alpha_gradient = gradient * np.where(inside, 0.0, 1.0)
        m -= learning_rate * gradient * inside
        exponent -= learning_rate * alpha_gradient * rho * alpha
    alpha = base * np.exp(rho * exponent)
    self.assertAllGreater(m - alpha, 0.0)
    self.assertAllGreater(exponent, 0.0)
    self.assertAllClose(
        [np.ravel(u)[0] for u in update['trainable']], [*alpha, b], rtol=1e-5
    )

  @parameterized.parameters(
      # phi, [(tau, number of full-precision steps)].
      (0.5, [(1, 1), (2, 1), (5, 2), (7, 3)]),  # One step, though floor is 0.
      (0.58, [(10, 5), (50, 29)]),  # In float64 0.58 * 50 is below 29.
      (1.0, [(1, 1), (3, 3)]),
      (0.0, [(1, 0), (3, 0)]),  # alpha' is the floor of 1e-8.
  )
  def test_step_size_is_the_mean_update_of_the_warmup(self, ratio, cases):
    client = tiny.EagerClient(
        build_weight_layer=functools.partial(
            _Binarization, rho=0.0, warmup_ratio=ratio, clamp_step_size=False
        ),
        batch_size=1,
    )
    for tau, num_steps in cases:
      with self.subTest(tau=tau):
        updates = client.kernel_updates(_copies(tau))
        expected = _mean_update_of_plain_training(num_steps)
        for update, step_size in zip(updates, expected):
          self.assertTrue(tiny.is_on_grid(update))
          self.assertAllClose(
              np.abs(update).max(), max(step_size, 1e-8), rtol=1e-4, atol=0.0
          )

  def test_every_kernel_update_has_two_values(self):
    client = _fedbat_client()
    for n in (2, 5, 9):
      updates = client.kernel_updates(tiny.client(n))
      self.assertLen(updates, 2)
      for update in updates:
        self.assertLen(np.unique(update), 2)
        self.assertAllEqual(np.unique(update), -np.unique(update)[::-1])

  def test_empty_client_sends_zeros_with_weight_zero(self):
    update, weight, metrics = _fedbat_client().train(tiny.client(0))
    for u in update['trainable'] + update['non_trainable']:
      self.assertAllEqual(u, np.zeros_like(u))
    self.assertEqual(weight, 0.0)
    self.assertEqual(metrics['non_finite_clients'], 0)

  def test_any_optimizer_trains_and_stays_on_the_grid(self):
    client = tiny.EagerClient(
        build_weight_layer=_Binarization,
        optimizer=tff.learning.optimizers.build_adam(0.01),
        local_epochs=10,
    )
    features, labels = tiny.arrays(20)
    update, _, _ = client.train(learning.client_dataset(features, labels, 0))
    self.assertTrue(tiny.is_on_grid(update['trainable'][0]))
    model = tiny.dense_model()
    loss_fn = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    before = loss_fn(labels, model(features))
    model.set_weights(
        [w + u for w, u in zip(model.get_weights(), update['trainable'])]
    )
    self.assertLess(loss_fn(labels, model(features)), before)

  def test_draws_depend_on_seed_client_and_round_alone(self):
    # The data are one batch, of which the order of the examples matters only to
    # the last digits.
    element = tiny.client(4).get_single_element()

    def signs(client_id=0, round_num=0, seed=0):
      updates = _fedbat_client(seed).kernel_updates(
          learning.client_dataset(
              element['features'], element['labels'], client_id
          ),
          round_num,
      )
      return np.concatenate([np.ravel(u) > 0.0 for u in updates])

    self.assertAllEqual(signs(), signs())
    self.assertNotAllEqual(signs(client_id=1), signs())
    self.assertNotAllEqual(signs(round_num=1), signs())
    self.assertNotAllEqual(signs(seed=1), signs())

  def test_nan_is_caught_at_whatever_step_it_appears(self):
    # Four steps of one example each, the last two of them binarized: each of
    # the four positions of the NaN is another step's. With the step size held
    # by the clamp the NaN is in m alone, and the binarized update is finite.
    build_model = lambda: tf.keras.Sequential([
        tf.keras.Input((tiny.NUM_FEATURES,)),
        tf.keras.layers.Dense(tiny.NUM_CLASSES, use_bias=False),
    ])
    client = tiny.EagerClient(
        build_model,
        build_weight_layer=functools.partial(
            _Binarization, min_step_size=1.0, max_step_size=1.0
        ),
        batch_size=1,
    )
    features, labels = tiny.arrays(4)
    for position in range(4):
      broken = features.copy()
      broken[position, 2] = np.nan
      update, weight, metrics = client.train(
          learning.client_dataset(broken, labels, 0)
      )
      self.assertEqual(metrics['non_finite_clients'], 1)
      self.assertEqual(weight, 0.0)
      self.assertEqual(metrics['num_examples'], [0])
      self.assertAllEqual(
          update['trainable'], np.zeros_like(update['trainable'])
      )


def _mean_update_of_plain_training(num_steps):
  """Mean absolute change of the kernels after SGD on `_copies`."""
  model = tiny.dense_model()
  features, labels = tiny.arrays(1)
  loss_fn = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
  initial = model.get_weights()
  for _ in range(num_steps):
    with tf.GradientTape() as tape:
      loss = loss_fn(labels, model(features, training=True))
    for v, g in zip(
        model.trainable_variables,
        tape.gradient(loss, model.trainable_variables),
    ):
      v.assign_sub(0.1 * g)
  return [
      np.mean(np.abs(w - w0))
      for w, w0 in zip(model.get_weights(), initial)
      if w.ndim == 2
  ]


@functools.lru_cache(maxsize=None)
def _fedbat_client(seed=0):
  return tiny.EagerClient(
      tiny.batch_norm_model,
      build_weight_layer=_Binarization,
      seed=seed,
      local_epochs=2,
      batch_size=4,
  )


def _same(x):
  """Python control flow on a tensor, which needs AutoGraph in a graph."""
  if tf.reduce_any(tf.greater(tf.abs(x), 0.01)):
    x = x + 0.0
  return x


class _BranchingLayer(layers.WeightLayer):
  """Trains a kernel as without a layer, with branches in all methods."""

  def build(self, kernel_shape):
    self.trained = self.add_weight('trained', kernel_shape)
    super().build(kernel_shape)

  def receive(self, kernel, state, round_num, seed):
    self.trained.assign(_same(kernel))

  def start(self):
    self.trained.assign(_same(self.trained.read_value()))

  def advance(self, step, num_steps):
    self.trained.assign(_same(self.trained.read_value()))

  def call(self, kernel, seed):
    return _same(self.trained.read_value())

  def update(self, kernel, seed):
    return _same(self.trained - kernel)

  def measurements(self):
    return {'branches': tf.reduce_max(_same(self.trained.read_value()))}


class _BranchingOptimizer(tff.learning.optimizers.Optimizer):

  def __init__(self):
    self._optimizer = tff.learning.optimizers.build_sgdm(0.1)

  def initialize(self, specs):
    return self._optimizer.initialize(specs)

  def next(self, state, weights, gradients):
    first, *others = gradients
    return self._optimizer.next(state, weights, (_same(first), *others))


class PythonControlFlowTest(tf.test.TestCase):

  def test_users_may_write_it_in_models_layers_and_optimizers(self):
    of_keras = keras_models.KerasModel.forward_pass

    def forward_pass(self, batch_input, training=True):
      output = of_keras(self, batch_input, training)
      loss = _same(output.loss)
      return tff.learning.models.BatchOutput(
          loss, output.predictions, output.num_examples
      )

    plain = tiny.EagerClient()
    with mock.patch.object(
        keras_models.KerasModel, 'forward_pass', forward_pass
    ):
      branching = tiny.EagerClient(
          build_weight_layer=_BranchingLayer, optimizer=_BranchingOptimizer()
      )
    expected, _, _ = plain.train(tiny.client(20))
    update, weight, metrics = branching.train(tiny.client(20))
    self.assertEqual(weight, 20.0)
    self.assertIn('branches', metrics)
    self.assertAllClose(update['trainable'], expected['trainable'])


class ClientWorkTest(tf.test.TestCase):
  """The same function inside TFF."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    compressed = _fedbat_client().compressed
    cls._process = local_training.build_client_work(
        learning.keras_model_fn(tiny.batch_norm_model, tiny.element_spec()),
        tiny.element_spec(),
        lambda: [_Binarization() if c else None for c in compressed],
        learning.LocalTraining(local_epochs=2, batch_size=4),
        seed=0,
    )
    cls._clients = [
        tiny.client(5, client_id=3),
        tiny.client(0, client_id=1),
        tiny.client(7, client_id=2, num_nan=1),
        tiny.client(9, client_id=0),
    ]
    cls._round_num = 2
    cls._output = cls._run(cls._clients)

  @classmethod
  def _run(cls, clients):
    weights = _fedbat_client().weights
    return cls._process.next(cls._round_num, [weights] * len(clients), clients)

  def test_equals_the_eager_function(self):
    self.assertAllEqual(
        [r.update_weight for r in self._output.result], [5.0, 0.0, 0.0, 9.0]
    )
    for dataset, result in zip(self._clients, self._output.result):
      update, weight, _ = _fedbat_client().train(dataset, self._round_num)
      self.assertAllClose(result.update, update, rtol=1e-5, atol=1e-6)
      self.assertEqual(result.update_weight, weight)
      for x in result.update['trainable']:
        if x.ndim == 2:
          self.assertTrue(tiny.is_on_grid(x))

  def test_order_of_clients_does_not_matter(self):
    permuted = self._run(self._clients[::-1])
    for result, other in zip(self._output.result, permuted.result[::-1]):
      self.assertAllEqual(result.update_weight, other.update_weight)
      tf.nest.map_structure(self.assertAllEqual, result.update, other.update)
    self.assertAllClose(
        permuted.measurements['train'], self._output.measurements['train']
    )

  def test_metrics_leave_out_the_non_finite_client(self):
    train = self._output.measurements['train']
    self.assertEqual(train['num_examples'], 2 * (5 + 9))
    self.assertEqual(train['num_batches'], 2 * (2 + 3))
    self.assertEqual(train['non_finite_clients'], 1)
    self.assertTrue(np.isfinite(train['loss']))
    clamped = [
        _fedbat_client().train(self._clients[i], self._round_num)[2][
            'clamped_step_sizes'
        ]
        for i in (0, 3)
    ]
    total, count = np.sum(clamped, axis=0)
    self.assertAllClose(train['clamped_step_sizes'], total / count)

  def test_round_is_counted(self):
    self.assertEqual(self._process.initialize(), 0)
    self.assertEqual(self._output.state, self._round_num + 1)


class LocalTrainingTest(parameterized.TestCase):

  @parameterized.parameters(
      ('local_epochs', 0), ('batch_size', -1), ('batch_size', 1.5)
  )
  def test_refuses_numbers(self, name, value):
    with self.assertRaisesRegex(
        ValueError, f'{name} must be an integer >= 1, got {value}'
    ):
      learning.LocalTraining(**{name: value})

  def test_accepts_numpy_integers(self):
    self.assertEqual(
        learning.LocalTraining(batch_size=np.int64(8)).batch_size, 8
    )

  def test_refuses_keras_optimizer(self):
    with self.assertRaisesRegex(TypeError, 'optimizer must be a tff.learning'):
      learning.LocalTraining(optimizer=tf.keras.optimizers.SGD())


if __name__ == '__main__':
  tf.test.main()
