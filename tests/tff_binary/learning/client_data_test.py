# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for client_data: clients that are datasets of batches, as TFF's."""

import collections
import functools

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tests.tff_binary import tiny
from tff_binary import algorithms
from tff_binary import layers
from tff_binary import learning
from tff_binary import runtime
from tff_binary.learning import client_data
from tff_binary.learning import local_training

_INPUT_SPEC = (
    tf.TensorSpec([None, tiny.NUM_FEATURES], tf.float32),
    tf.TensorSpec([None], tf.int32),
)


def _model_fn(build_model=tiny.dense_model, input_spec=_INPUT_SPEC):
  return tff.learning.models.from_keras_model(
      build_model(),
      loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
      input_spec=input_spec,
      metrics=[tf.keras.metrics.SparseCategoricalAccuracy(name='accuracy')],
  )


def _batches(num_examples, seed=0, batch_size=4):
  return tf.data.Dataset.from_tensor_slices(
      tiny.arrays(num_examples, seed)
  ).batch(batch_size)


def _of_unknown_cardinality(dataset):
  return dataset.filter(lambda *unused_batch: True)


class _Probe(layers.WeightLayer):
  """Trains the kernel and reports the steps that it was told of."""

  needs_num_steps = True

  def build(self, kernel_shape):
    self.kernel = self.add_weight('kernel', kernel_shape)
    add = lambda name: self.add_weight(name, (), tf.int32, trainable=False)
    self.num_steps, self.last_step = add('num_steps'), add('last_step')
    super().build(kernel_shape)

  def receive(self, kernel, state, round_num, seed):
    self.kernel.assign(kernel)

  def advance(self, step, num_steps):
    self.num_steps.assign(num_steps)
    self.last_step.assign(step)

  def call(self, kernel, seed):
    return tf.identity(self.kernel)

  def update(self, kernel, seed):
    return self.kernel - kernel

  def measurements(self):
    return collections.OrderedDict(
        num_steps=tf.cast(self.num_steps, tf.float32),
        last_step=tf.cast(self.last_step, tf.float32),
    )


@functools.lru_cache(maxsize=None)
def _probing_client(**kwargs):
  """Returns a function from a dataset to a client's update and metrics."""
  model = _model_fn()
  weights = tff.learning.models.ModelWeights.from_model(model)
  weights = tf.nest.map_structure(lambda v: v.read_value(), weights)
  client_update = local_training.build_client_update(
      model,
      [_Probe() if v.shape.rank >= 2 else None
       for v in model.trainable_variables],
      learning.LocalTraining(**kwargs),
      seed=0,
  )

  def train(dataset):
    update, weight, metrics, _ = client_update(
        tf.constant(0), weights, dataset, ()
    )
    num_steps, last_step = (  # Both 0 of a client that has not trained.
        tf.math.divide_no_nan(*metrics[n]) for n in ('num_steps', 'last_step')
    )
    return update, weight.numpy(), int(num_steps), int(last_step)

  return train


class BatchedClientTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('known', lambda d: d),
      ('unknown', _of_unknown_cardinality),
      ('shuffled', lambda d: d.shuffle(10)),
  )
  def test_counts_steps_and_examples(self, change):
    for size, steps in ((9, 3), (8, 2), (1, 1), (0, 0)):
      _, weight, num_steps, last_step = _probing_client()(
          change(_batches(size))
      )
      self.assertEqual(weight, size)
      self.assertEqual(num_steps, steps)
      self.assertEqual(last_step, steps)  # After the last step.

  def test_goes_through_the_data_once_an_epoch(self):
    train = _probing_client(local_epochs=3)
    for dataset in (_batches(9), _of_unknown_cardinality(_batches(9))):
      update, weight, num_steps, _ = train(dataset)
      self.assertEqual(num_steps, 9)
      self.assertEqual(weight, 27)  # As TFF counts a repeated dataset.
      repeated, _, _, _ = _probing_client()(dataset.repeat(3))
      self.assertAllClose(update, repeated)

  def test_takes_so_many_steps_of_an_infinite_dataset(self):
    _, weight, num_steps, _ = _probing_client(num_steps=5)(_batches(9).repeat())
    self.assertEqual(num_steps, 5)
    self.assertEqual(weight, 4 + 4 + 1 + 4 + 4)

  @parameterized.parameters((8, 1, 2), (8, 2, 4), (8, 3, 5), (20, 1, 5))
  def test_knows_how_many_of_the_most_steps_there_are(
      self, num_examples, local_epochs, steps
  ):
    train = _probing_client(num_steps=5, local_epochs=local_epochs)
    dataset = _batches(num_examples)
    _, weight, *told = train(dataset)
    self.assertEqual((weight, told), (4 * steps, [steps, steps]))
    # Of a dataset that does not know its length it takes the most.
    _, weight, *told = train(_of_unknown_cardinality(dataset))
    self.assertEqual((weight, told), (4 * steps, [5, 5]))

  def test_infinite_dataset_is_an_error(self):
    with self.assertRaisesRegex(
        tf.errors.InvalidArgumentError, r'infinite.*num_steps='
    ):
      _probing_client()(_batches(9).repeat())

  @parameterized.parameters(
      ('batch_size', 4), ('preprocess_fn', tf.identity),
      ('augment_fn', lambda x, seed: x),
  )
  def test_refuses_what_is_the_datasets(self, name, value):
    with self.assertRaisesRegex(
        ValueError, f'{name}=.* is for clients that are stored'
    ):
      algorithms.build_fedbat(
          _model_fn, local_training=learning.LocalTraining(**{name: value})
      )

  def test_refuses_a_limit_of_stored_clients(self):
    with self.assertRaisesRegex(ValueError, 'num_steps=3 is for clients that'):
      algorithms.build_fedbat(
          _model_fn,
          element_spec=tiny.element_spec(),
          local_training=learning.LocalTraining(num_steps=3),
      )

  def test_draws_by_first_batch_round_and_seed(self):

    @tf.function(reduce_retracing=True)
    def seed(dataset, run_seed, round_num):
      client = client_data.read(dataset, learning.LocalTraining())
      return client.seed(run_seed, round_num)

    client = _batches(9, 1)
    first = seed(client, 1, 0)
    self.assertAllEqual(first, seed(client.take(2), 1, 0))
    for other in (
        seed(_batches(9, 2), 1, 0), seed(client, 2, 0), seed(client, 1, 1),
        seed(client.skip(1), 1, 0), seed(_batches(0), 1, 0),
    ):
      self.assertNotAllEqual(first, other)


