# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for EntropyCodec."""

import math

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import wire

_CODEC = wire.EntropyCodec(wire.SignCodec(1.0))
_SEED = (1, 2)


def _entropy(shares):
  """Returns the sum of the entropies of bits, in bytes."""
  shares = np.clip(np.atleast_1d(np.float64(shares)), 1e-300, 1.0 - 1e-16)
  bits = shares * np.log2(shares) + (1.0 - shares) * np.log2(1.0 - shares)
  return -np.sum(bits) / 8.0


def _signs(is_one):
  return tf.constant(np.where(is_one, 1.0, -1.0), tf.float32)


def _size(payload):
  return sum(int(tf.size(x)) * x.dtype.size for x in payload.values())


class EntropyCodecTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      wire.BinaryCodec(),
      wire.SignCodec(),
      wire.NoisySignCodec(0.1, 0.1),
      wire.StochasticSignCodec(0.1),
      wire.QuantizedCodec(1),
      wire.QuantizedCodec(3, 'qsgd'),
      wire.QuantizedCodec(8),
  )
  def test_decodes_what_the_other_codec_does(self, inner):
    codec = wire.EntropyCodec(inner)
    random = np.random.RandomState(1)
    for shape in ([0], [1], [7, 30], [3000]):
      value = tf.constant(random.randn(*shape) ** 3 + 0.1, tf.float32)
      if isinstance(inner, wire.BinaryCodec):
        value = 0.3 * tf.where(value >= 0.0, 1.0, -1.0)
      spec = tf.TensorSpec(shape)
      plain, coded = inner.encode(value, _SEED), codec.encode(value, _SEED)
      self.assertAllEqual(
          codec.decode(coded, spec, 0.7), inner.decode(plain, spec, 0.7)
      )
      self.assertLessEqual(_size(coded), _size(plain) + 4)
      self.assertEqual(codec.num_off_grid(value), inner.num_off_grid(value))
      self.assertEqual(codec.num_params(spec), inner.num_params(spec))

  @parameterized.product(
      chance=(0.5, 0.3, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 0.0),
      length=(10_000, 300_000),
  )
  def test_takes_the_entropy(self, chance, length):
    # The entropy under the share of ones that there are: true of every mask.
    is_one = np.random.RandomState(2).rand(length) < chance
    limit = 1.002 * length * _entropy(np.mean(is_one)) + 32
    size = _size(_CODEC.encode(_signs(is_one)))
    self.assertLess(size, min(limit, length / 8 + 8))

  def test_takes_the_cross_entropy_under_known_chances(self):
    length = 100_000
    random = np.random.RandomState(3)
    # What ten clients agree on more or less, with an entropy of almost 1.
    chances = random.binomial(10, random.beta(0.2, 0.2, length)) / 10
    chances = tf.constant(chances, tf.float32)
    is_one = random.rand(length) < 0.02 + 0.96 * chances.numpy()
    payload = _CODEC.encode(_signs(is_one), chances=chances)
    # The variance of a bit's cost is below 8 bits^2: 6 standard deviations,
    # fails falsely once in 10^8 times.
    cross_entropy = _entropy(0.02 + 0.96 * chances)
    self.assertLess(
        _size(payload), 1.002 * cross_entropy + 32 + 6 * math.sqrt(8e5) / 8
    )
    self.assertGreater(_size(_CODEC.encode(_signs(is_one))), 2 * cross_entropy)
    decoded = _CODEC.decode(payload, chances, chances=chances)
    self.assertAllEqual(decoded, _signs(is_one))

  def test_chances_may_be_wrong(self):
    # Ones where zeros are certain, and other things that clients may send.
    chances = tf.constant([0.0, 1.0, 0.5, 0.2] * 500)
    for is_one in (1.0 - chances, tf.ones(2000), tf.zeros(2000)):
      value = _signs(is_one > 0.5)
      payload = _CODEC.encode(value, chances=chances)
      self.assertLessEqual(_size(payload), 250 + 4)
      decoded = _CODEC.decode(payload, chances, chances=chances)
      self.assertAllEqual(decoded, value)

  @parameterized.parameters(0.01, 0.5)
  def test_other_bytes_are_errors(self, chance):
    # Coded, and as they are.
    is_one = np.random.RandomState(4).rand(2000) < chance
    chances = tf.fill([2000], 0.3)
    spec = tf.TensorSpec([2000])
    codec = _CODEC.named('[conv/kernel]')
    sent = codec.encode(_signs(is_one), chances=chances)['bits'].numpy()
    codec.decode({'bits': tf.constant(sent)}, spec, chances=chances)
    changed = sent.copy()
    changed[5] ^= 4
    for other in (
        sent[:0], sent[:3], sent[:4], sent[:-1], changed, np.append(sent, 0)
    ):  # pyformat: disable
      with self.assertRaisesRegex(
          tf.errors.InvalidArgumentError, r'tensor \[conv/kernel\] of shape \('
      ):
        codec.decode(
            {'bits': tf.constant(other, tf.uint8)}, spec, chances=chances
        )
    for other, other_spec, other_chances in (
        (_CODEC.named('[dense/kernel]'), spec, chances),
        (codec, tf.TensorSpec([1999]), chances[:1999]),
        (codec, spec, tf.fill([2000], 0.3001)),
        (codec, spec, None),
    ):
      with self.assertRaisesRegex(
          tf.errors.InvalidArgumentError, 'checksum is wrong(.|\n)*Client'
      ):
        other.decode(
            {'bits': tf.constant(sent)}, other_spec, chances=other_chances,
            client=tf.constant(3),
        )  # pyformat: disable

  def test_errors(self):
    with self.assertRaisesRegex(TypeError, "must be a Codec, got 'sign'"):
      wire.EntropyCodec('sign')
    for codec in (
        wire.Float32Codec(), wire.SparseCodec(0.1), wire.QSGDCodec(),
        wire.RangeCodec(), wire.SignPlanesCodec(), _CODEC,
    ):  # pyformat: disable
      name = type(codec).__name__
      with self.assertRaisesRegex(ValueError, f'{name} does not'):
        wire.EntropyCodec(codec)
    codec = wire.EntropyCodec(wire.QuantizedCodec(4))
    with self.assertRaisesRegex(ValueError, 'QuantizedCodec have 4'):
      codec.encode(tf.zeros([5]), _SEED, chances=tf.zeros([5]))


if __name__ == '__main__':
  tf.test.main()
