# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Three values: a step size, its opposite and zero."""

import collections

import tensorflow as tf

from tff_binary.ops import norms
from tff_binary.wire import bit_packing
from tff_binary.wire import codec

# Of 0, +step_size and -step_size; by the first bit an entry is negative.
_POSITIVE, _NEGATIVE = 1, 2
_VALUE_OF_CODE = (0.0, 1.0, -1.0, 0.0)


class TernaryCodec(codec.Codec):
  """Two bits an entry and one step size, lossless on `{-alpha, 0, alpha}`.

  The payload is `codes`, uint8 of shape `[ceil(2 n / 8)]`, 0 for 0, 1 for alpha
  and 2 for -alpha, and `step_size`, one float32. In an `EntropyCodec` entries
  take as many bits as they have entropy, less than log2(3).
  """

  draws = False
  codes = ('codes', 2)

  def encode(self, value, seed=None):
    value = tf.reshape(tf.saturate_cast(value, tf.float32), [-1])
    codes = tf.where(
        value > 0.0, _POSITIVE, tf.where(value < 0.0, _NEGATIVE, 0)
    )
    return collections.OrderedDict(
        codes=bit_packing.pack_codes(codes, 2), step_size=norms.max_norm(value)
    )

  def decode(self, payload, spec, weight=1.0):
    codes = bit_packing.unpack_codes(
        payload['codes'], spec.shape.num_elements(), 2
    )
    step_size = codec.weighted(payload['step_size'], weight, spec.dtype)
    values = tf.constant(_VALUE_OF_CODE, step_size.dtype) * step_size
    return codec.restored(tf.gather(values, codes), spec)

  def num_off_grid(self, value):
    is_off_grid = tf.logical_and(
        tf.not_equal(tf.abs(value), norms.max_norm(value)),
        tf.not_equal(value, 0.0),
    )
    return tf.math.count_nonzero(is_off_grid)