class ProcessTest(tf.test.TestCase):

  def _trained(self, process, clients, num_rounds=1):
    state = process.initialize()
    for _ in range(num_rounds):
      output = process.next(state, clients)
      state = output.state
    return process.get_model_weights(state), output.metrics

  def test_fedavg_is_that_of_tff(self):
    clients = [_batches(9, 1), _batches(4, 2), _batches(0)]
    ours = algorithms.build_fedavg(_model_fn)
    stock = tff.learning.algorithms.build_weighted_fed_avg(
        _model_fn, tff.learning.optimizers.build_sgdm(0.1)
    )
    weights, metrics = self._trained(ours, clients, num_rounds=3)
    expected, stock_metrics = self._trained(stock, clients, num_rounds=3)
    self.assertAllClose(
        weights.trainable, expected.trainable, rtol=1e-5, atol=1e-6
    )
    train = metrics['client_work']['train']
    for name, value in stock_metrics['client_work']['train'].items():
      self.assertAllClose(train[name], value, rtol=1e-5)

  def test_keeps_weights_that_the_model_loads(self):
    def loading_model():
      model = tiny.dense_model()
      model.set_weights([np.full(w.shape, 0.25) for w in model.get_weights()])
      return model

    process = algorithms.build_fedbat(lambda: _model_fn(loading_model))
    weights = process.get_model_weights(process.initialize())
    for w in weights.trainable:
      self.assertAllEqual(w, np.full_like(w, 0.25))

  def test_refuses_a_model_fn_that_builds_no_new_model(self):
    first = []

    def first_again():
      if not first:
        first.append(_model_fn())
      return first[0]

    keras_model, model = tiny.dense_model(), _model_fn()
    for model_fn in (
        first_again, lambda: model, lambda: _model_fn(lambda: keras_model)
    ):
      with self.assertRaisesRegex(
          ValueError, 'must build a new model.*dense.*kernel:0 was there'
      ):
        algorithms.build_fedbat(model_fn)


def _emnist_model_fn():
  """The model of TFF's tutorial on federated image classification."""
  return tff.learning.models.from_keras_model(
      tf.keras.Sequential([
          tf.keras.layers.InputLayer(input_shape=(784,)),
          tf.keras.layers.Dense(10, kernel_initializer='zeros'),
          tf.keras.layers.Softmax(),
      ]),
      input_spec=collections.OrderedDict(
          x=tf.TensorSpec([None, 784], tf.float32),
          y=tf.TensorSpec([None, 1], tf.int32),
      ),
      loss=tf.keras.losses.SparseCategoricalCrossentropy(),
      metrics=[tf.keras.metrics.SparseCategoricalAccuracy()],
  )


def _emnist_clients():
  """That tutorial's preprocessing of EMNIST, on the synthetic clients."""
  emnist = tff.simulation.datasets.emnist.get_synthetic()

  def batch_format_fn(element):
    return collections.OrderedDict(
        x=tf.reshape(element['pixels'], [-1, 784]),
        y=tf.reshape(element['label'], [-1, 1]),
    )

  return [
      emnist.create_tf_dataset_for_client(client_id)
      .repeat(5)
      .shuffle(100, seed=1)
      .batch(20)
      .map(batch_format_fn)
      .prefetch(10)
      for client_id in emnist.client_ids
  ]


class DropInTest(tf.test.TestCase, parameterized.TestCase):
  """A TFF program in which one line was replaced."""

  @parameterized.parameters('local', 'device')
  def test_fedbat_learns_emnist(self, kind):
    training_process = algorithms.build_fedbat(
        _emnist_model_fn,
        local_training=learning.LocalTraining(
            optimizer=tff.learning.optimizers.build_sgdm(0.005)
        ),
    )
    train_state = training_process.initialize()
    losses = []
    with runtime.execution_context(runtime.Runtime(kind)):
      for _ in range(5):
        result = training_process.next(train_state, _emnist_clients())
        train_state = result.state
        losses.append(result.metrics['client_work']['train']['loss'])
    # 2.363 falls to 2.319; the data are noise.
    self.assertLess(losses[-1], losses[0] - 0.02)
    row = learning.round_metrics(result.metrics)
    # 7,840 signs and a step size.
    self.assertEqual(row['uplink_bits_per_param'], 1 + 32 / 7840)


if __name__ == '__main__':
  tf.test.main()
