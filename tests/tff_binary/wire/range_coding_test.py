# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for range_coding."""

import math

from absl.testing import parameterized
import numpy as np
import psutil
import tensorflow as tf

from tff_binary.ops import xla
from tff_binary.wire import range_coding


def _bits_of_krichevsky_trofimov(bits):
  """Returns the bits of a sequence under the model, counts never halved."""
  ones, result = 0, 0.0
  for n, bit in enumerate(bits):
    count = ones if bit else n - ones
    result -= math.log2((count + 0.5) / (n + 1.0))
    ones += int(bit)
  return result


def _round_trip(codes, bits, **kwargs):
  """Checks that nothing is lost, and returns the size of the code."""
  codes = np.asarray(codes, np.int32)
  counts = kwargs.pop('counts', range_coding.counts(1, bits))
  coded = range_coding.encode(tf.constant(codes), bits, counts, **kwargs)
  assert coded.shape[0] <= -(-codes.size * bits // 8)
  decoded = range_coding.decode(coded, codes.size, bits, counts, **kwargs)
  np.testing.assert_array_equal(decoded, codes)
  return coded.shape[0]


class RangeCodingTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(0.0, 1e-4, 0.01, 0.2, 0.9, 1.0)
  def test_takes_what_the_model_says(self, chance):
    # True of every sequence, so nothing is left to chance.
    bits = np.random.RandomState(1).rand(20_000) < chance
    expected = _bits_of_krichevsky_trofimov(bits) / 8.0
    size = _round_trip(bits, 1)
    self.assertBetween(size, 0, 1.0001 * expected + 3.0)

  def test_few_codes(self):
    for length in (1, 2, 8, 9, 40):
      for chance in (0.0, 0.1, 1.0):
        bits = np.random.RandomState(length).rand(length) < chance
        _round_trip(bits, 1)
    self.assertEqual(_round_trip([0] * 50, 1), 0)

  def test_no_codes(self):
    counts = range_coding.counts(1, 1)
    coded = range_coding.encode(tf.zeros([0], tf.int32), 1, counts)
    self.assertEqual(coded.shape, [0])
    self.assertEqual(range_coding.decode(coded, 0, 1, counts).shape, [0])

  @parameterized.parameters(2, 3, 5, 8)
  def test_codes_of_several_bits(self, bits):
    random = np.random.RandomState(bits)
    codes = np.round(random.randn(5000) * 2**bits / 16 + 2 ** (bits - 1))
    codes = np.clip(codes, 0, 2**bits - 1)
    frequencies = np.unique(codes, return_counts=True)[1] / codes.size
    entropy = -codes.size / 8 * np.sum(frequencies * np.log2(frequencies))
    # A node of the tree of codes costs log2(5000) / 2 + 1 bits at most.
    nodes = bits * frequencies.size
    self.assertLess(_round_trip(codes, bits), entropy + nodes + 3)

  def test_width_in_a_tensor(self):
    codes = np.random.RandomState(3).randint(0, 3, 400)
    counts = range_coding.counts(1, 8)
    fixed = range_coding.encode(tf.constant(codes, tf.int32), 2, counts)
    coded = range_coding.encode(
        tf.constant(codes, tf.int32), tf.constant(2), counts
    )
    self.assertAllEqual(coded, fixed)
    self.assertAllEqual(
        range_coding.decode(coded, 400, tf.constant(2), counts), codes
    )

  def test_contexts_have_chances_of_their_own(self):
    # Each context's bits are all equal: next to nothing is left to say.
    contexts = np.random.RandomState(4).randint(0, 3, 5000).astype(np.int32)
    size = _round_trip(
        contexts == 1,
        1,
        contexts=tf.constant(contexts),
        counts=range_coding.counts(3, 1),
    )
    self.assertLess(size, 3 * (math.log2(5000) / 2 + 1) / 8 + 3)

  def test_known_chances_save_what_learning_costs(self):
    chances = np.linspace(0.01, 0.5, 40)
    random = np.random.RandomState(5)
    contexts = random.randint(0, 40, 2000).astype(np.int32)
    bits = random.rand(2000) < chances[contexts]
    sizes = [
        _round_trip(
            bits, 1, contexts=tf.constant(contexts),
            counts=range_coding.counts(40, 1, known),
        )
        for known in (None, chances)
    ]  # pyformat: disable
    self.assertLess(sizes[1], sizes[0] - 8)

  def test_follows_chances_that_change(self):
    # Counts are halved from 32,768 bits on: the second half is learned anew.
    bits = np.repeat([0, 1], 200_000)
    self.assertLess(_round_trip(bits, 1), 15_000)

  def test_carries(self):
    codes = tf.constant(np.random.RandomState(8).rand(20_000) < 0.3, tf.int32)
    digits, *_ = xla.compiled(range_coding._encode, 20_000)(
        codes,
        tf.zeros_like(codes),
        tf.constant(range_coding.counts(1, 1)),
        tf.constant(1),
    )
    self.assertGreater(tf.math.count_nonzero(digits >= 2**16), 20)
    _round_trip(codes, 1)
    # Through many digits, one digit in 2^16.
    full = 2**16 - 1
    self.assertAllEqual(
        range_coding._carry(
            tf.constant([7, full, full, full + 3, full + 1, 9])
        ),
        [8, 0, 0, 3, 0, 9],
    )

  def test_what_does_not_pay_is_packed(self):
    # Codes without structure, in a model that has much to learn or is wrong.
    random = np.random.RandomState(9)
    self.assertEqual(_round_trip(random.randint(0, 256, 500), 8), 500)
    counts = range_coding.counts(1, 1, [0.0])
    self.assertEqual(_round_trip(np.ones(16), 1, counts=counts), 2)
    self.assertEqual(_round_trip(random.randint(0, 2, 801), 1), 101)

  def test_other_bytes_are_decoded_to_codes(self):
    random = np.random.RandomState(6)
    for size in (0, 1, 5, 24):
      codes = range_coding.decode(
          tf.constant(random.randint(0, 256, size), tf.uint8), 100, 2,
          range_coding.counts(1, 2),
      )  # pyformat: disable
      self.assertAllInRange(codes, 0, 3)

  def test_is_compiled_once_for_all_values(self):
    # XLA compiles for each value of what it takes for a constant, and keeps
    # all of it: some 5 MB each.
    random = np.random.RandomState(10)
    counts = range_coding.counts(3, 1)

    def round_trip():
      codes = random.rand(300) < random.rand()
      contexts = tf.constant(random.randint(0, 3, 300), tf.int32)
      _round_trip(codes, 1, counts=counts, contexts=contexts)

    round_trip()
    before = psutil.Process().memory_info().rss
    for _ in range(20):
      round_trip()
    self.assertLess(psutil.Process().memory_info().rss - before, 40e6)

  def test_is_the_same_without_xla(self):
    random = np.random.RandomState(7)
    codes = tf.constant(random.randint(0, 2, 60) * 3, tf.int32)
    contexts = tf.constant(random.randint(0, 2, 60), tf.int32)
    counts = tf.constant(range_coding.counts(2, 2))
    arguments = codes, contexts, counts, tf.constant(2)
    for plain, compiled in zip(
        range_coding._encode(*arguments),
        tf.function(range_coding._encode, jit_compile=True)(*arguments),
    ):
      self.assertAllEqual(plain, compiled)
    digits = tf.random.stateless_uniform(
        [10], [1, 2], 0, 2**16, dtype=tf.int64
    )
    arguments = digits, contexts, counts, tf.constant(2)
    self.assertAllEqual(
        range_coding._decode(*arguments),
        tf.function(range_coding._decode, jit_compile=True)(*arguments),
    )


if __name__ == '__main__':
  tf.test.main()
