# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for qsgd."""

import pathlib
import re

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import wire
from tff_binary.wire import qsgd

_SEED = (3, 5)
_NORMS_AND_CODINGS = [
    (norm, coding) for norm in ('l2', 'max') for coding in ('fixed', 'elias')
]


def _decode(codec, value, weight=1.0):
  spec = tf.TensorSpec(value.shape, value.dtype)
  # As the server does it: with another codec than the client's.
  return codec.with_levels(9).decode(
      codec.encode(value, _SEED), spec, weight
  )


def _num_bytes(codec, value):
  return sum(x.numpy().nbytes for x in codec.encode(value, _SEED).values())


class QSGDCodecTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      (1, 2), (2, 3), (3, 3), (4, 4), (7, 4), (8, 5), (255, 9), (256, 10),
      (qsgd.MAX_LEVELS, 16),
  )  # pyformat: disable
  def test_fixed_codes_have_a_sign_and_ceil_log2_bits(self, levels, bits):
    for length in (0, 1, 7, 8, 9, 1000):
      value = tf.linspace(-1.0, 1.0, length) if length else tf.zeros([0])
      for codec in (
          wire.QSGDCodec(levels),
          wire.QSGDCodec().with_levels(tf.constant(levels)),
      ):
        self.assertEqual(
            _num_bytes(codec, value), 2 + 4 + (length * bits + 7) // 8
        )

  @parameterized.parameters(*_NORMS_AND_CODINGS)
  def test_is_unbiased(self, norm, coding):
    values = np.array([-0.7, 0.2, 0.0, 0.01], np.float32)
    num_draws, levels = 20_000, 50
    value = tf.repeat(tf.constant(values)[:, tf.newaxis], num_draws, axis=1)
    codec = wire.QSGDCodec(levels, norm, coding)
    mean = tf.reduce_mean(_decode(codec, value), axis=1)
    length = np.linalg.norm(value) if norm == 'l2' else 0.7
    # Six standard deviations, of at most half a step, of 4 means: fails by
    # chance once in 10^8.
    self.assertAllClose(
        mean, values, atol=3 * length / levels / np.sqrt(num_draws), rtol=0
    )

  @parameterized.parameters(*_NORMS_AND_CODINGS)
  def test_entries_are_levels_of_the_norm(self, norm, coding):
    value = tf.constant(np.random.RandomState(1).randn(20, 50), tf.float32)
    length = np.linalg.norm(value) if norm == 'l2' else np.max(np.abs(value))
    for levels in (1, 2, 5, 100):
      decoded = _decode(wire.QSGDCodec(levels, norm, coding), value)
      self.assertEqual(decoded.shape, value.shape)
      multiples = decoded * levels / length
      self.assertAllClose(multiples, np.round(multiples), atol=1e-4)
      self.assertAllLessEqual(np.abs(multiples), levels + 1e-4)
      # Rounded to a neighbour, and never to the other sign.
      self.assertAllLess(np.abs(decoded - value), 1.0001 * length / levels)
      self.assertAllGreaterEqual(decoded * value, 0.0)

  @parameterized.parameters('l2', 'max')
  def test_codings_stand_for_the_same(self, norm):
    value = tf.constant(np.random.RandomState(1).randn(1000), tf.float32)
    for levels in (1, 7, 1000):
      self.assertAllEqual(
          *(
              _decode(wire.QSGDCodec(levels, norm, coding), value)
              for coding in ('fixed', 'elias')
          )
      )

  def test_elias_is_shorter_for_the_2_norm_and_few_levels(self):
    value = tf.constant(np.random.RandomState(1).randn(10_000), tf.float32)
    elias, fixed = (
        _num_bytes(wire.QSGDCodec(1, 'l2', coding), value)
        for coding in ('elias', 'fixed')
    )
    # About 0.8 % of the entries are not zero: some 80, of 16 bits at most.
    self.assertLess(elias, 0.1 * fixed)
    self.assertEqual(fixed, 2 + 4 + 2500)

  def test_is_the_quantizer_of_fedpaq(self):
    value = tf.constant(np.random.RandomState(1).randn(1000), tf.float32)
    fedpaq = wire.QuantizedCodec(4, 'qsgd')
    expected = fedpaq.decode(
        fedpaq.encode(value, _SEED), tf.TensorSpec(value.shape)
    )
    self.assertAllClose(_decode(wire.QSGDCodec(7), value), expected, rtol=1e-6)

  @parameterized.parameters(*_NORMS_AND_CODINGS)
  def test_zeros_and_not_finite(self, norm, coding):
    codec = wire.QSGDCodec(3, norm, coding)
    for length in (0, 15):
      self.assertAllEqual(_decode(codec, tf.zeros([length])), [0.0] * length)
    for bad in (np.nan, np.inf):
      decoded = _decode(codec, tf.constant([bad, 1.0]), 0.0)
      self.assertAllEqual(decoded, [0.0, 0.0])

  def test_worked_example_of_the_format(self):
    # On the grid of 5 levels, hence nothing is drawn.
    value = tf.constant([0.0, 0.0, -0.25, 0.75, 0.0, 1.25])
    text = pathlib.Path(wire.__file__).with_name('FORMAT.md').read_text()
    for coding, field, expected in (
        ('fixed', 'codes', '88 1b 8d'),
        ('elias', 'stream', 'd1 a2 a0'),
    ):
      payload = wire.QSGDCodec(5, 'max', coding).encode(value, _SEED)
      packed = payload[field].numpy().tobytes().hex(' ')
      self.assertEqual(packed, expected)
      self.assertRegex(text, re.escape(f'= {packed} (hexadecimal)'))

  @parameterized.parameters(
      dict(levels=0),
      dict(levels=32768),
      dict(levels=2.0),
      dict(levels=True),
      dict(norm='l1'),
      dict(coding='huffman'),
  )
  def test_refuses(self, **kwargs):
    with self.assertRaisesRegex(ValueError, f'^{list(kwargs)[0]} must be'):
      wire.QSGDCodec(**kwargs)

  @parameterized.parameters(0, 32768, 2.0)
  def test_refuses_other_levels(self, levels):
    with self.assertRaisesRegex(ValueError, r'^levels must be .* \[1, 32767\]'):
      wire.QSGDCodec().with_levels(levels)


if __name__ == '__main__':
  tf.test.main()
