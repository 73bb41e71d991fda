# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for fedpm and regularized_fedpm."""

import functools
import tempfile
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tests.tff_binary import tiny
from tff_binary import algorithms
from tff_binary import learning
from tff_binary.ops import masks
from tff_binary.ops import seeds
from tff_binary.programs import training

_SEED = 3
_CLIENTS = [tiny.client(n, client_id=i) for i, n in enumerate((12, 5, 7))]
_NUM_ENTRIES = 30 + 15
_ADAM = tff.learning.optimizers.build_adam(0.1)


@functools.lru_cache(maxsize=None)
def _build(name='fedpm', build_model=tiny.batch_norm_model, epochs=2,
           downlink_bits=32, is_compressed=None, keep_optimizer_state=False,
           **kwargs):
  algorithm = algorithms.get(name)
  return algorithm.build(
      learning.keras_model_fn(build_model, tiny.element_spec()),
      element_spec=tiny.element_spec(),
      hyperparameters=algorithm.hyperparameters(**kwargs),
      local_training=learning.LocalTraining(
          local_epochs=epochs,
          batch_size=4,
          optimizer=_ADAM,
          keep_optimizer_state=keep_optimizer_state,
      ),
      downlink_bits=downlink_bits,
      is_compressed=is_compressed,
      seed=_SEED,
  )


def _kernels(weights):
  return [w for w in weights.trainable if w.ndim >= 2]


def _theta(state):
  return _kernels(state.global_model_weights)


def _frozen(shape, index, distribution='signed_kaiming'):
  return masks.frozen_weights_of_run(
      shape, distribution, _SEED, index
  ).numpy()


