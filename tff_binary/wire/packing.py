# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Packs signs into bytes, eight to a byte; see FORMAT.md."""

import numpy as np
import tensorflow as tf

from tff_binary.ops import autograph
from tff_binary.ops import shared
from tff_binary.ops import xla

# Signs of the eight entries that each byte holds: row `b` is the signs of byte
# `b`, most significant bit first.
_SIGNS_OF_BYTE = np.where(
    np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1), 1.0, -1.0
)
# Moves the lowest bit of byte i of a 64-bit word to bit 63 - i.
_GATHER_LOW_BITS = np.uint64(0x8040201008040201)
# What the bits of a byte count, and in a sum with those what does not.
_PLACE_VALUES = 2 ** np.arange(7, -1, -1, dtype=np.int32)
_MARK = 256
# Below it compiling takes longer than some thousand calls are faster.
_MIN_COMPILED_LENGTH = 2**16


def num_bytes(length):
  """Returns the bytes that hold `length` signs, a Python int."""
  return (length + 7) // 8


@autograph.as_written
def pack_signs(positive):
  """Packs booleans into bytes, the first one in the most significant bit.

  Args:
    positive: A bool tensor of shape `[n]`.

  Returns:
    A uint8 tensor of shape `[ceil(n / 8)]`; unused low bits of the last byte
    are 0.
  """
  length = positive.shape[0]
  packed = _pack_signs(positive)
  packed.set_shape([None if length is None else num_bytes(length)])
  return packed


@autograph.as_written
def unpack_signs(packed, length, step_size):
  """Unpacks bytes into `+step_size` and `-step_size`.

  Args:
    packed: A uint8 tensor of shape `[ceil(length / 8)]`.
    length: The number of entries, a Python int.
    step_size: A float scalar.

  Returns:
    A tensor of shape `[length]` and of `step_size`'s dtype.
  """
  entries = _UNPACK_SIGNS[step_size.dtype](packed, length, step_size)
  entries.set_shape([length])
  return entries


def _pack(positive):
  bits = tf.pad(tf.cast(positive, tf.uint8), [[0, -tf.size(positive) % 8]])
  # Eight bits at a time; TensorFlow's machines are all little-endian.
  words = tf.bitcast(tf.reshape(bits, [-1, 8]), tf.uint64)
  first_bytes = tf.bitwise.right_shift(
      words * _GATHER_LOW_BITS, tf.constant(56, tf.uint64)
  )
  return tf.cast(first_bytes, tf.uint8)


def _unpack(packed, length, step_size):
  # Scaling the table instead of the result saves a pass over the tensor.
  table = tf.cast(_SIGNS_OF_BYTE, step_size.dtype) * step_size
  return tf.reshape(tf.gather(table, tf.cast(packed, tf.int32)), [-1])[:length]


_pack_signs = shared.function(_pack, (tf.bool,))
_UNPACK_SIGNS = {
    dtype: shared.function(_unpack, (tf.uint8, tf.int32, dtype))
    for dtype in (tf.float32, tf.float64)
}


@autograph.as_written
def is_fast(spec):
  """Returns whether a tensor is one for the two compiled functions below.

  Args:
    spec: Its `tf.TensorSpec`, of static shape.
  """
  length = spec.shape.num_elements()
  return (
      spec.dtype == tf.float32  # Python values.
      and length % 8 == 0  # Python values.
      and length >= _MIN_COMPILED_LENGTH
  )


@autograph.as_written
def pack_two_values(x):
  """Packs the signs of a tensor that holds `-alpha` and `+alpha`, in one pass.

  Args:
    x: A tensor for which `is_fast` holds.

  Returns:
    The signs as by `pack_signs(x >= 0)`; `alpha`, a non-negative float32
    scalar; and a bool scalar, whether `x` has no other entries than those two.
    If it has, or one is NaN, the others are undefined.
  """
  groups = tf.reshape(x, [-1, 8])
  return xla.compiled(_pack_two_values, groups.shape[0])(groups)


def _pack_two_values(groups):
  alpha = tf.abs(groups[0, 0])
  sums = tf.reduce_sum(
      tf.cast(groups >= 0.0, tf.int32) * _PLACE_VALUES
      + tf.cast(tf.not_equal(tf.abs(groups), alpha), tf.int32) * _MARK,
      axis=1,
  )
  return tf.cast(sums, tf.uint8), alpha, tf.reduce_max(sums) < _MARK


@autograph.as_written
def add_unpacked(total, packed, step_size):
  """Returns `total + unpack_signs(packed)`, in one pass.

  Args:
    total: A tensor for which `is_fast` holds.
    packed: A uint8 tensor of shape `[length / 8]`.
    step_size: A float32 scalar.

  Returns:
    A tensor of `total`'s shape.
  """
  groups = tf.reshape(total, [-1, 8])
  groups = xla.compiled(_add_unpacked, groups.shape[0])(
      groups, packed, step_size
  )
  return tf.reshape(groups, total.shape)


def _add_unpacked(groups, packed, step_size):
  table = tf.cast(_SIGNS_OF_BYTE, tf.float32) * step_size
  return groups + tf.gather(table, tf.cast(packed, tf.int32))
