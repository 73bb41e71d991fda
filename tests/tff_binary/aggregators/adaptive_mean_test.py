# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for adaptive_mean and loss_feedback."""

import collections
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import aggregators
from tff_binary import wire

_FLOAT = tff.TensorType(np.float32)
_TYPE = tff.to_type([
    tff.TensorType(np.float32, [4, 25]),
    tff.TensorType(np.float32, [3]),
    tff.TensorType(np.float32, [2, 10]),
])
_HEADER = 2 + 4  # The levels and the norm.
_BIASES_AND_WEIGHT = 3 * 4 + 4


def _updates(num_clients):
  random = np.random.RandomState(1)
  return [
      [random.randn(*t.shape).astype(np.float32) for t in _TYPE]
      for _ in range(num_clients)
  ]


def _mean(updates, weights):
  return [
      sum(w * x for w, x in zip(weights, tensors)) / sum(weights)
      for tensors in zip(*updates)
  ]


class AdaptiveMeanFactoryTest(tf.test.TestCase, parameterized.TestCase):

  def test_levels_follow_the_loss_and_are_counted(self):
    factory = aggregators.AdaptiveMeanFactory(
        wire.QSGDCodec(norm='max'), aggregators.LossRatio(1, 1000)
    )
    process = factory.create(_TYPE, _FLOAT)
    updates, weights = _updates(2), [1.0, 3.0]
    state = process.initialize()
    # F(w_0) / F(w_t) = 1, 49, 10^6: 1, 7 and 1000 levels, 2, 4 and 11 bits.
    for loss, levels, bits in ((49.0, 1, 2), (1.0, 7, 4), (49e-6, 1000, 11)):
      state = factory.with_loss(state, loss)
      output = process.next(state, updates, weights)
      state, measurements = output.state, output.measurements
      self.assertEqual(measurements['levels'], levels)
      self.assertEqual(measurements['downlink_bytes_per_client'], 4)
      packed = 2 * _HEADER + (100 * bits + 7) // 8 + (20 * bits + 7) // 8
      self.assertEqual(measurements['compressed_uplink_bytes'], 2 * packed)
      self.assertEqual(
          measurements['uplink_bytes'], 2 * (packed + _BIASES_AND_WEIGHT)
      )
    # An entry is off by less than a level of the largest one, below 4 here.
    self.assertAllClose(
        output.result, _mean(updates, weights), atol=4 / 1000, rtol=0
    )

  def test_clients_of_one_round_send_different_lengths(self):
    # The same levels as by hand in the test of level_schedules: 2, 10, 2.
    factory = aggregators.AdaptiveMeanFactory(
        wire.QSGDCodec(norm='max'),
        aggregators.Plateau(8, 8),
        by_weight=True,
        phases=2,
    )
    process = factory.create(_TYPE, _FLOAT)
    output = process.next(process.initialize(), _updates(3), [10.0, 80.0, 10.0])
    measurements = output.measurements
    # 3, 5 and 3 bits an entry.
    packed = [2 * _HEADER + n for n in (38 + 8, 63 + 13, 38 + 8)]
    self.assertEqual(measurements['compressed_uplink_bytes'], sum(packed))
    self.assertEqual(
        measurements['uplink_bytes'], sum(packed) + 3 * _BIASES_AND_WEIGHT
    )
    # One float32 each way before.
    self.assertEqual(measurements['weights']['uplink_bytes'], 3 * 4)
    self.assertEqual(measurements['downlink_bytes_per_client'], 4)
    self.assertEqual(measurements['levels'], 8)
    self.assertAllEqual(
        np.shape(output.result[0]), [4, 25]
    )

  def test_in_one_phase_weights_count_from_the_next_round_on(self):
    factory = aggregators.AdaptiveMeanFactory(
        wire.QSGDCodec(norm='max'), aggregators.Plateau(8, 8), by_weight=True
    )
    process = factory.create(_TYPE, _FLOAT)
    state = process.initialize()
    # 8 levels for all, of 5 bits, before any weight is known; then the weights'
    # 2, 10 and 2, for other clients as well. Those without weight change nothing
    # and use the fewest levels.
    for weights, bits in (
        ((10.0, 80.0, 10.0), (5, 5, 5)),
        ((0.0, 0.0), (2, 2)),
        ((10.0, 80.0, 10.0), (3, 5, 3)),
    ):
      output = process.next(state, _updates(len(weights)), list(weights))
      state, measurements = output.state, output.measurements
      packed = sum(2 * _HEADER + -(-100 * b // 8) + -(-20 * b // 8) for b in bits)
      self.assertEqual(measurements['compressed_uplink_bytes'], packed)
      self.assertEqual(
          measurements['weights']['uplink_bytes'], 4 * len(weights)
      )
      # The levels and the scale.
      self.assertEqual(measurements['downlink_bytes_per_client'], 8)
      self.assertEqual(measurements['levels'], 8)

  @parameterized.parameters('fixed', 'elias')
  def test_joint_codec_sends_one_vector(self, coding):
    codec = wire.QSGDCodec(norm='l2', coding=coding, is_joint=True)
    factory = aggregators.AdaptiveMeanFactory(codec, aggregators.Plateau(5, 5))
    process = factory.create(_TYPE, _FLOAT)
    updates = _updates(1)
    output = process.next(process.initialize(), updates, [2.0])
    kernels = np.concatenate([updates[0][0].ravel(), updates[0][2].ravel()])
    step = np.linalg.norm(kernels) / 5
    for i in (0, 2):
      multiples = output.result[i] / step
      self.assertAllClose(multiples, np.round(multiples), atol=1e-4)
      self.assertAllLess(np.abs(output.result[i] - updates[0][i]), step)
    self.assertAllEqual(output.result[1], updates[0][1])
    self.assertEqual(output.measurements['num_compressed_params'], 120)
    # A client that is not finite changes nothing but its count.
    bad = _updates(1)[0]
    bad[2][1, 3] = np.nan
    again = process.next(process.initialize(), updates + [bad], [2.0, 9.0])
    for x, y in zip(again.result, output.result):
      self.assertAllEqual(x, y)
    self.assertEqual(again.measurements['num_non_finite_clients'], 1)
    if coding == 'fixed':
      self.assertEqual(
          output.measurements['compressed_uplink_bytes'], _HEADER + 120 * 4 / 8
      )

  def test_other_tensors_have_a_codec_of_their_own(self):
    codec, updates = wire.QSGDCodec(coding='fixed'), _updates(2)
    processes = [
        aggregators.AdaptiveMeanFactory(
            codec, aggregators.Plateau(5, 5), **choice
        ).create(_TYPE, _FLOAT)
        for choice in ({}, {'other_codec': wire.MinifloatCodec(16)})
    ]
    expected, output = (
        p.next(p.initialize(), updates, [2.0, 1.0]) for p in processes
    )
    self.assertNotAllEqual(output.result[1], expected.result[1])
    self.assertAllClose(output.result[1], expected.result[1], rtol=1e-2)
    self.assertEqual(
        expected.measurements['uplink_bytes']
        - output.measurements['uplink_bytes'],
        2 * (2 * updates[0][1].size - 4),
    )

  def test_finds_its_state_in_wrapping_factories(self):
    factory = aggregators.AdaptiveMeanFactory(
        wire.QSGDCodec(), aggregators.LossRatio(2)
    )
    process = tff.aggregators.zeroing_factory(
        10.0, tff.aggregators.clipping_factory(1.0, factory)
    ).create(_TYPE, _FLOAT)
    state = process.initialize()
    for loss in (1.0, 0.25):
      state = factory.with_loss(state, loss)
    output = process.next(state, _updates(2), [1.0, 1.0])
    self.assertEqual(
        output.measurements['zeroing']['clipping']['levels'], 4
    )

  def test_refuses(self):
    with self.assertRaisesRegex(TypeError, 'other_codec must be a Codec'):
      aggregators.AdaptiveMeanFactory(
          wire.QSGDCodec(), aggregators.LossRatio(), other_codec=8
      )
    with self.assertRaisesRegex(TypeError, 'QSGDCodec takes .* got <'):
      aggregators.AdaptiveMeanFactory(
          wire.SignCodec(), aggregators.LossRatio()
      )
    # As a schedule of somebody else may have it.
    schedule = mock.Mock(max_levels=40_000)
    with self.assertRaisesRegex(ValueError, 'at most 32767, got 40000'):
      aggregators.AdaptiveMeanFactory(wire.QSGDCodec(), schedule)
    with self.assertRaisesRegex(ValueError, 'phases must be 1 or 2, got 3'):
      aggregators.AdaptiveMeanFactory(
          wire.QSGDCodec(), aggregators.LossRatio(), phases=3
      )
    factory = aggregators.AdaptiveMeanFactory(
        wire.QSGDCodec(), aggregators.LossRatio()
    )
    with self.assertRaisesRegex(ValueError, 'phases must be 1 or 2, got 0'):
      aggregators.LossFeedbackFactory(factory, factory.with_loss, phases=0)
    with self.assertRaisesRegex(ValueError, 'AdaptiveMeanFactory, got'):
      factory.with_loss(collections.OrderedDict(clipping_norm=1.0), 2.0)


class LossFeedbackFactoryTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('of_the_next_round', 1, 'loss', (2, 2, 4, 8)),
      ('of_its_own_round', 2, 'received_loss', (2, 4, 8, 8)),
  )
  def test_a_loss_decides_on_the_levels(self, phases, loss_name, levels):
    mean = aggregators.AdaptiveMeanFactory(
        wire.QSGDCodec(), aggregators.LossRatio(2)
    )
    non_trainable = aggregators.PackedMeanFactory(wire.Float32Codec())
    factory = aggregators.LossFeedbackFactory(
        aggregators.ModelUpdateFactory(mean, non_trainable),
        mean.with_loss,
        loss_name,
        phases,
    )
    update_type = collections.OrderedDict(
        [('trainable', _TYPE), ('non_trainable', []), (loss_name, np.float32)]
    )
    process = factory.create(tff.to_type(update_type), _FLOAT)
    result_type = process.next.type_signature.result.result.member
    self.assertEqual(
        result_type,
        tff.to_type(collections.OrderedDict(trainable=_TYPE, non_trainable=[])),
    )

    def clients(*losses):
      return [
          collections.OrderedDict([
              ('trainable', update),
              ('non_trainable', []),
              (loss_name, np.float32(loss)),
          ])
          for update, loss in zip(_updates(len(losses)), losses)
      ]

    state = process.initialize()
    nan = np.nan
    rounds = (
        ([8.0, 16.0], [1.0, 3.0], 14.0),
        ([2.0, 4.0], [1.0, 3.0], 3.5),
        # Clients that cannot be used have weight 0.
        ([nan, 0.875], [0.0, 1.0], 0.875),
        ([0.0, 0.0], [0.0, 0.0], nan),
    )
    for (losses, weights, mean_loss), n in zip(rounds, levels):
      output = process.next(state, clients(*losses), weights)
      state, measurements = output.state, output.measurements
      self.assertAllEqual(measurements[loss_name], np.float32(mean_loss))
      self.assertEqual(measurements['uplink_bytes'], 2 * (4 + 4))
      self.assertEqual(measurements['update']['trainable']['levels'], n)


if __name__ == '__main__':
  tf.test.main()