class FedPMTest(tf.test.TestCase, parameterized.TestCase):

  def test_server_starts_with_random_probabilities_of_the_seed(self):
    process = _build()
    theta = _theta(process.initialize())
    for first, again in zip(theta, _theta(process.initialize())):
      self.assertAllEqual(first, again)
    scores = np.concatenate([np.log(t / (1 - t)).ravel() for t in theta])
    # 45 standard normal numbers: 6 standard deviations of mean and deviation.
    self.assertLess(abs(np.mean(scores)), 6 / np.sqrt(_NUM_ENTRIES))
    self.assertAllClose(np.std(scores), 1.0, atol=6 / np.sqrt(90))

  def test_theta_is_the_mean_of_the_clients_masks(self):
    process = _build()
    state = process.initialize()
    alone = [_theta(process.next(state, [c]).state) for c in _CLIENTS]
    together = _theta(process.next(state, _CLIENTS).state)
    for i, mean in enumerate(together):
      sent = np.stack([theta[i] for theta in alone])
      self.assertAllInSet(sent, [0.0, 1.0])  # By itself a client's own mask.
      self.assertNotAllEqual(sent[0], sent[1])
      self.assertAllClose(mean, np.mean(sent, 0), atol=1e-6)

  def test_sends_probabilities_down_and_bits_up_and_no_weights(self):
    process = _build()
    output = process.next(process.initialize(), _CLIENTS)
    row = learning.round_metrics(output.metrics)
    # Masks of 30 and 15 bits in bytes; gamma, beta and two moving statistics of
    # 5 units, 3 biases and the client's weight for either half, in float32.
    self.assertEqual(row['uplink_bytes'], 3 * (4 + 2 + 4 * (4 * 5 + 3 + 2)))
    # Probabilities in the kernels' place, and the number of the round.
    self.assertEqual(
        row['downlink_bytes'], 3 * 4 * (_NUM_ENTRIES + 4 * 5 + 3 + 1)
    )

  def test_clients_compute_with_the_server_s_weights(self):
    # With certain probabilities and a cap beyond float32 every draw is the
    # same: what the client trains is what the server evaluates.
    process = _build(
        build_model=tiny.dense_model,
        epochs=1,
        mask_biases=True,
        max_logit=30.0,
    )
    state = process.initialize()
    random = np.random.RandomState(0)
    weights = tf.nest.map_structure(
        lambda w: random.randint(2, size=w.shape).astype(np.float32),
        state.global_model_weights,
    )
    state = process.set_model_weights(state, weights)
    features, labels = tiny.arrays(4)
    client = learning.client_dataset(features, labels, 0)  # One step.
    model = tiny.dense_model()
    process.get_model_weights(state).assign_weights_to(model)
    expected = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
        labels, model(features)
    )
    output = process.next(state, [client])
    row = learning.round_metrics(output.metrics)
    self.assertAllClose(row['train_loss'], expected, rtol=1e-5)
    for theta in output.state.global_model_weights.trainable:
      self.assertAllInSet(theta, [0.0, 1.0])

  @parameterized.parameters('sample', 'mean', 'threshold')
  def test_masks_to_evaluate_with(self, evaluation):
    hyperparameters = algorithms.FedPM(
        evaluation=evaluation, frozen_weights='kaiming_normal'
    )
    inference_kernel = hyperparameters.method(_SEED).inference_kernel
    theta = tf.constant([[0.0, 0.4, 0.5] * 20, [0.6, 0.9, 1.0] * 20])
    first, again, later = (
        inference_kernel(theta, index=1, round_num=r) for r in (0, 0, 1)
    )
    mask = np.round(first / _frozen(theta.shape, 1, 'kaiming_normal'), 5)
    self.assertAllEqual(first, again)
    self.assertEqual(np.array_equal(first, later), evaluation != 'sample')
    if evaluation == 'mean':
      self.assertAllClose(mask, theta, atol=1e-4)
    elif evaluation == 'threshold':
      self.assertAllEqual(mask > 0, theta >= 0.5)
    else:
      self.assertAllInSet(mask, [0.0, 1.0])
      self.assertAllEqual(mask[0, ::3], np.zeros([20]))
      self.assertAllEqual(mask[1, 2::3], np.ones([20]))

  def test_metrics_are_the_mean_over_several_masks(self):
    process = _build(evaluation_samples=4)
    self.assertIsInstance(process, learning.SampledLearningProcess)
    state = process.initialize()
    samples = list(learning.sampled_model_weights(process, state))
    kernels = [_kernels(weights)[0] for weights in samples]
    self.assertAllEqual(
        kernels[0], _kernels(process.get_model_weights(state))[0]
    )
    for i, kernel in enumerate(kernels):
      self.assertAllInSet(abs(kernel), [0.0, np.max(kernel)])
      for other in kernels[:i]:
        self.assertNotAllEqual(kernel, other)
    # Clients that keep a state change nothing.
    stateful = _build(evaluation_samples=4, keep_optimizer_state=True)
    self.assertIsInstance(stateful, learning.StatefulLearningProcess)
    tf.nest.map_structure(
        self.assertAllEqual,
        samples,
        list(
            learning.sampled_model_weights(stateful, stateful.initialize())
        ),
    )
    # One mask, unless it is drawn.
    for plain in (_build(), _build(evaluation='mean', evaluation_samples=4)):
      (weights,) = learning.sampled_model_weights(plain, plain.initialize())
      self.assertLen(weights.trainable, len(samples[0].trainable))

    drawn = []

    def spy(*args):
      drawn.extend(sampled_model_weights(*args))
      return drawn

    sampled_model_weights = learning.sampled_model_weights
    test = tiny.arrays(30, seed=99)
    with mock.patch.object(learning, 'sampled_model_weights', spy):
      result = training.train(
          tiny.dense_model,
          [tiny.arrays(n, seed=n) for n in (20, 9)],
          test=test,
          algorithm='fedpm',
          hyperparameters=dict(evaluation_samples=4),
          local_training=learning.LocalTraining(optimizer=_ADAM),
          rounds=1,
          progress=False,
      )
    self.assertLen(drawn, 4)
    accuracies = []
    for weights in drawn:
      weights.assign_weights_to(result.model)
      predictions = np.argmax(result.model.predict(test[0], verbose=0), 1)
      accuracies.append(np.mean(predictions == test[1]))
    self.assertAllClose(
        result.summary['last_test_accuracy'], np.mean(accuracies)
    )

  def test_is_evaluated_with_new_masks_of_frozen_weights_every_round(self):
    process = _build()
    state = process.initialize()
    later = process.next(state, _CLIENTS).state
    later = process.set_model_weights(later, state.global_model_weights)
    kernels = [_kernels(process.get_model_weights(s)) for s in (state, later)]
    for i, index in enumerate((0, 3)):
      frozen = _frozen(kernels[0][i].shape, index)
      for used in kernels:
        self.assertAllInSet(np.round(used[i] / frozen, 5), [0.0, 1.0])
      self.assertNotAllEqual(kernels[0][i], kernels[1][i])

  def test_a_packed_downlink_rounds_probabilities_and_examples_count(self):
    process = _build(downlink_bits=4, weighting='examples')
    state = process.initialize()
    outputs = [
        process.next(state, clients)
        for clients in (_CLIENTS[:1], _CLIENTS[1:2], _CLIENTS[:2])
    ]
    first, second, both = (_theta(output.state)[0] for output in outputs)
    self.assertAllClose(both, (12 * first + 5 * second) / 17, atol=1e-6)
    # Codes of 4 bits, with a float32 step size for each kernel.
    row = learning.round_metrics(outputs[-1].metrics)
    self.assertAllClose(
        row['downlink_bits_per_param'], 8 * (15 + 8 + 2 * 4) / _NUM_ENTRIES
    )

  def test_codes_change_bytes_and_nothing_else(self):
    clients = _CLIENTS + [tiny.client(5, 9, num_nan=5)]
    rows, weights = [], []
    for options in (
        {},
        {'mask_code': 'entropy'},
        {'mask_code': 'cross_entropy', 'downlink_code': 'lossless'},
    ):
      process = _build(**options)
      state = process.initialize()
      for _ in range(2):
        output = process.next(state, clients)
        state = output.state
      weights.append(state.global_model_weights)
      rows.append(learning.round_metrics(output.metrics))
    for others in weights[1:]:
      tf.nest.map_structure(self.assertAllEqual, weights[0], others)
    plain, entropy, known = (row['uplink_bytes'] for row in rows)
    # At most a checksum for each mask, and sizes.
    self.assertBetween(entropy - plain, 1, 4 * 2 * 4)
    # A client without a result sends no masks.
    self.assertLess(known, entropy + 4 * 2 * 4)
    plain, _, lossless = (row['downlink_bits_per_param'] for row in rows)
    self.assertEqual(plain, 32)
    # 4 values of 32 bits for each kernel, and 2 bits for each entry.
    self.assertLess(lossless, 2 * 4 * 32 / _NUM_ENTRIES + 2.4)

  def test_known_probabilities_are_not_rounded(self):
    with self.assertRaisesRegex(ValueError, 'bits=4 would round .* 32'):
      _build(mask_code='cross_entropy', downlink_bits=4)
    with self.assertRaisesRegex(ValueError, 'downlink_bits=4 .* of its own'):
      _build(downlink_code='lossless', downlink_bits=4)

  def test_an_unusable_round_changes_nothing(self):
    process = _build()
    state = process.initialize()
    output = process.next(state, [tiny.client(5, 1, num_nan=5)])
    tf.nest.map_structure(
        self.assertAllEqual,
        output.state.global_model_weights.trainable,
        state.global_model_weights.trainable,
    )

  def test_refuses_a_model_without_kernels(self):
    def build_model():
      return tf.keras.Sequential([
          tf.keras.Input((tiny.NUM_FEATURES,)),
          tf.keras.layers.LayerNormalization(),
      ])

    with self.assertRaisesRegex(
        ValueError, 'No trainable variable is compressed'
    ):
      algorithms.build_fedpm(
          learning.keras_model_fn(build_model, tiny.element_spec())
      )

  def test_a_run_starts_with_the_probabilities_of_its_process(self):
    model = learning.keras_model_fn(
        tiny.batch_norm_model, tiny.element_spec()
    )()
    first = training._first_weights(
        model, algorithms.FedPM().method(_SEED), None
    )
    expected = _build().initialize().global_model_weights
    for w, e in zip(first.trainable, expected.trainable):
      self.assertAllClose(w, e, rtol=1e-5)

  def test_a_resumed_run_equals_an_uninterrupted_one(self):
    def train(rounds, path):
      return training.train(
          tiny.dense_model,
          [tiny.arrays(n, seed=n) for n in (12, 5)],
          test=tiny.arrays(9),
          algorithm='fedpm',
          hyperparameters={'reset_every': 2},
          local_training=learning.LocalTraining(
              batch_size=8, optimizer=_ADAM
          ),
          rounds=rounds,
          output_dir=path,
      )

    path, other = (
        self.enter_context(tempfile.TemporaryDirectory()) for _ in range(2)
    )
    train(1, path)
    resumed, whole = train(2, path), train(2, other)
    self.assertEqual(
        resumed.summary['weights_sha256'], whole.summary['weights_sha256']
    )


