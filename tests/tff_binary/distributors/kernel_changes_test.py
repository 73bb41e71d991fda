# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for kernel_changes."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import distributors

_SHAPE = (50, 40)


def _kernels(num_rounds, movement, shape=_SHAPE):
  """Returns a kernel after each of some rounds."""
  random = np.random.RandomState(1)
  kernel = random.randn(*shape)
  result = []
  for _ in range(num_rounds):
    result.append(tf.constant(kernel, tf.float32))
    kernel = 1.01 * kernel + movement * random.randn(*shape)
  return result


class KernelChangesTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(
      bits=(2, 4, 8), step_scale=(0.0, 0.6), shape=(_SHAPE, (0, 3), (1,), (9,))
  )
  def test_clients_get_exactly_the_codes(self, bits, step_scale, shape):
    quantizer = distributors.KernelQuantizer(bits, 3, step_scale=step_scale)
    changes = distributors.KernelChanges(quantizer)
    receive = tf.function(changes.receive)
    state = changes.initial_state(shape)
    size = np.prod(shape)
    for round_num, kernel in enumerate(_kernels(4, 0.1, shape)):
      offered = quantizer.quantize(kernel, round_num, 0)
      received, state, num_bytes = receive(offered, state)
      self.assertAllEqual(received, quantizer.dequantize(offered))
      self.assertAllEqual(state['codes'], offered['codes'])
      self.assertAllEqual(state['step_size'], offered['step_size'])
      self.assertLessEqual(num_bytes, -(-size * bits // 8))

  def test_the_less_a_kernel_moves_the_fewer_bytes_it_takes(self):
    quantizer = distributors.KernelQuantizer(4, step_scale=0.6)
    changes = distributors.KernelChanges(quantizer)
    receive = tf.function(changes.receive)
    num_bytes = []
    for movement in (1.0, 0.1, 0.01, 0.0):
      first, second = _kernels(2, movement)
      _, state, first_bytes = receive(
          quantizer.quantize(first, 0, 0), changes.initial_state(_SHAPE)
      )
      _, _, second_bytes = receive(quantizer.quantize(second, 1, 0), state)
      num_bytes.append(int(second_bytes))
    self.assertEqual(num_bytes, sorted(num_bytes, reverse=True))
    # The first kernel takes about the entropy of its codes, 2.8 bits an entry,
    # and one that keeps all codes what it takes to learn that.
    self.assertBetween(int(first_bytes) * 8 / 2000, 2.5, 3.0)
    self.assertLess(num_bytes[-1] * 8 / 2000, 0.3)

  def test_a_kernel_of_zeros_is_sent_and_followed(self):
    quantizer = distributors.KernelQuantizer(4, step_scale=0.6)
    changes = distributors.KernelChanges(quantizer)
    state = changes.initial_state((6,))
    for kernel in (tf.zeros([6]), tf.range(6.0), tf.zeros([6]), tf.range(6.0)):
      offered = quantizer.quantize(kernel, 0, 0)
      received, state, _ = changes.receive(offered, state)
      self.assertAllEqual(received, quantizer.dequantize(offered))


if __name__ == '__main__':
  tf.test.main()
