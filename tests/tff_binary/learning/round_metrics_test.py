# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for round_metrics."""

import collections

from absl.testing import absltest
import numpy as np

from tff_binary import learning


def _packed_mean(num_clients, params, compressed, total, **kwargs):
  return collections.OrderedDict(
      num_clients=np.int32(num_clients),
      num_compressed_params=np.int64(params),
      compressed_uplink_bytes=np.int64(compressed),
      uplink_bytes=np.int64(total),
      **kwargs,
  )


def _metrics(trainable, non_trainable=None):
  aggregator = collections.OrderedDict(trainable=trainable)
  if non_trainable is not None:
    aggregator['non_trainable'] = non_trainable
  return collections.OrderedDict(
      distributor=collections.OrderedDict(
          downlink_bytes_per_client=np.int64(500),
          compressed_downlink_bytes_per_client=np.int64(400),
      ),
      client_work=collections.OrderedDict(
          train=collections.OrderedDict(
              accuracy=np.float32(0.5),
              loss=np.float32(1.25),
              num_examples=np.int64(30),
              num_batches=np.int64(3),
              non_finite_clients=np.int32(1),
          ),
          downlink_bytes_per_client=np.int64(4),
      ),
      aggregator=aggregator,
      finalizer=collections.OrderedDict(),
  )


class RoundMetricsTest(absltest.TestCase):

  def test_counts_clients_that_training_or_the_aggregator_leaves_out(self):
    halves = (
        _packed_mean(2, 8, 5, 9, num_non_finite_clients=np.int32(2))
        for _ in range(2)
    )
    row = learning.round_metrics(_metrics(*halves))
    self.assertEqual(row['non_finite_clients'], 1 + 2)

  def test_values(self):
    # 2 clients, 100 parameters: 13 bytes of bits and a step size each.
    row = learning.round_metrics(
        _metrics(
            _packed_mean(2, 100, 2 * 17, 2 * 41),
            _packed_mean(2, 0, 0, 2 * 24),
        )
    )
    self.assertEqual(
        row,
        collections.OrderedDict(
            train_accuracy=0.5,
            train_loss=1.25,
            num_clients=2,
            num_examples=30,
            num_batches=3,
            non_finite_clients=1,
            uplink_bytes=2 * 65,
            downlink_bytes=2 * 504,
            uplink_bits_per_param=1.36,
            downlink_bits_per_param=32.0,
            uplink_bits_per_param_total=5.2,
            downlink_bits_per_param_total=40.32,
        ),
    )

  def test_what_clients_took_adds_to_what_all_of_them_got(self):
    metrics = _metrics(_packed_mean(2, 100, 2 * 17, 2 * 41))
    metrics['distributor']['compressed_downlink_bytes_per_client'] = np.int64(0)
    metrics['client_work']['train']['received_bytes'] = np.int64(13 + 400)
    row = learning.round_metrics(metrics)
    self.assertEqual(row['downlink_bytes'], 2 * 504 + 13 + 400)
    self.assertAlmostEqual(row['downlink_bits_per_param'], 8 * 413 / 200)
    self.assertNoCommonElements(row, ['received_bytes', 'train_received_bytes'])

  def test_no_clients_have_no_bits_per_parameter(self):
    row = learning.round_metrics(_metrics(_packed_mean(0, 100, 0, 0)))
    self.assertEqual(row['uplink_bytes'], 0)
    bits = [v for k, v in row.items() if 'bits_per_param' in k]
    self.assertEqual(bits, [None] * 4)

  def test_values_are_python_numbers(self):
    row = learning.round_metrics(_metrics(_packed_mean(1, 8, 5, 9)))
    self.assertEqual({type(v) for v in row.values()}, {int, float})

  def test_finds_measurements_in_wrapping_factories(self):
    inner = _packed_mean(1, 8, 5, 9, num_dropped_clients=np.int32(1))
    wrapped = collections.OrderedDict(
        zeroing=collections.OrderedDict(clipping=inner, clipped_count=0),
        zeroed_count=np.int32(0),
    )
    row = learning.round_metrics(_metrics(wrapped))
    self.assertEqual(row, learning.round_metrics(_metrics(inner)))
    self.assertEqual(row['num_dropped_clients'], 1)


if __name__ == '__main__':
  absltest.main()
