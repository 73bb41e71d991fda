# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for distinct_values."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import wire

_CODEC = wire.DistinctValuesCodec()


def _of_values(num_values, length, seed=1):
  random = np.random.RandomState(seed)
  values = random.randn(num_values)
  return np.float32(values[random.randint(0, num_values, length)])


class DistinctValuesCodecTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      (1, 1), (1, 100), (2, 2), (2, 3), (2, 100), (11, 500), (40, 40),
      (255, 1000), (256, 1000), (257, 2000), (2000, 2000),
  )  # pyformat: disable
  def test_nothing_is_lost(self, num_values, length):
    tensor = tf.constant(_of_values(num_values, length))
    spec = tf.TensorSpec(tensor.shape, tensor.dtype)
    message = _CODEC.encode(tensor)
    self.assertAllEqual(_CODEC.decode(message, spec), tensor)
    num_values = len(np.unique(tensor))
    if num_values > 256 or num_values == length:
      self.assertAllEqual(message['values'], tensor)
      self.assertEmpty(message['codes'])
    else:
      self.assertLen(message['values'], num_values)

  def test_takes_the_entropy_of_counts(self):
    # The means of ten masks that agree in most entries.
    random = np.random.RandomState(2)
    theta = random.binomial(10, random.beta(0.1, 0.1, 50_000)) / 10
    shares = np.unique(theta, return_counts=True)[1] / theta.size
    entropy = -theta.size / 8 * np.sum(shares * np.log2(shares))
    message = _CODEC.encode(tf.constant(theta, tf.float32))
    # Ten chances are learned, at log2(50000) / 2 + 1 bits each.
    self.assertBetween(len(message['codes']), entropy - 3, entropy + 15)


if __name__ == '__main__':
  tf.test.main()
