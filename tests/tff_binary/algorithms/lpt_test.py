# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for lpt."""

import functools

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tests.tff_binary import tiny
from tff_binary import algorithms
from tff_binary import layers
from tff_binary import learning
from tff_binary import wire

_optimizers = tff.learning.optimizers


def _build(name='lpt', build_model=tiny.dense_model, server_optimizer=None,
           local_bits=32, **kwargs):
  algorithm = algorithms.get(name)
  return algorithm.build(
      learning.keras_model_fn(build_model, tiny.element_spec()),
      element_spec=tiny.element_spec(),
      hyperparameters=algorithm.hyperparameters(**kwargs),
      local_training=learning.LocalTraining(local_epochs=4, batch_size=4),
      server_optimizer=server_optimizer,
      local_bits=local_bits,
  )


@functools.lru_cache(maxsize=None)
def _build_with_fedadam():
  """Returns LPT with a server optimizer on top."""
  return _build(
      bits=6,
      blocks='channel',
      average_start='initial_weights',
      server_optimizer=_optimizers.build_adam(0.05),
  )


def _run(process, num_rounds=2, sizes=(12, 5)):
  """Returns the server's weights before and after some rounds, and metrics."""
  state = process.initialize()
  before = state.global_model_weights.trainable
  data = [tiny.client(size, i) for i, size in enumerate(sizes)]
  for _ in range(num_rounds):
    state, metrics = process.next(state, data)
  return before, state.global_model_weights.trainable, (
      learning.round_metrics(metrics)
  )


def _distance(weights, others):
  return np.sqrt(sum(np.sum((w - v) ** 2) for w, v in zip(weights, others)))


@functools.lru_cache(maxsize=None)
def _low_precision_client(bits, **kwargs):
  """Returns a client of LPT without the bytes."""

  def build_model():
    model = tiny.dense_model()
    layers.quantize_activations(model, bits, (1, 2))
    return model

  return tiny.EagerClient(
      build_model,
      build_weight_layer=lambda: layers.LowPrecisionKernel(bits, 'kernel'),
      local_epochs=4,
      batch_size=4,
      **kwargs,
  )


def _trained_kernels(bits, **kwargs):
  client = _low_precision_client(bits, **kwargs)
  return client.kernel_updates(tiny.client(12))


class LPTTest(tf.test.TestCase):

  def test_without_rounding_only_the_average_is_not_fedavgs(self):
    method, fedavg = algorithms.LPT(bits=32).method(), learning.Method()
    for name in (
        'build_weight_layer', 'prepare_model', 'build_distributor',
        'inference_kernel', 'weighting',
    ):  # pyformat: disable
      self.assertEqual(getattr(method, name), getattr(fedavg, name))
    self.assertIsInstance(method.codec, wire.Float32Codec)

  def test_the_average_is_a_server_learning_rate(self):
    _, expected, _ = _run(
        _build('fedavg', server_optimizer=_optimizers.build_sgdm(0.1))
    )
    _, actual, _ = _run(
        _build(bits=32, moving_average=0.9, average_start='initial_weights')
    )
    for a, e in zip(actual, expected):
      self.assertAllClose(a, e, rtol=1e-5, atol=1e-7)

  def test_with_16_bits_training_is_close_to_float32(self):
    plain = tiny.EagerClient(local_epochs=4, batch_size=4)
    update, _, _ = plain.train(tiny.client(12))
    pairs = zip(plain.weights.trainable, update['trainable'])
    initial, exact = zip(*((w, w + u) for w, u in pairs if w.ndim == 2))
    moved = _distance(exact, initial)
    # Steps of 16 bits are 4096 times finer than those of 4 bits.
    fine = _distance(_trained_kernels(16), exact)
    self.assertBetween(fine, 1e-7, 1e-3 * moved)
    self.assertGreater(_distance(_trained_kernels(4), exact), 0.05 * moved)

  def test_both_ways_take_the_bits_and_the_exponents(self):
    _, _, row = _run(_build_with_fedadam(), num_rounds=1)
    # 30 and 15 codes of 6 bits, 5 and 3 exponents.
    num_bytes = 23 + 5 + 12 + 3
    self.assertAllClose(row['uplink_bits_per_param'] * 45 / 8, num_bytes)
    self.assertAllClose(row['downlink_bits_per_param'] * 45 / 8, num_bytes)
    # 8 biases and the client's weight; 8 biases and the round's number.
    self.assertEqual(row['uplink_bytes'], 2 * (num_bytes + 4 * 9))
    self.assertEqual(row['downlink_bytes'], 2 * (num_bytes + 4 * 9))

  def test_a_downlink_in_full_is_for_the_user_to_choose(self):
    method = algorithms.LPT(low_precision_downlink=False).method()
    self.assertTrue(method.takes_downlink_bits)
    self.assertIsInstance(method.codec, wire.BlockFloatingPointCodec)

  def test_an_unusable_round_changes_nothing(self):
    process = _build_with_fedadam()
    state = process.initialize()
    after = process.next(state, [tiny.client(5, num_nan=5)]).state
    tf.nest.map_structure(
        self.assertAllEqual,
        after.global_model_weights,
        state.global_model_weights,
    )

  def test_a_server_optimizer_on_top(self):
    before, after, row = _run(_build_with_fedadam(), num_rounds=1)
    self.assertTrue(np.isfinite(row['train_loss']))
    steps = np.concatenate([(w - v).ravel() for w, v in zip(after, before)])
    # Adam's first step is its learning rate in every entry; the average goes a
    # tenth of it.
    self.assertAllClose(np.abs(steps), np.full_like(steps, 0.005), rtol=0.05)

  def test_fedprox_keeps_clients_closer(self):
    initial = [
        w for w in _low_precision_client(4).weights.trainable if w.ndim == 2
    ]
    self.assertLess(
        _distance(_trained_kernels(4, proximal_strength=2.0), initial),
        0.8 * _distance(_trained_kernels(4), initial),
    )

  def test_low_precision_under_fedbats_uplink(self):
    before, after, row = _run(
        _build('fedbat', local_bits=4), num_rounds=1, sizes=(12,)
    )
    # 30 and 15 bits, two step sizes; 8 biases and the client's weight.
    self.assertEqual(row['uplink_bytes'], 4 + 2 + 4 * 2 + 4 * 9)
    self.assertEqual(row['downlink_bits_per_param'], 32)
    for w, v in zip(after, before):
      if w.ndim == 2:
        # Alone, a client's update is the server's; the sum is rounded.
        self.assertAllClose(
            np.abs(w - v), np.full(w.shape, np.abs(w - v).max()), atol=1e-6
        )

  def test_names_a_layer_that_it_cannot_reach(self):
    def build_model():
      return tf.keras.Sequential([
          tf.keras.Input((tiny.NUM_FEATURES,)),
          tf.keras.layers.Reshape((2, 3)),
          tf.keras.layers.GRU(tiny.NUM_CLASSES, name='recurrent'),
      ])

    with self.assertRaisesRegex(ValueError, 'Layer .* of type GRUCell .*reach'):
      _build(build_model=build_model)


if __name__ == '__main__':
  tf.test.main()
