# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for bit_selectors."""

import collections

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.learning import bit_selectors


def _selected(select, num_rounds):
  select = tf.function(select)
  return [select(tf.constant(r)).numpy().tolist() for r in range(num_rounds)]


class BitSelectorsTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      (4, 1, [[3], [2], [1], [0]]),
      (4, 2, [[3, 2], [1, 0]]),
      (8, 2, [[7, 6], [5, 4], [3, 2], [1, 0]]),
      (4, 3, [[3, 2, 1], [0, -1, -1]]),
      (4, 4, [[3, 2, 1, 0]]),
  )
  def test_round_robin_takes_blocks_in_turn(self, bits, active, blocks):
    select = bit_selectors.round_robin(bits, active)
    self.assertEqual(_selected(select, 2 * len(blocks)), 2 * blocks)

  def test_fixed(self):
    self.assertEqual(_selected(bit_selectors.fixed(2), 2), [[2], [2]])
    self.assertEqual(_selected(bit_selectors.fixed(2, 2), 1), [[2, 1]])
    with self.assertRaisesRegex(
        ValueError, r'num_active must be in \[1, 3\] to end at bit 2, got 4'
    ):
      bit_selectors.fixed(2, 4)

  def test_random_draws_different_bits_of_equal_frequency(self):
    select = bit_selectors.random(4, 2, seed=1)
    drawn = np.array(_selected(select, 400))
    self.assertTrue(np.all(drawn[:, 0] != drawn[:, 1]))
    # 200 of 400 each; five standard deviations of a binomial count, so one of
    # four bits fails by chance once in 4 * 10^5 seeds.
    self.assertAllInRange(np.bincount(drawn.ravel(), minlength=4), 150, 250)
    self.assertEqual(_selected(select, 400), drawn.tolist())
    other = bit_selectors.random(4, 2, seed=2)
    self.assertNotEqual(_selected(other, 400), drawn.tolist())

  def test_ruler_takes_a_block_twice_as_often_as_the_next(self):
    select = bit_selectors.ruler(4, 1)
    self.assertEqual(
        _selected(select, 8), [[3], [2], [3], [1], [3], [2], [3], [0]]
    )
    counts = collections.Counter(map(tuple, _selected(select, 64)))
    self.assertEqual(counts, {(3,): 32, (2,): 16, (1,): 8, (0,): 8})
    self.assertEqual(
        _selected(bit_selectors.ruler(4, 3), 4),
        [[3, 2, 1], [0, -1, -1]] * 2,
    )
    self.assertEqual(_selected(bit_selectors.ruler(2, 2), 2), [[1, 0]] * 2)


if __name__ == '__main__':
  tf.test.main()
