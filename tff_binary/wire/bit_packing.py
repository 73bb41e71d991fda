# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Packs codes of 1 to 16 bits into bytes; see FORMAT.md."""

import tensorflow as tf

from tff_binary.wire import packing

_BITS_PER_BYTE = 8


def num_bytes(length, bits):
  """Returns the bytes that hold `length` codes of `bits` bits, a Python int."""
  return (length * bits + _BITS_PER_BYTE - 1) // _BITS_PER_BYTE


def bit_length(numbers):
  """Returns how many binary digits numbers have, `ceil(log2(number + 1))`.

  Args:
    numbers: An int32 or int64 tensor of any shape, entries in `[1, 2**53]`.

  Returns:
    A tensor of `numbers`' shape and dtype.
  """
  # The exponent of a float64, which holds the number exactly.
  words = tf.bitcast(tf.cast(numbers, tf.float64), tf.int64)
  exponents = tf.bitwise.right_shift(words, tf.constant(52, tf.int64))
  return tf.cast(exponents - 1022, numbers.dtype)


def _overlaps(bits):
  """Yields where codes and bytes of a group of 8 codes have bits in common.

  Eight codes fill `bits` bytes. Read as one number, most significant first, a
  code and a byte overlap if the distance of their lowest bits is small.

  Args:
    bits: The width of a code.

  Yields:
    `(code, byte, shift)`: `byte` holds the bits of `code << shift`, or of
    `code >> -shift` for a negative shift.
  """
  for code in range(_BITS_PER_BYTE):
    for byte in range(bits):
      shift = bits * (code + 1) * -1 + _BITS_PER_BYTE * (byte + 1)
      if -bits < shift < _BITS_PER_BYTE:
        yield code, byte, shift


def _shifted(x, shift):
  if shift >= 0:
    return tf.bitwise.left_shift(x, shift)
  return tf.bitwise.right_shift(x, -shift)


def _gathered(sources, shifts, mask):
  """Returns the bitwise or of the shifted sources, within `mask`."""
  result = 0
  for source, shift in shifts:
    result = tf.bitwise.bitwise_or(
        tf.bitwise.bitwise_and(_shifted(sources[source], shift), mask), result
    )
  return result


def pack_codes(codes, bits):
  """Packs codes into bytes, one after the other, most significant bit first.

  Args:
    codes: An integer tensor of shape `[n]` with static `n` and entries in `[0,
      2**bits - 1]`.
    bits: A Python int in `[1, 16]`.

  Returns:
    A uint8 tensor of shape `[ceil(n * bits / 8)]`; unused low bits of the last
    byte are 0.
  """
  length = codes.shape[0]
  groups = -(-length // _BITS_PER_BYTE)
  codes = tf.pad(
      tf.cast(codes, tf.int32), [[0, groups * _BITS_PER_BYTE - length]]
  )
  codes = tf.unstack(tf.reshape(codes, [groups, _BITS_PER_BYTE]), axis=1)
  columns = [[] for _ in range(bits)]
  for code, byte, shift in _overlaps(bits):
    columns[byte].append((code, shift))
  packed = [_gathered(codes, column, 255) for column in columns]
  packed = tf.cast(tf.stack(packed, axis=1), tf.uint8)
  return tf.reshape(packed, [-1])[: num_bytes(length, bits)]


def unpack_codes(packed, length, bits):
  """Unpacks what `pack_codes` has packed.

  Args:
    packed: A uint8 tensor of shape `[ceil(length * bits / 8)]`.
    length: The number of codes, a Python int.
    bits: A Python int in `[1, 16]`.

  Returns:
    An int32 tensor of shape `[length]`.
  """
  groups = -(-length // _BITS_PER_BYTE)
  packed = tf.pad(
      tf.cast(packed, tf.int32),
      [[0, groups * bits - num_bytes(length, bits)]],
  )
  packed = tf.unstack(tf.reshape(packed, [groups, bits]), axis=1)
  columns = [[] for _ in range(_BITS_PER_BYTE)]
  for code, byte, shift in _overlaps(bits):
    columns[code].append((byte, -shift))
  codes = [_gathered(packed, column, 2**bits - 1) for column in columns]
  return tf.reshape(tf.stack(codes, axis=1), [-1])[:length]


def pack_codes_of_any_width(codes, bits):
  """Does what `pack_codes` does, more slowly, where a tensor holds the width.

  Args:
    codes: An int32 tensor of shape `[n]` with static `n` and entries in `[0,
      2**bits - 1]`.
    bits: An int32 scalar in `[1, 16]`.

  Returns:
    A uint8 tensor of shape `[ceil(n * bits / 8)]`.
  """
  shifts = tf.range(bits - 1, -1, -1)
  ones = tf.bitwise.right_shift(codes[:, tf.newaxis], shifts) % 2 > 0
  return packing.pack_signs(tf.reshape(ones, [-1]))


def unpack_codes_of_any_width(packed, length, bits):
  """Unpacks what `pack_codes_of_any_width` or `pack_codes` has packed.

  Args:
    packed: A uint8 tensor of shape `[ceil(length * bits / 8)]`.
    length: The number of codes, a Python int.
    bits: An int32 scalar in `[1, 16]`.

  Returns:
    An int32 tensor of shape `[length]`.
  """
  ones = unpack_bits(packed)[: length * bits]
  place_values = tf.bitwise.left_shift(1, tf.range(bits - 1, -1, -1))
  codes = tf.reduce_sum(tf.reshape(ones, [length, bits]) * place_values, axis=1)
  return tf.ensure_shape(codes, [length])


def unpack_bits(packed):
  """Returns the bits of bytes, most significant first.

  Args:
    packed: A uint8 tensor of shape `[n]`.

  Returns:
    An int32 tensor of shape `[8 n]`.
  """
  shifts = tf.range(_BITS_PER_BYTE - 1, -1, -1)
  words = tf.cast(packed, tf.int32)[:, tf.newaxis]
  return tf.reshape(tf.bitwise.right_shift(words, shifts) % 2, [-1])
