# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of what the benchmark of rounded updates measures."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from benchmarks import update_error


def _updates(num_clients=8):
  """Updates of two kernels, of which clients have most in common."""
  random = np.random.RandomState(0)
  common = [random.standard_cauchy(s).clip(-9, 9) for s in ((64, 64), (256,))]
  return [
      [
          tf.constant(x + 0.1 * random.randn(*x.shape), tf.float32)
          for x in common
      ]
      for _ in range(num_clients)
  ]


class UpdateErrorTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(*update_error.CODES)
  def test_measures_every_code(self, name):
    bits, one, mean, cosine = update_error.measure(
        update_error.CODES[name], _updates()
    )
    self.assertBetween(bits, 0.09, 1.6)
    self.assertGreater(one, 0.0)
    self.assertBetween(cosine, 0.1, 1.0)
    # EDEN's rotations are the clients' own, and so are their errors.
    if name.startswith('EDEN'):
      self.assertAllClose(mean, one / 8, rtol=0.2)
    if name == 'scaled signs':
      self.assertAllClose(mean, one, rtol=0.2)

  def test_what_arrives_unchanged_has_no_error(self):
    code = lambda update, seed: (tf.size(update) * 4, update)
    self.assertAllClose(
        update_error.measure(code, _updates()), (32.0, 0.0, 0.0, 1.0)
    )


if __name__ == '__main__':
  tf.test.main()
