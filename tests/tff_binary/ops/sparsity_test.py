# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for sparsity."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.ops import sparsity

_RANDOM = np.random.RandomState(1)
_NAN, _INF = np.nan, np.inf


class SparsityTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('normal', _RANDOM.randn(1000)),
      ('relu', np.maximum(_RANDOM.randn(1000), 0)),
      ('many_equal', _RANDOM.randint(-3, 4, 1000)),
      ('all_equal', np.ones(100)),
      ('zeros', np.zeros(100)),
      ('all_scales', 10.0 ** _RANDOM.uniform(-44, 38, 1000)),
  )
  def test_threshold_is_exact(self, values):
    x = values.astype(np.float32)
    magnitudes = np.sort(np.abs(x))
    for k in (1, 3, x.size // 33, x.size // 2, x.size):
      expected = np.abs(x) >= magnitudes[-k]
      self.assertAllEqual(sparsity.is_largest(x, k), expected)
      self.assertAllEqual(sparsity.keep_largest(x, k), np.where(expected, x, 0))
      positions = sparsity.positions_of_largest(x, k).numpy()
      self.assertAllEqual(positions, np.unique(positions))
      self.assertAllEqual(
          np.sort(np.abs(x[positions])), magnitudes[x.size - k :]
      )

  def test_of_equal_entries_the_first_ones_are_sent(self):
    x = tf.constant([1.0, -1.0, 2.0, 1.0])
    self.assertAllEqual(sparsity.positions_of_largest(x, 2), [0, 2])
    self.assertAllEqual(sparsity.positions_of_largest(x, 3), [0, 1, 2])

  def test_keeps_the_first_of_equal_entries(self):
    x = tf.constant([[1.0, -1.0], [2.0, 1.0]])
    for k, expected in (
        (0, [[0.0, 0.0], [0.0, 0.0]]),
        (2, [[1.0, 0.0], [2.0, 0.0]]),
        (3, [[1.0, -1.0], [2.0, 0.0]]),
    ):
      self.assertAllEqual(sparsity.keep_first_largest(x, k), expected)

  def test_entries_that_are_not_finite_are_the_largest(self):
    x = tf.constant([1.0, _NAN, 3.0, -_INF])
    self.assertAllEqual(
        sparsity.keep_largest(x, 1), [0.0, _NAN, 0.0, 0.0]
    )
    self.assertAllEqual(
        sparsity.keep_largest(x, 3), [0.0, _NAN, 3.0, -_INF]
    )

  def test_keeps_shape_and_dtype(self):
    x = tf.constant([[1.0, -3.0], [2.0, 0.5]], tf.bfloat16)
    kept = sparsity.keep_largest(x, tf.constant(2))
    self.assertEqual(kept.dtype, tf.bfloat16)
    self.assertAllEqual(kept, [[0.0, -3.0], [2.0, 0.0]])

  @parameterized.parameters(
      (0.03, 1000, 30), (1.0 - 0.97, 100, 3), (0.03, 10, 1), (1.0, 7, 7),
      (0.5, 0, 0),
  )
  def test_num_largest(self, ratio, size, expected):
    self.assertEqual(sparsity.num_largest(ratio, size), expected)
    self.assertAllEqual(
        sparsity.num_largest(ratio, tf.constant(size)), expected
    )


if __name__ == '__main__':
  tf.test.main()
