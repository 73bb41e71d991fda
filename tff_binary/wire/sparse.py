# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""A codec that sends the largest entries and where they are."""

import collections
import math

import numpy as np
import tensorflow as tf

from tff_binary.ops import sparsity
from tff_binary.wire import bit_packing
from tff_binary.wire import codec
from tff_binary.wire import packing

_MAX_REMAINDER_BITS = 16
# Which bits of a byte are set, most significant first.
_BITS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)


def _num_remainder_bits(ratio):
  """Returns the b with which gaps at random positions take the fewest bits.

  If every entry is sent with chance `ratio`, a gap is at least `2**b` with
  chance `(1 - ratio)**(2**b)` and its code has the expected length below.

  Args:
    ratio: The share of entries that are sent, in (0, 1].
  """
  log_of_rest = math.log1p(-ratio) if ratio < 1.0 else -math.inf
  # Of a smaller chance than a float can hold the most bits make the most.
  return min(
      range(_MAX_REMAINDER_BITS, -1, -1),
      key=lambda b: b - 1.0 / min(math.expm1(2**b * log_of_rest), -1e-300),
  )


class SparseCodec(codec.Codec):
  """Lossy: the entries of largest magnitude in float32, all others as zeros.

  Of n entries `round(ratio * n)` are sent, but at least one, whatever their
  values; of entries of the same magnitude the first ones. Updates with no more
  non-zero entries than that arrive as they are.

  Positions are sent as gaps, the number of entries between one that is sent and
  the next, in a Golomb-Rice code: for a gap g, `g >> b` as so many 0 bits and a
  1, and the b low bits of g. For random positions b is chosen by `ratio` such
  that this is within 3.5 % of the entropy for ratios between 1e-5 and 0.3, and
  at most 16; where positions lie in clusters it takes less.

  The payload is `values`, float32 of shape `[k]`; `quotients`, uint8, all codes
  of `g >> b` one after the other, at most `k + (n - k) / 2**b` bits; and
  `remainders`, uint8 of shape `[ceil(k b / 8)]`.
  """

  draws = False

  def __init__(self, ratio):
    """Initializes the codec.

    Args:
      ratio: The share of entries that are sent, a float in (0, 1].

    Raises:
      ValueError: If `ratio` is outside its range.
    """
    if not (codec.is_number(ratio) and 0.0 < ratio <= 1.0):
      raise ValueError(f'ratio must be a number in (0, 1], got {ratio!r}.')
    self._ratio = ratio
    self._remainder_bits = _num_remainder_bits(ratio)

  def encode(self, value, seed=None):
    value = tf.reshape(tf.saturate_cast(value, tf.float32), [-1])
    k = sparsity.num_largest(self._ratio, value.shape[0])
    positions = sparsity.positions_of_largest(value, k)
    previous = tf.concat([[-1], positions[:-1]], axis=0)
    gaps = positions - previous - 1
    quotients = tf.bitwise.right_shift(gaps, self._remainder_bits)
    lengths = quotients + 1
    ones = tf.scatter_nd(
        (tf.cumsum(lengths) - 1)[:, tf.newaxis],
        tf.ones([k], tf.int32),
        tf.reduce_sum(lengths, keepdims=True),
    )
    return collections.OrderedDict(
        values=tf.gather(value, positions),
        quotients=packing.pack_signs(ones > 0),
        remainders=self._pack_remainders(gaps),
    )

  def _pack_remainders(self, gaps):
    bits = self._remainder_bits
    if bits < 1:
      return tf.zeros([0], tf.uint8)
    return bit_packing.pack_codes(
        tf.bitwise.bitwise_and(gaps, (1 << bits) - 1), bits
    )

  def decode(self, payload, spec, weight=1.0):
    size = spec.shape.num_elements()
    k = sparsity.num_largest(self._ratio, size)
    ones = tf.where(
        tf.reshape(
            tf.gather(_BITS_OF_BYTE, tf.cast(payload['quotients'], tf.int32)),
            [-1],
        )
    )
    ends = tf.ensure_shape(tf.cast(ones[:, 0], tf.int32), [k])
    quotients = ends - tf.concat([[-1], ends[:-1]], axis=0) - 1
    gaps = tf.bitwise.left_shift(quotients, self._remainder_bits)
    if self._remainder_bits > 0:
      gaps += bit_packing.unpack_codes(
          payload['remainders'], k, self._remainder_bits
      )
    dtype = codec.wide(spec.dtype)
    values = tf.math.multiply_no_nan(
        tf.cast(payload['values'], dtype), tf.cast(weight, dtype)
    )
    positions = tf.cumsum(gaps + 1) - 1
    entries = tf.scatter_nd(positions[:, tf.newaxis], values, [size])
    return codec.restored(entries, spec)
