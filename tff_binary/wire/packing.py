# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Packs signs into bytes, eight to a byte; see FORMAT.md."""

import numpy as np
import tensorflow as tf

# Signs of the eight entries that each byte holds: row `b` is the signs of byte
# `b`, most significant bit first.
_SIGNS_OF_BYTE = np.where(
    np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1), 1.0, -1.0
)
# Moves the lowest bit of byte i of a 64-bit word to bit 63 - i.
_GATHER_LOW_BITS = np.uint64(0x8040201008040201)


def num_bytes(length):
  """Returns the bytes that hold `length` signs, a Python int."""
  return (length + 7) // 8


def pack_signs(positive):
  """Packs booleans into bytes, the first one in the most significant bit.

  Args:
    positive: A bool tensor of shape `[n]`.

  Returns:
    A uint8 tensor of shape `[ceil(n / 8)]`; unused low bits of the last byte
    are 0.
  """
  length = positive.shape[0]
  if length is None:
    length = tf.size(positive)
  bits = tf.pad(tf.cast(positive, tf.uint8), [[0, -length % 8]])
  # Eight bits at a time; TensorFlow's machines are all little-endian.
  words = tf.bitcast(tf.reshape(bits, [-1, 8]), tf.uint64)
  first_bytes = tf.bitwise.right_shift(
      words * _GATHER_LOW_BITS, tf.constant(56, tf.uint64)
  )
  return tf.cast(first_bytes, tf.uint8)


def unpack_signs(packed, length, step_size):
  """Unpacks bytes into `+step_size` and `-step_size`.

  Args:
    packed: A uint8 tensor of shape `[ceil(length / 8)]`.
    length: The number of entries, a Python int.
    step_size: A float scalar.

  Returns:
    A tensor of shape `[length]` and of `step_size`'s dtype.
  """
  # Scaling the table instead of the result saves a pass over the tensor.
  table = tf.cast(_SIGNS_OF_BYTE, step_size.dtype) * step_size
  return tf.reshape(tf.gather(table, tf.cast(packed, tf.int32)), [-1])[:length]
