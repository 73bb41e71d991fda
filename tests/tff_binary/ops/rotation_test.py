# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for rotation."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.ops import rotation

_SEED = (1, 2)


class RotationTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(0, 1, 2, 7, 8, 9, 389_920)
  def test_blocks_are_powers_of_two_that_add_up(self, length):
    sizes = rotation.block_sizes(length)
    self.assertEqual(sum(sizes), length)
    self.assertEqual(sizes, sorted(set(sizes), reverse=True))
    for size in sizes:
      self.assertEqual(size & (size - 1), 0)

  @parameterized.parameters(1, 2, 8, 64, 128, 2**13)
  def test_keeps_norms_and_is_undone(self, size):
    x = tf.constant(np.random.RandomState(size).randn(size), tf.float32)
    rotated = rotation.rotate(x, _SEED)
    self.assertAllClose(tf.norm(rotated), tf.norm(x), rtol=1e-5)
    self.assertAllClose(rotation.rotate_back(rotated, _SEED), x, atol=1e-5)

  @parameterized.parameters(4, 128)
  def test_is_hadamards_matrix_of_random_signs(self, size):
    matrix = np.stack(
        [rotation.rotate(row, _SEED) for row in np.eye(size, dtype='float32')]
    )
    self.assertAllClose(abs(matrix), np.full([size, size], size**-0.5))
    self.assertAllClose(matrix @ matrix.T, np.eye(size), atol=1e-5)

  def test_makes_any_vector_normal(self):
    # One large entry becomes as many entries of equal size.
    x = tf.one_hot(5, 2**10)
    self.assertAllClose(
        abs(rotation.rotate(x, _SEED)), np.full([2**10], 2.0**-5)
    )
    self.assertNotAllClose(
        rotation.rotate(tf.ones([2**10]), _SEED),
        rotation.rotate(tf.ones([2**10]), (3, 4)),
    )


if __name__ == '__main__':
  tf.test.main()
