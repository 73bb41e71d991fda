# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests that the parts of this package and those of TFF fit together."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tests.tff_binary import tiny
from tff_binary import aggregators
from tff_binary import algorithms
from tff_binary import learning
from tff_binary import wire

_MODEL_FN = learning.keras_model_fn(tiny.dense_model, tiny.element_spec())
_CLIPPING_NORM = 0.01


def _clipping(factory):
  return tff.aggregators.clipping_factory(_CLIPPING_NORM, factory)


def _zeroing(factory):
  return tff.aggregators.zeroing_factory(10.0, factory)


def _stock_fed_avg(model_aggregator):
  return tff.learning.algorithms.build_weighted_fed_avg(
      _MODEL_FN,
      client_optimizer_fn=tff.learning.optimizers.build_sgdm(0.1),
      server_optimizer_fn=tff.learning.optimizers.build_sgdm(1.0),
      model_aggregator=model_aggregator,
  )


def _stock_clients():
  """Batches of features and labels, as stock client work takes them."""
  return [
      tf.data.Dataset.from_tensor_slices(tiny.arrays(n, seed=n)).batch(4)
      for n in (8, 12)
  ]


def _trainable(process, state):
  return process.get_model_weights(state).trainable


class StockFedAvgTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('signs', wire.SignCodec()),
      ('signs_in_clipping', wire.SignCodec(), _clipping),
      ('signs_in_zeroing', wire.SignCodec(), _zeroing),
      (
          'signs_in_zeroing_and_clipping',
          wire.SignCodec(),
          lambda factory: _zeroing(_clipping(factory)),
      ),
      ('fixed_signs', wire.SignCodec(0.02)),
      ('noisy_signs', wire.NoisySignCodec(0.02, 0.02)),
      ('stochastic_signs', wire.StochasticSignCodec(0.02)),
      ('four_bits', wire.QuantizedCodec(4)),
      ('qsgd', wire.QuantizedCodec(4, 'qsgd')),
      ('range', wire.RangeCodec(0.005)),
  )
  def test_lossy_codec_trains(self, codec, wrap=lambda factory: factory):
    process = _stock_fed_avg(wrap(aggregators.PackedMeanFactory(codec)))
    state, losses = process.initialize(), []
    for _ in range(10):
      output = process.next(state, _stock_clients())
      state = output.state
      losses.append(output.metrics['client_work']['train']['loss'])
    self.assertLess(losses[-1], losses[0])

  def test_binary_codec_refuses_stock_updates(self):
    process = _stock_fed_avg(aggregators.PackedMeanFactory(wire.BinaryCodec()))
    with self.assertRaisesRegex(
        Exception,
        r'Tensor \[0\] of shape \(6, 5\) has entries that BinaryCodec cannot',
    ):
      process.next(process.initialize(), _stock_clients())

  def test_binary_codec_drops_stock_updates(self):
    process = _stock_fed_avg(
        aggregators.PackedMeanFactory(wire.BinaryCodec(), on_off_grid='drop')
    )
    state = process.initialize()
    output = process.next(state, _stock_clients())
    self.assertAllEqual(output.metrics['aggregator']['num_dropped_clients'], 2)
    for after, before in zip(
        _trainable(process, output.state), _trainable(process, state)
    ):
      self.assertAllEqual(after, before)


  def test_levels_grow_as_the_loss_falls(self):
    factory = aggregators.AdaptiveMeanFactory(
        wire.QSGDCodec(), aggregators.LossRatio(2)
    )
    process = _stock_fed_avg(_zeroing(factory))
    state, losses, levels = process.initialize(), [], []
    for _ in range(10):
      output = process.next(state, _stock_clients())
      losses.append(output.metrics['client_work']['train']['loss'])
      levels.append(output.metrics['aggregator']['zeroing']['levels'])
      state = factory.with_loss(output.state, losses[-1])
    # The levels of a round come from the loss of the one before.
    self.assertEqual(
        levels[1:], [np.ceil(2 * np.sqrt(losses[0] / l)) for l in losses[:-1]]
    )
    self.assertEqual(levels[0], 2)
    self.assertGreater(levels[-1], 2)


class FedBATTest(tf.test.TestCase):

  def test_updates_stay_on_the_grid_in_zeroing_and_clipping(self):
    # Off the grid, BinaryCodec would fail the round.
    process = algorithms.build_fedbat(
        _MODEL_FN,
        element_spec=tiny.element_spec(),
        local_training=learning.LocalTraining(local_epochs=5, batch_size=4),
        wrap_aggregator=lambda factory: _zeroing(_clipping(factory)),
    )
    state = process.initialize()
    output = process.next(state, [tiny.client(8)])
    update = [
        after - before
        for after, before in zip(
            _trainable(process, output.state), _trainable(process, state)
        )
    ]
    self.assertAllClose(
        np.sqrt(sum(np.sum(u**2) for u in update)), _CLIPPING_NORM, rtol=1e-3
    )
    for u in update:
      if u.ndim == 2:
        # The sum with the old weights is rounded.
        self.assertAllClose(
            np.abs(u), np.full(u.shape, np.abs(u).max()), atol=1e-7
        )
    self.assertEqual(
        learning.round_metrics(output.metrics)['uplink_bits_per_param'],
        8 * (4 + 2 + 2 * 4) / 45,
    )


if __name__ == '__main__':
  tf.test.main()
