# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for masked_noise."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import wire
from tff_binary.ops import masked_noise

_SEED = tf.constant([11, 2**24 - 1])


def _value(length, mask, distribution='uniform', seed=_SEED):
  """Returns a value on the grid, and the noise behind it."""
  noise = masked_noise.draw_noise([length], seed, distribution, 0.01)
  bits = np.random.RandomState(length).randint(2, size=length)
  signs = np.float32(bits if mask == 'binary' else 2 * bits - 1)
  words = masked_noise.seed_words(seed)
  return tf.concat([signs * noise, words], axis=0), noise


class MaskedNoiseCodecTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(
      length=[0, 1, 8, 9],
      mask=masked_noise.MASKS,
      distribution=masked_noise.DISTRIBUTIONS,
  )
  def test_is_exact_on_the_grid(self, length, mask, distribution):
    codec = wire.MaskedNoiseCodec(mask, distribution)
    value, _ = _value(length, mask, distribution)
    self.assertEqual(codec.num_off_grid(value), 0)
    payload = codec.encode(value)
    self.assertAllEqual(payload['bits'].shape, [-(-length // 8)])
    self.assertAllEqual(payload['seed'], _SEED)
    spec = tf.TensorSpec([length + 2])
    self.assertEqual(codec.num_params(spec), length)
    expected = tf.concat([2.0 * value[:-2], [0.0, 0.0]], axis=0)
    self.assertAllEqual(codec.decode(payload, spec, 2.0), expected)

  @parameterized.parameters(*masked_noise.MASKS)
  def test_counts_what_is_not_on_the_grid(self, mask):
    codec = wire.MaskedNoiseCodec(mask)
    value, noise = _value(20, mask)
    changed = value.numpy()
    changed[3] = 0.5 * noise[3]
    self.assertEqual(codec.num_off_grid(changed), 1)
    # Another seed draws other noise.
    words = masked_noise.seed_words(tf.constant([11, 1]))
    other = tf.concat([noise, words], axis=0)
    self.assertEqual(codec.num_off_grid(other), 20)
    self.assertEqual(codec.num_off_grid(tf.zeros([22])), 0)

  @parameterized.parameters(
      (dict(mask='both'), r"^mask must be one of .*, got 'both'\."),
      (dict(distribution='x'), r"^distribution must be one of .*, got 'x'\."),
      (dict(magnitude=0.0), r'^magnitude must be in \[1e-6, 1e6\], got 0\.0\.'),
      (dict(magnitude='1'), r"^magnitude must be in \[1e-6, 1e6\], got '1'\."),
  )
  def test_names_bad_arguments(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      wire.MaskedNoiseCodec(**arguments)


if __name__ == '__main__':
  tf.test.main()
