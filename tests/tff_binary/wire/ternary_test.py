# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for ternary."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import wire

_CODEC = wire.TernaryCodec()


class TernaryCodecTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(([0],), ([1],), ([3, 3],), ([4, 5, 2],))
  def test_is_exact_on_the_grid(self, shape):
    random = np.random.RandomState(len(shape))
    for step_size in (0.25, 1e-30, 0.0):
      value = np.float32(step_size * random.choice([-1, 0, 1], shape))
      payload = _CODEC.encode(tf.constant(value))
      self.assertEqual(_CODEC.num_off_grid(value), 0)
      self.assertAllEqual(
          payload['codes'].shape, [-(-2 * value.size // 8)]
      )
      decoded = _CODEC.decode(payload, tf.TensorSpec(shape), 2.0)
      self.assertAllEqual(decoded, 2.0 * value)

  def test_counts_what_is_not_on_the_grid(self):
    value = tf.constant([0.5, 0.0, -0.5, 0.4, -0.5, 1e-6])
    self.assertEqual(_CODEC.num_off_grid(value), 2)

  def test_an_entropy_code_takes_what_three_values_have(self):
    random = np.random.RandomState(1)
    value = random.choice([-0.1, 0.0, 0.1], 50_000, p=[0.03, 0.92, 0.05])
    value = tf.constant(value, tf.float32)
    shares = [np.mean(np.equal(value, x)) for x in np.unique(value)]
    entropy = -50_000 / 8 * np.sum(shares * np.log2(shares))
    payload = wire.EntropyCodec(_CODEC).encode(value)
    self.assertBetween(len(payload['codes']), entropy, 1.001 * entropy + 12)


if __name__ == '__main__':
  tf.test.main()
