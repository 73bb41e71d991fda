# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for kernel_differences."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import distributors
from tff_binary.ops import seeds

_SEED = (1, 2)
_SHAPE = (64, 64)


def _normal(shape=_SHAPE, seed=0):
  return np.random.RandomState(seed).randn(*shape).astype(np.float32)


def _error(received, kernel):
  return np.sum((received - kernel) ** 2) / np.sum(kernel**2)


class KernelDifferencesTest(tf.test.TestCase, parameterized.TestCase):

  def test_the_first_kernel_takes_other_bits_than_the_next(self):
    differences = distributors.KernelDifferences(bits=0.5, first_bits=3)
    receive = tf.function(differences.receive)
    state = differences.initial_state(_SHAPE)
    first, change = _normal(), 0.1 * _normal(seed=1)
    # Errors of multiples of a step with these entropies, of normal numbers, in
    # shares of the squared norm: 0.022 and 0.617.
    for i, (kernel, bits, error) in enumerate(
        [(first, 3.0, 0.022), (first + change, 0.5, 0.617)]
    ):
      known = state['kernel'].numpy()
      received, state, num_bytes = receive(
          kernel, state, seeds.fold_in(_SEED, i)
      )
      # A seed, a scale, a checksum, and what it takes to learn the chances.
      self.assertBetween(
          int(num_bytes) * 8 / kernel.size, bits - 0.02, bits + 0.1
      )
      self.assertAllEqual(state['kernel'], received)
      self.assertAllClose(
          _error(received - known, kernel - known), error, rtol=0.1
      )

  def test_what_was_left_out_is_sent_later(self):
    differences = distributors.KernelDifferences(bits=0.5, first_bits=2)
    receive = tf.function(differences.receive)
    state, kernel = differences.initial_state(_SHAPE), _normal()
    errors = []
    for i in range(9):
      received, state, _ = receive(kernel, state, seeds.fold_in(_SEED, i))
      errors.append(_error(received, kernel))
    # Each leaves 0.617 of the one before.
    self.assertAllClose(errors[-1] / errors[0], 0.617**8, rtol=0.3)

  def test_the_error_of_a_kernel_that_moves_stays(self):
    differences = distributors.KernelDifferences(bits=1.0, first_bits=3)
    receive = tf.function(differences.receive)
    state, kernel = differences.initial_state(_SHAPE), _normal()
    for i in range(20):
      movement = 0.1 * _normal(seed=i)
      kernel = kernel + movement
      received, state, _ = receive(kernel, state, seeds.fold_in(_SEED, i))
    # e = 0.348 (m + e): 0.53 of what a movement has. That of one draw of 4096
    # entries deviates by some percent.
    error = np.sum((received - kernel) ** 2) / np.sum(movement**2)
    self.assertAllClose(error, 0.53, rtol=0.15)

  @parameterized.parameters(((0, 3),), ((1,),), ((9,),), ((5, 3),))
  def test_kernels_of_any_size_come_closer(self, shape):
    differences = distributors.KernelDifferences(bits=2.0, first_bits=2)
    state, kernel = differences.initial_state(shape), _normal(shape)
    for i in range(12):
      received, state, _ = differences.receive(
          kernel, state, seeds.fold_in(_SEED, i)
      )
    self.assertAllClose(received, kernel, atol=1e-3)

  def test_zeros_are_exact(self):
    differences = distributors.KernelDifferences(bits=1.0, first_bits=3)
    state = differences.initial_state(_SHAPE)
    for _ in range(2):
      received, state, num_bytes = differences.receive(
          tf.zeros(_SHAPE), state, _SEED
      )
      self.assertAllEqual(received, tf.zeros(_SHAPE))
      self.assertLess(num_bytes, 60)


if __name__ == '__main__':
  tf.test.main()
