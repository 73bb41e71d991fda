# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for bit_packing."""

import pathlib
import re

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import wire
from tff_binary.wire import bit_packing


def _numpy_pack(codes, bits):
  digits = codes[:, np.newaxis] >> np.arange(bits - 1, -1, -1) & 1
  return np.packbits(digits.astype(np.uint8).ravel())


class BitPackingTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(bits=tuple(range(1, 17)), length=(0, 1, 7, 8, 9, 1001))
  def test_packs_as_numpy_and_unpacks_exactly(self, bits, length):
    codes = np.random.RandomState(bits).randint(2**bits, size=length)
    packed = bit_packing.pack_codes(tf.constant(codes, tf.int32), bits)
    self.assertEqual(packed.dtype, tf.uint8)
    self.assertAllEqual(packed, _numpy_pack(codes, bits))
    self.assertLen(packed, bit_packing.num_bytes(length, bits))
    self.assertAllEqual(
        bit_packing.unpack_codes(packed, length, bits), codes
    )

  @parameterized.parameters((1, 9), (3, 1001), (5, 0), (11, 8), (16, 7))
  def test_width_in_a_tensor_makes_no_difference(self, bits, length):
    codes = np.random.RandomState(bits).randint(2**bits, size=length)
    packed = bit_packing.pack_codes_of_any_width(
        tf.constant(codes, tf.int32), tf.constant(bits)
    )
    self.assertAllEqual(packed, _numpy_pack(codes, bits))
    unpacked = bit_packing.unpack_codes_of_any_width(
        packed, length, tf.constant(bits)
    )
    self.assertAllEqual(unpacked, codes)

  def test_worked_example_of_the_format(self):
    codes = tf.constant([5, 0, 7, 2])
    packed = bit_packing.pack_codes(codes, 3).numpy().tobytes().hex(' ')
    self.assertEqual(packed, 'a3 a0')
    text = pathlib.Path(wire.__file__).with_name('FORMAT.md').read_text()
    self.assertRegex(text, re.escape(f'= {packed} (hexadecimal)'))


if __name__ == '__main__':
  tf.test.main()