class RegularizedFedPMTest(tf.test.TestCase, parameterized.TestCase):

  def test_without_weight_it_is_fedpm(self):
    process = _build('regularized_fedpm', entropy_weight=0.0)
    fedpm = _build()
    state = fedpm.initialize()
    tf.nest.map_structure(
        self.assertAllEqual,
        process.next(process.initialize(), _CLIENTS).state,
        fedpm.next(state, _CLIENTS).state,
    )

  @parameterized.parameters(
      ('probability', 'mask_density'), ('entropy', 'mask_entropy')
  )
  def test_weight_lowers_what_it_is_on(self, proxy, measured):
    measurements = []
    for process in (
        _build(),
        _build('regularized_fedpm', entropy_weight=1e6, entropy_proxy=proxy),
    ):
      output = process.next(process.initialize(), _CLIENTS)
      row = learning.round_metrics(output.metrics)
      measurements.append(row[f'train_{measured}'])
    self.assertLess(measurements[1], 0.9 * measurements[0])

  def test_refuses_a_weight_outside_its_range(self):
    with self.assertRaisesRegex(
        ValueError, r'entropy_weight must be a number in \[0, 1e\+06\], got -1'
    ):
      algorithms.RegularizedFedPM(entropy_weight=-1.0)


if __name__ == '__main__':
  tf.test.main()
