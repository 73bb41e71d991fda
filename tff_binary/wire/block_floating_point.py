# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The codec of block floating point: b bits an entry, 8 bits a block."""

import collections

import tensorflow as tf

from tff_binary.ops import block_floating_point
from tff_binary.ops import seeds
from tff_binary.wire import bit_packing
from tff_binary.wire import codec

_EXPONENT_BIAS = 127


class BlockFloatingPointCodec(codec.Codec):
  """Every entry as an integer of b bits, every block's exponent as a byte.

  Source: LPT (Li et al., NeurIPS 2024), see `ops.block_floating_point`. It is
  lossless on what has been rounded there with the same bits and blocks; other
  entries it rounds stochastically, without bias.

  The payload is `codes`, uint8 of shape `[ceil(n b / 8)]`, the integers plus
  `2**(b - 1)`, and `exponents`, uint8 of shape `[number of blocks]`, the
  exponents plus 127.
  """

  def __init__(self, bits=8, blocks='tensor'):
    """Initializes the codec.

    Args:
      bits: b, an integer in `[2, 16]`.
      blocks: What shares an exponent, one of `block_floating_point.BLOCKS`: the
        whole tensor, `'channel'` or `'kernel'`.

    Raises:
      ValueError: If a value is outside its range.
    """
    minimum, maximum = (
        block_floating_point.MIN_BITS,
        block_floating_point.MAX_BITS,
    )
    if not (codec.is_integer(bits) and minimum <= bits <= maximum):
      raise ValueError(
          f'bits must be an integer in [{minimum}, {maximum}], got {bits!r}.'
      )
    if blocks not in block_floating_point.BLOCKS:
      raise ValueError(
          f'blocks must be one of {", ".join(block_floating_point.BLOCKS)}, got'
          f' {blocks!r}.'
      )
    self._bits = int(bits)
    self._blocks = blocks

  def encode(self, value, seed=None):
    bound = block_floating_point.max_value(self._bits)
    value = tf.clip_by_value(
        tf.saturate_cast(value, tf.float32), -bound, bound
    )
    exponents = block_floating_point.exponents(value, self._bits, self._blocks)
    integers = block_floating_point.encode(
        value, exponents, self._bits, seeds.uniform(value.shape, seed)
    )
    # What is not finite must not become any integer.
    integers = tf.where(tf.math.is_finite(integers), integers, 0.0)
    codes = tf.cast(integers, tf.int32) + 2 ** (self._bits - 1)
    return collections.OrderedDict(
        codes=bit_packing.pack_codes(tf.reshape(codes, [-1]), self._bits),
        exponents=tf.cast(
            tf.reshape(exponents, [-1]) + _EXPONENT_BIAS, tf.uint8
        ),
    )

  def decode(self, payload, spec, weight=1.0):
    codes = bit_packing.unpack_codes(
        payload['codes'], spec.shape.num_elements(), self._bits
    )
    exponents = tf.reshape(
        tf.cast(payload['exponents'], tf.int32) - _EXPONENT_BIAS,
        block_floating_point.block_shape(spec.shape, self._blocks),
    )
    dtype = codec.wide(spec.dtype)
    step_sizes = block_floating_point.step_sizes(exponents, self._bits)
    integers = tf.reshape(codes - 2 ** (self._bits - 1), spec.shape)
    entries = tf.cast(integers, dtype) * tf.cast(step_sizes, dtype)
    entries = tf.math.multiply_no_nan(entries, tf.cast(weight, dtype))
    return codec.restored(entries, spec)
