# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for dadaquant."""

import tensorflow as tf

from tests.tff_binary import tiny
from tff_binary import algorithms
from tff_binary import learning


class DAdaQuantTest(tf.test.TestCase):

  def test_levels_and_bits_of_clients_by_hand(self):
    process = algorithms.build_dadaquant(
        learning.keras_model_fn(tiny.dense_model, tiny.element_spec()),
        element_spec=tiny.element_spec(),
        hyperparameters=algorithms.DAdaQuant(
            patience=1, norm='l2', coding='fixed'
        ),
    )
    state, data = process.initialize(), [tiny.client(12, 0), tiny.client(5, 1)]
    # sqrt((12^(2/3) + 5^(2/3)) / (12^2 + 5^2)) = 0.2198 times n^(2/3) is 1.152
    # and 0.643: 1, 1; 2, 1; 5, 3; 8, 4 levels for q = 1, 2, 4, 7. The losses of
    # two rounds make the first plateau.
    for levels, bits in (
        (1, (2, 2)),
        (1, (2, 2)),
        (2, (3, 2)),
        (4, (4, 3)),
        (7, (5, 4)),
    ):
      state, metrics = process.next(state, data)
      row = learning.round_metrics(metrics)
      self.assertEqual(row['levels'], levels)
      # Kernels of 30 and 15 entries as one vector, with one header.
      packed = sum(2 + 4 + (45 * b + 7) // 8 for b in bits)
      self.assertAllClose(row['uplink_bits_per_param'], 8 * packed / (2 * 45))
      # Biases of 5 and 3 entries; the weight with loss, levels and update.
      self.assertEqual(row['uplink_bytes'], packed + 2 * 4 * (8 + 1 + 3))
      # All weights, the round number and the two numbers for the levels.
      self.assertEqual(row['downlink_bytes'], 2 * 4 * (45 + 8 + 1 + 2))

  def test_refuses_bounds_in_the_wrong_order(self):
    with self.assertRaisesRegex(ValueError, '>= min_levels = 8, got 7'):
      algorithms.DAdaQuant(min_levels=8)
    with self.assertRaisesRegex(ValueError, '>= initial_levels = 2, got 1'):
      algorithms.AdaQuantFL(max_levels=1)


if __name__ == '__main__':
  tf.test.main()
