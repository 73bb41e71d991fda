# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for elias."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.wire import elias


def _omega(number):
  """Returns the omega code of a number, in Python, as a string."""
  code = '0'
  while number > 1:
    group = f'{number:b}'
    code = group + code
    number = len(group) - 1
  return code


def _as_strings(codes, lengths):
  return [f'{c:0{n}b}' for c, n in zip(codes.numpy(), lengths.numpy())]


def _stream(values):
  """Returns the bits of the stream, in Python."""
  stream, distance = '', 1
  for value in values:
    if value:
      stream += _omega(distance) + str(int(value < 0)) + _omega(abs(value))
      distance = 0
    distance += 1
  return stream


def _decode(values, function=lambda f: f):
  packed, num_nonzero = function(elias.encode)(tf.constant(values, tf.int32))
  return function(lambda p, n: elias.decode(p, n, len(values)))(
      packed, num_nonzero
  )


class OmegaCodesTest(tf.test.TestCase):

  def test_known_codes(self):
    # Elias, 1975.
    numbers = [1, 2, 3, 4, 7, 8, 15, 16, 32, 100]
    self.assertEqual(
        _as_strings(*elias.omega_codes(tf.constant(numbers))),
        [
            '0', '100', '110', '101000', '101110', '1110000', '1111110',
            '10100100000', '101011000000', '1011011001000',
        ],
    )  # pyformat: disable

  def test_all_groups(self):
    ends = [2**k + d for k in range(1, 31) for d in (-1, 0, 1)] + [2**31 - 1]
    self.assertEqual(
        _as_strings(*elias.omega_codes(tf.constant(ends))),
        [_omega(n) for n in ends],
    )


class StreamTest(tf.test.TestCase, parameterized.TestCase):

  def test_bits_by_hand(self):
    values = [0, 0, -1, 3, 0, 0]
    # Distance 3, minus, 1; distance 1, plus, 3.
    self.assertEqual(_stream(values), '110' '1' '0' + '0' '0' '110')
    packed, num_nonzero = elias.encode(tf.constant(values))
    self.assertAllEqual(packed, [0b11010001, 0b10000000])
    self.assertEqual(num_nonzero, 2)
    self.assertAllEqual(_decode(values), values)

  @parameterized.parameters(0, 1, 9, 1000)
  def test_zeros_take_no_bit(self, length):
    packed, num_nonzero = elias.encode(tf.zeros([length], tf.int32))
    self.assertEmpty(packed)
    self.assertEqual(num_nonzero, 0)
    self.assertAllEqual(_decode([0] * length), [0] * length)

  @parameterized.parameters(0.001, 0.1, 0.5, 1.0)
  def test_round_trip_and_length(self, density):
    random = np.random.RandomState(1)
    sizes = (2.0 ** random.uniform(0, 31, 20_000)).astype(np.int64)
    sizes = np.minimum(sizes, 2**31 - 1) * random.choice([-1, 1], 20_000)
    values = np.where(random.rand(20_000) < density, sizes, 0)
    packed, _ = elias.encode(tf.constant(values, tf.int32))
    self.assertLen(packed, -(-len(_stream(values.tolist())) // 8))
    self.assertAllEqual(_decode(values), values)

  def test_round_trip_in_a_graph(self):
    values = [5, 0, -300, 1, 0]
    self.assertAllEqual(_decode(values, tf.function), values)

  def test_long_run_of_zeros(self):
    values = np.zeros(2**20 + 3, np.int32)
    values[[1, -1]] = -(2**15), 1
    self.assertAllEqual(_decode(values), values)


if __name__ == '__main__':
  tf.test.main()
