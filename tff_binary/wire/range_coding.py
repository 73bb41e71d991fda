# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Adaptive range coding: codes in about as many bits as their entropy.

A range coder (Martin, "Range encoding", 1979) in integers, whose model counts:
the next bit is taken to be a one with the chance

  (ones + 1/2) / (ones + zeros + 1)

of the bits before it in the same context (Krichevsky and Trofimov, IEEE
Transactions on Information Theory 27, 1981), which both ends know without a
word about it. For n bits of any fixed chance that costs `log2(n) / 2 + 1` bits
more than their entropy. FORMAT.md has the rules.

The loop over the bits is compiled by XLA, 20 ns a bit. A runtime without XLA,
such as TFF's own C++ worker, executes it operation by operation, with the same
result: some 15 us a bit of a small tensor, and more of a large one, which is
copied in every step.
"""

import numpy as np
import tensorflow as tf

from tff_binary.ops import xla
from tff_binary.wire import bit_packing

# Counts are in units of 1/2. A context's are halved where their sum exceeds
# this, so that it follows bits whose chance changes.
_LARGEST_TOTAL = 2**16
# Low end and width of the interval are in units of 2**-48; the upper 16 bits
# leave as a digit when the width has become less than 2**32.
_DIGIT_BITS = 16
_SMALLEST_WIDTH = 2**32
_NUM_REGISTER_DIGITS = 3
_DIGIT_BYTES = 2


def counts(num_contexts, bits, chances=None):
  """Returns the counts with which a model begins.

  Args:
    num_contexts: How many contexts a code may have, an int >= 1.
    bits: The width of a code, a Python int in `[1, 8]`.
    chances: How likely the bits of one-bit codes are ones in each context,
      floats in `[0, 1]`, if that is known beforehand: they count as 31 bits.

  Returns:
    An int32 array of shape `[num_contexts, 2**bits - 1]`: for each context, and
    for each possible beginning of a code, in units of 1/2, zeros in the lower
    16 bits and ones in the upper.
  """
  ones = np.zeros([num_contexts, 1], np.int32)
  zeros = np.zeros_like(ones)
  if chances is not None:
    ones = np.round(62.0 * np.float64(chances)).astype(np.int32)[:, np.newaxis]
    zeros = 62 - ones
  return np.tile((ones + 1) * 2**16 + zeros + 1, [1, 2**bits - 1])


def encode(codes, bits, initial_counts, contexts=None):
  """Encodes codes, or packs them where that takes no more bytes.

  Args:
    codes: An int32 tensor of static shape `[n]`, entries in `[0, 2**bits)`.
    bits: The width of a code, an int in `[1, 8]`, Python or a tensor.
    initial_counts: What `counts` returns for this width, or a larger one.
    contexts: An int32 tensor of shape `[n]`, the context of each code; `None`
      for one context.

  Returns:
    A uint8 tensor of shape `[m]`; `m` is at most `ceil(n * bits / 8)`, the size
    of packed codes, which tells that they are packed.
  """
  num_codes = codes.shape[0]
  if isinstance(bits, int):
    packed = bit_packing.pack_codes(codes, bits)
  else:
    packed = bit_packing.pack_codes_of_any_width(codes, bits)
  if not num_codes:
    return packed
  if contexts is None:
    contexts = tf.zeros_like(codes)
  # On a GPU each step of the loop would be a launch of its own.
  with tf.device('/CPU:0'):
    encode_digits = xla.compiled(_encode, num_codes, initial_counts.shape)
    digits, num_digits, is_complete = encode_digits(
        codes, contexts, tf.constant(initial_counts), tf.convert_to_tensor(bits)
    )
    digits = _carry(digits[:num_digits])
    upper, lower = digits // 256, digits % 256
    coded = tf.reshape(tf.stack([upper, lower], axis=1), [-1])
    is_needed = tf.cumsum(coded, reverse=True) > 0
    coded = tf.cast(tf.boolean_mask(coded, is_needed), tf.uint8)
  is_shorter = tf.logical_and(is_complete, tf.size(coded) < tf.size(packed))
  return tf.cond(is_shorter, lambda: coded, lambda: packed)


def decode(encoded, num_codes, bits, initial_counts, contexts=None):
  """Decodes what `encode` has returned.

  Args:
    encoded: A uint8 tensor of shape `[m]`.
    num_codes: n, a Python int.
    bits: As for `encode`.
    initial_counts: As for `encode`.
    contexts: As for `encode`.

  Returns:
    An int32 tensor of shape `[n]`. Of bytes that `encode` never returns, too.
  """
  if contexts is None:
    contexts = tf.zeros([num_codes], tf.int32)
  def decode_digits():
    num_digits = _num_digits(num_codes, initial_counts)
    coded = _resize(encoded, _DIGIT_BYTES * num_digits)
    pairs = tf.cast(tf.reshape(coded, [num_digits, _DIGIT_BYTES]), tf.int64)
    with tf.device('/CPU:0'):
      return xla.compiled(_decode, num_codes, initial_counts.shape)(
          256 * pairs[:, 0] + pairs[:, 1],
          contexts,
          tf.constant(initial_counts),
          tf.convert_to_tensor(bits),
      )

  def unpack():
    size = (num_codes * bits + 7) // 8
    packed = _resize(encoded, size)
    if isinstance(bits, int):
      return bit_packing.unpack_codes(packed, num_codes, bits)
    return bit_packing.unpack_codes_of_any_width(packed, num_codes, bits)

  if not num_codes:
    return unpack()
  return tf.cond(
      8 * tf.size(encoded) < num_codes * bits, decode_digits, unpack
  )


def _resize(encoded, size):
  """Returns so many bytes, the last ones zeros where there are fewer."""
  encoded = encoded[:size]
  return tf.pad(encoded, [[0, size - tf.size(encoded)]])


def _num_digits(num_codes, initial_counts):
  """Returns how many digits there is room for: more than are worth it."""
  bits = initial_counts.shape[1].bit_length()
  return -(-num_codes * bits // _DIGIT_BITS) + _NUM_REGISTER_DIGITS


def _carry(digits):
  """Returns digits of 16 bits, from some that may exceed these."""

  def step(digits):
    carries = digits[1:] // 2**_DIGIT_BITS
    return (digits % 2**_DIGIT_BITS + tf.pad(carries, [[0, 1]]),)

  # Rarely more than one step.
  (digits,) = tf.while_loop(
      lambda digits: tf.reduce_any(digits >= 2**_DIGIT_BITS),
      step,
      (digits,),
      shape_invariants=(tf.TensorShape([None]),),
  )
  return digits


def _int64(x):
  return tf.constant(x, tf.int64)


def _right(x, bits):
  return tf.bitwise.right_shift(x, tf.constant(bits, x.dtype))


def _left(x, bits):
  return tf.bitwise.left_shift(x, tf.constant(bits, x.dtype))


def _zeros_and_ones(counted):
  """Returns the two counts of a context, int32 scalars."""
  # A shift to the right repeats the sign.
  return counted % 2**16, _right(counted, 16) % 2**16


def _split(width, counted):
  """Returns which part of the interval is that of a zero, an int64 scalar."""
  zeros, ones = _zeros_and_ones(counted)
  return width // tf.cast(zeros + ones, tf.int64) * tf.cast(zeros, tf.int64)


def _count(counted, bit):
  """Returns the counts of a context after one more bit, an int32 scalar."""
  zeros, ones = _zeros_and_ones(counted)
  zeros += 2 * (1 - bit)
  ones += 2 * bit
  is_full = zeros + ones > _LARGEST_TOTAL
  halved = lambda x: tf.where(is_full, _right(x + 1, 1), x)
  # One small number: XLA is slow with larger tables.
  return tf.bitwise.bitwise_or(_left(halved(ones), 16), halved(zeros))


def _encode(codes, contexts, initial_counts, bits):
  """Encodes codes.

  Returns:
    Digits that may exceed 16 bits by a carry, int64 of static shape; their
    number; and whether that is all of them.
  """
  num_codes = codes.shape[0]
  num_nodes = initial_counts.shape[1]
  leading = tf.bitwise.left_shift(1, bits)
  digits = tf.zeros([_num_digits(num_codes, initial_counts)], tf.int64)
  last = digits.shape[0] - 1

  def step(i, low, width, num_digits, table, digits):
    code = tf.gather(codes, i // bits)
    place = bits - 1 - i % bits
    # The bits before this one, after a one.
    prefix = tf.bitwise.right_shift(code + leading, place + 1)
    node = prefix - 1 + num_nodes * tf.gather(contexts, i // bits)
    bit = tf.bitwise.right_shift(code, place) % 2
    split = _split(width, tf.gather(table, node))
    # Always true; XLA copies the table if it may be written before it is read.
    bit = tf.where(split > 0, bit, 0)
    low += tf.where(bit > 0, split, 0)
    width = tf.where(bit > 0, width - split, split)
    table = tf.tensor_scatter_nd_update(
        table, [[node]], [_count(tf.gather(table, node), bit)]
    )
    # Written anew until it is complete.
    digits = tf.tensor_scatter_nd_update(
        digits, [[tf.minimum(num_digits, last)]], [_right(low, 32)]
    )
    is_complete = width < _SMALLEST_WIDTH
    low = tf.where(
        is_complete, _left(low % _SMALLEST_WIDTH, _DIGIT_BITS), low
    )
    width = tf.where(is_complete, _left(width, _DIGIT_BITS), width)
    num_digits += tf.cast(is_complete, tf.int32)
    return i + 1, low, width, num_digits, table, digits

  _, low, _, num_digits, _, digits = tf.while_loop(
      lambda i, *_: i < num_codes * bits,
      step,
      (
          0,
          _int64(0),
          _int64(2 ** (_DIGIT_BITS * _NUM_REGISTER_DIGITS)),
          0,
          tf.reshape(initial_counts, [-1]),
          digits,
      ),
  )
  # The interval is wide enough for a number that ends here.
  digits = tf.tensor_scatter_nd_update(
      digits,
      [[tf.minimum(num_digits, last)]],
      [_right(low + _SMALLEST_WIDTH - 1, 32)],
  )
  return digits, tf.minimum(num_digits, last) + 1, num_digits <= last


def _decode(digits, contexts, initial_counts, bits):
  """Returns the codes."""
  num_codes = contexts.shape[0]
  num_nodes = initial_counts.shape[1]
  leading = tf.bitwise.left_shift(1, bits)
  last = digits.shape[0] - 1

  def step(i, offset, width, num_digits, table, prefix, codes):
    node = prefix - 1 + num_nodes * tf.gather(contexts, i // bits)
    split = _split(width, tf.gather(table, node))
    is_one = offset >= split
    offset = tf.where(is_one, offset - split, offset)
    width = tf.where(is_one, width - split, split)
    bit = tf.cast(is_one, tf.int32)
    table = tf.tensor_scatter_nd_update(
        table, [[node]], [_count(tf.gather(table, node), bit)]
    )
    prefix = 2 * prefix + bit
    codes = tf.tensor_scatter_nd_update(
        codes, [[i // bits]], [prefix - leading]
    )
    prefix = tf.where(tf.equal(i % bits, bits - 1), 1, prefix)
    is_complete = width < _SMALLEST_WIDTH
    offset = tf.where(
        is_complete,
        _left(offset, _DIGIT_BITS) + tf.gather(digits, tf.minimum(num_digits, last)),
        offset,
    )
    width = tf.where(is_complete, _left(width, _DIGIT_BITS), width)
    num_digits += tf.cast(is_complete, tf.int32)
    return i + 1, offset, width, num_digits, table, prefix, codes

  *_, codes = tf.while_loop(
      lambda i, *_: i < num_codes * bits,
      step,
      (
          0,
          _left(digits[0], 32) + _left(digits[1], 16) + digits[2],
          _int64(2 ** (_DIGIT_BITS * _NUM_REGISTER_DIGITS)),
          _NUM_REGISTER_DIGITS,
          tf.reshape(initial_counts, [-1]),
          1,
          tf.zeros([num_codes], tf.int32),
      ),
  )
  return codes
