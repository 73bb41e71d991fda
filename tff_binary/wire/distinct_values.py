# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tensors that have few different values, without loss."""

import collections

import tensorflow as tf

from tff_binary.wire import bit_packing
from tff_binary.wire import codec
from tff_binary.wire import range_coding

_MAX_BITS = 8
_COUNTS = range_coding.counts(1, _MAX_BITS)


class DistinctValuesCodec(codec.Codec):
  """Sends a tensor as its values and which entry has which, in float32.

  It is for means of few masks: those of K clients have K + 1 different entries,
  and take at most `log2(K + 1)` bits, less where some are frequent, as
  `range_coding` codes them.

  The payload is `values`, float32, the tensor's different entries in increasing
  order, and `codes`, uint8 of shape `[m]`: which of these each entry has, in as
  few bits as number them. Of a tensor of more than 256 values, or with none
  twice, `values` are its entries one by one and `codes` is empty.

  Both zeros may be decoded to either.
  """

  draws = False

  def encode(self, value, seed=None):
    entries = tf.reshape(tf.saturate_cast(value, tf.float32), [-1])
    values = tf.sort(tf.unique(entries).y)
    num_values = tf.size(values)
    has_few = tf.logical_and(
        num_values <= 2**_MAX_BITS, num_values < tf.size(entries)
    )

    def codes():
      which = tf.searchsorted(values, entries)
      # NaN, of a tensor that is not finite, is above all values.
      which = tf.minimum(which, num_values - 1)
      return range_coding.encode(which, _width(values), _COUNTS)

    return collections.OrderedDict(
        values=tf.cond(has_few, lambda: values, lambda: entries),
        codes=tf.cond(has_few, codes, lambda: tf.zeros([0], tf.uint8)),
    )

  def decode(self, payload, spec, weight=1.0):
    dtype = codec.wide(spec.dtype)
    values = tf.math.multiply_no_nan(
        tf.cast(payload['values'], dtype), tf.cast(weight, dtype)
    )
    num_entries = spec.shape.num_elements()

    def from_codes():
      which = range_coding.decode(
          payload['codes'], num_entries, _width(values), _COUNTS
      )
      return tf.gather(values, which)

    entries = tf.cond(
        tf.size(values) < num_entries, from_codes, lambda: values
    )
    return codec.restored(entries, spec)


def _width(values):
  """Returns the bits of a code, an int32 scalar."""
  return bit_packing.bit_length(tf.maximum(tf.size(values) - 1, 1))
