# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""A bit stream of integers that are mostly zero: runs and Elias omega codes.

Source: QSGD (Alistarh et al., NeurIPS 2017): the distance to the next entry that
is not zero, its sign and its size, the numbers in Elias' omega code (IEEE
Transactions on Information Theory 21, 1975); DAdaQuant (Hönig et al., ICML
2022) sends levels in this way.

Both directions work on whole tensors, without a loop over the entries.
"""

import tensorflow as tf

from tff_binary.wire import bit_packing
from tff_binary.wire import packing

# Of the omega code of a number below 2**31, its terminating zero apart.
_MAX_GROUPS = 4
_WINDOW_BITS = 31


def omega_codes(numbers):
  """Returns the omega codes of positive integers.

  The code of 1 is `0`; that of n > 1 is the code of n's number of binary digits
  less one, without its last zero, then n in binary, then `0`.

  Args:
    numbers: An int32 tensor of shape `[n]`, entries >= 1.

  Returns:
    The codes, int64 of shape `[n]`, each with its last bit in the lowest one,
    and how many bits they have, int64 of shape `[n]`, at most 42.
  """
  group = tf.cast(numbers, tf.int64)
  codes, lengths = tf.zeros_like(group), tf.ones_like(group)
  for _ in range(_MAX_GROUPS):
    is_sent = group > 1
    num_bits = bit_packing.bit_length(group)
    codes += tf.where(is_sent, tf.bitwise.left_shift(group, lengths), 0)
    lengths += tf.where(is_sent, num_bits, 0)
    group = num_bits - 1
  return codes, lengths


def encode(values):
  """Encodes integers; each zero less, and each smaller number, saves bits.

  For each entry that is not zero the stream has: the omega code of its distance
  to the previous such entry, or for the first one its index plus 1; a sign bit,
  1 for negative; the omega code of its absolute value.

  Args:
    values: An int32 tensor of shape `[n]`.

  Returns:
    The stream, uint8 of shape `[ceil(bits / 8)]` with unused low bits of 0, and
    the number of entries that are not zero, an int32 scalar.
  """
  indices = tf.cast(tf.where(tf.not_equal(values, 0))[:, 0], tf.int32)
  values = tf.gather(values, indices)
  ends = tf.concat([[-1], indices], axis=0)
  distances = ends[1:] - ends[:-1]
  run_codes, run_lengths = omega_codes(distances)
  codes, lengths = omega_codes(tf.abs(values))
  is_negative = tf.cast(values < 0, tf.int64)
  codes += tf.bitwise.left_shift(is_negative, lengths)
  bits = _concatenate(
      tf.reshape(tf.stack([run_codes, codes], axis=1), [-1]),
      tf.reshape(tf.stack([run_lengths, lengths + 1], axis=1), [-1]),
  )
  return packing.pack_signs(bits), tf.size(indices)


def decode(packed, num_nonzero, length):
  """Decodes what `encode` has encoded.

  Which bits begin a code is known only after all codes before it. So the code
  that would begin there is read at every bit, and the beginnings are found from
  the first one by pointer doubling.

  Args:
    packed: A uint8 tensor of shape `[m]`.
    num_nonzero: An int32 scalar.
    length: The number of entries, a Python int.

  Returns:
    An int32 tensor of shape `[length]`.
  """
  bits = bit_packing.unpack_bits(packed)
  num_bits = tf.size(bits)
  numbers, ends = _read_everywhere(bits)
  # One entry begins where the one before has ended. All positions include the
  # one behind the last bit, which ends there itself.
  behind_sign = tf.minimum(ends + 1, num_bits)
  starts = _chain(tf.gather(ends, behind_sign), num_nonzero)
  sign_at = tf.gather(ends, starts)
  sizes = tf.gather(numbers, tf.gather(behind_sign, starts))
  values = tf.where(tf.gather(bits, sign_at) > 0, -sizes, sizes)
  indices = tf.cumsum(tf.gather(numbers, starts)) - 1
  return tf.scatter_nd(indices[:, tf.newaxis], values, [length])


def _concatenate(codes, lengths):
  """Returns the bits of all codes in order, a bool tensor."""
  ends = tf.cumsum(lengths)
  num_bits = tf.reduce_sum(lengths)
  starts = (ends - lengths)[:, tf.newaxis]
  is_start = tf.scatter_nd(starts, tf.ones_like(lengths), num_bits[tf.newaxis])
  code_of_bit = tf.cumsum(is_start) - 1
  shifts = tf.gather(ends, code_of_bit) - 1 - tf.range(num_bits)
  return tf.bitwise.right_shift(tf.gather(codes, code_of_bit), shifts) % 2 > 0


def _windows(bits):
  """Returns the number in the 31 bits from each position on, one more too."""
  words = tf.pad(bits, [[0, 1 + _WINDOW_BITS]])
  # Words of 1, 2, 4, 8, 16 bits; 15 of the next 16 make 31.
  for width in (1, 2, 4, 8):
    words = tf.bitwise.left_shift(words[:-width], width) + words[width:]
  upper = tf.bitwise.left_shift(words[:-16], _WINDOW_BITS - 16)
  return upper + tf.bitwise.right_shift(words[16:], 1)


def _read_everywhere(bits):
  """Reads the omega code that begins at each position.

  Args:
    bits: An int32 tensor of shape `[m]`.

  Returns:
    The numbers and the positions behind the codes, int32 of shape `[m + 1]`,
    the position behind the last bit included. What begins with no code gives
    some number and position of this range.
  """
  num_bits = tf.size(bits)
  windows = _windows(bits)
  positions = tf.range(num_bits + 1)
  numbers = tf.ones_like(positions)
  for _ in range(_MAX_GROUPS):
    window = tf.gather(windows, positions)
    is_group = window >= 2 ** (_WINDOW_BITS - 1)
    size = tf.minimum(numbers, _WINDOW_BITS - 1) + 1
    group = tf.bitwise.right_shift(window, _WINDOW_BITS - size)
    numbers = tf.where(is_group, group, numbers)
    positions += tf.where(is_group, size, 0)
    positions = tf.minimum(positions, num_bits)
  return numbers, tf.minimum(positions + 1, num_bits)


def _chain(successors, count):
  """Returns 0, its successor, the successor of that, ...

  Args:
    successors: An int32 tensor of shape `[m]`, entries in `[0, m)`.
    count: An int32 scalar.

  Returns:
    An int32 tensor of shape `[count]`.
  """
  steps = tf.range(count)

  def double(power, successors, reached):
    takes_power = tf.bitwise.bitwise_and(steps, power) > 0
    reached = tf.where(takes_power, tf.gather(successors, reached), reached)
    return 2 * power, tf.gather(successors, successors), reached

  _, _, reached = tf.while_loop(
      lambda power, *_: power < count,
      double,
      (tf.constant(1), successors, tf.zeros_like(steps)),
  )
  return reached
