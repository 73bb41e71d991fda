# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Floats of a few bits: a sign, an exponent and a mantissa."""

import collections

import numpy as np
import tensorflow as tf

from tff_binary.ops import norms
from tff_binary.ops import rounding
from tff_binary.ops import seeds
from tff_binary.wire import bit_packing
from tff_binary.wire import codec

_EXPONENT_BITS = 5
# A sign and an exponent; the widest codes that are packed.
_MIN_BITS, _MAX_BITS = 1 + _EXPONENT_BITS, rounding.MAX_BITS


class MinifloatCodec(codec.Codec):
  """Lossy: every entry stochastically rounded to a float of b bits; unbiased.

  An entry has a sign, 5 bits of exponent and m = b - 6 of mantissa, and is in
  units of the tensor's largest magnitude. Exponents reach down to 2^-30 of
  that, so that tensors of very different size can be sent as one. Above it an
  entry is off by less than 2^-m of itself, and the variance is at most
  1 / (4^(m + 1) * (1 + 2^-m)) of its square: 1/8 with 6 bits, 1/80 with 8.
  Below, the floats are equally far apart.

  Source: natural compression (Horvath et al., "Natural Compression for
  Distributed Deep Learning", MSML 2022) rounds to powers of two, as b = 6 does
  here, with float32's own exponents of 8 bits. Fewer of them, in units of the
  largest magnitude, and a mantissa are ours.

  The payload is `codes`, uint8 of shape `[ceil(n b / 8)]`, and `scale`, one
  float32.
  """

  def __init__(self, bits=8):
    """Initializes the codec.

    Args:
      bits: b, an integer in `[6, 16]`.

    Raises:
      ValueError: If it is not.
    """
    if not (codec.is_integer(bits) and _MIN_BITS <= bits <= _MAX_BITS):
      raise ValueError(
          f'bits must be an integer in [{_MIN_BITS}, {_MAX_BITS}], got'
          f' {bits!r}.'
      )
    self.codes = ('codes', int(bits))
    # Of each code without its sign, in increasing order.
    self._magnitudes = _magnitudes(int(bits) - _MIN_BITS)

  def encode(self, value, seed=None):
    value = tf.reshape(tf.saturate_cast(value, tf.float32), [-1])
    scale = norms.max_norm(value)
    ratio = tf.math.divide_no_nan(tf.abs(value), scale)
    # None is above 1.
    used = self._magnitudes[self._magnitudes <= 1.0]
    noise = seeds.uniform(value.shape, seed)
    magnitudes = rounding.stochastic_index(ratio, used, noise)
    _, bits = self.codes
    codes = rounding.sign_magnitude_codes(value, magnitudes, bits)
    return collections.OrderedDict(
        codes=bit_packing.pack_codes(codes, bits), scale=scale
    )

  def decode(self, payload, spec, weight=1.0):
    _, bits = self.codes
    codes = bit_packing.unpack_codes(
        payload['codes'], spec.shape.num_elements(), bits
    )
    scale = codec.weighted(payload['scale'], weight, spec.dtype)
    # A code's most significant bit says that it is not negative.
    values = np.concatenate([-self._magnitudes, self._magnitudes])
    values = tf.constant(values, scale.dtype) * scale
    return codec.restored(tf.gather(values, codes), spec)


def _magnitudes(mantissa_bits):
  """Returns the floats of all exponents and mantissas, float32, increasing."""
  exponents, mantissas = np.divmod(
      np.arange(2 ** (_EXPONENT_BITS + mantissa_bits)), 2**mantissa_bits
  )
  # As in IEEE 754 the smallest exponent has no leading 1.
  fractions = mantissas / 2.0**mantissa_bits + (exponents > 0)
  largest = 2**_EXPONENT_BITS - 1
  powers = np.maximum(exponents, 1) - largest
  return np.float32(fractions * 2.0**powers)
