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


_CHANNEL = dict(bits=6, blocks='channel')


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


_cached_build = functools.lru_cache(maxsize=None)(_build)


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


def _client(bits, build_weight_layer, **kwargs):
  """Returns a client that computes with activations of so many bits."""

  def build_model():
    model = tiny.dense_model()
    layers.quantize_activations(model, bits, (1, 2))
    return model

  return tiny.EagerClient(
      tiny.dense_model if bits is None else build_model,
      build_weight_layer=build_weight_layer,
      local_epochs=4,
      batch_size=4,
      **kwargs,
  )


def _kernels(client):
  """Returns the kernels of `LowPrecisionKernel`s after a client's round."""
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
    plain = _client(None, None)
    exact = [
        w + u
        for w, u, c in zip(
            plain.weights.trainable,
            plain.train(tiny.client(12))[0]['trainable'],
            plain.compressed,
        )
        if c
    ]
    initial = [w for w in plain.weights.trainable if w.ndim == 2]
    moved = _distance(exact, initial)
    fine, coarse = (
        _kernels(_client(b, lambda b=b: layers.LowPrecisionKernel(b, 'kernel')))
        for b in (16, 4)
    )
    # Steps of 16 bits are 4096 times finer than those of 4 bits.
    self.assertBetween(_distance(fine, exact), 1e-7, 1e-3 * moved)
    self.assertGreater(_distance(coarse, exact), 0.05 * moved)

  def test_both_ways_take_the_bits_and_the_exponents(self):
    process = _cached_build(**_CHANNEL)
    _, mean, row = _run(process, num_rounds=1)
    # 30 and 15 codes of 6 bits, 5 and 3 exponents.
    num_bytes = 23 + 5 + 12 + 3
    self.assertAllClose(row['uplink_bits_per_param'] * 45 / 8, num_bytes)
    self.assertAllClose(row['downlink_bits_per_param'] * 45 / 8, num_bytes)
    # 8 biases and the client's weight; 8 biases and the round's number.
    self.assertEqual(row['uplink_bytes'], 2 * (num_bytes + 4 * 9))
    self.assertEqual(row['downlink_bytes'], 2 * (num_bytes + 4 * 9))
    # The mean of two clients is in full precision, one client's is not.
    codec = wire.BlockFloatingPointCodec(**_CHANNEL)
    _, alone, _ = _run(process, num_rounds=1, sizes=(12,))
    for (kernel, *_), is_sent in ((mean, False), (alone, True)):
      payload = codec.encode(tf.constant(kernel), (1, 2))
      decoded = codec.decode(payload, tf.TensorSpec(kernel.shape))
      self.assertEqual(np.array_equal(decoded, kernel), is_sent)

  def test_a_downlink_in_full_is_for_the_user_to_choose(self):
    method = algorithms.LPT(low_precision_downlink=False).method()
    self.assertTrue(method.takes_downlink_bits)
    self.assertIsInstance(method.codec, wire.BlockFloatingPointCodec)

  def test_an_unusable_round_changes_nothing(self):
    process = _cached_build(**_CHANNEL)
    state = process.initialize()
    after = process.next(state, [tiny.client(5, num_nan=5)]).state
    tf.nest.map_structure(
        self.assertAllEqual,
        after.global_model_weights,
        state.global_model_weights,
    )

  def test_a_server_optimizer_on_top(self):
    # After the first round the average has a share of 0.1 of FedAdam's steps.
    options = dict(average_start='initial_weights', **_CHANNEL)
    process = _build(server_optimizer=_optimizers.build_adam(0.05), **options)
    before, after, row = _run(process, num_rounds=1)
    self.assertTrue(np.isfinite(row['train_loss']))
    steps = np.concatenate([(w - v).ravel() for w, v in zip(after, before)])
    # Adam's first step is its learning rate in every entry.
    self.assertAllClose(np.abs(steps), np.full_like(steps, 0.005), rtol=0.05)

  def test_fedprox_keeps_clients_closer(self):
    build_layer = lambda: layers.LowPrecisionKernel(8, 'kernel')
    free = _client(8, build_layer)
    held = _client(8, build_layer, proximal_strength=2.0)
    initial = [w for w in free.weights.trainable if w.ndim == 2]
    self.assertLess(
        _distance(_kernels(held), initial),
        0.8 * _distance(_kernels(free), initial),
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
