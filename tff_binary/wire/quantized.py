# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Codecs that round every entry to one of some levels, b bits an entry."""

import collections

import tensorflow as tf

from tff_binary.ops import norms
from tff_binary.ops import rounding
from tff_binary.ops import seeds
from tff_binary.wire import bit_packing
from tff_binary.wire import codec

_MAX_BITS = 8
_MAX_RESOLUTION = 1e38


class QuantizedCodec(codec.Codec):
  """Lossy: every entry stochastically rounded to b bits.

  Source: FedPAQ (Reisizadeh et al., AISTATS 2020). Forms of the quantizer:

  *   `'uniform'`: `step * k` for the integers k in `[-2**(b-1), 2**(b-1) - 1]`
      with `step = ||x||_inf / 2**(b-1)`, equations 1 and 5 of the FedBiF paper.
      The positive end is clamped by up to a step; with b = 1 only `-||x||_inf`
      and 0 are left.
  *   `'qsgd'`: a sign and a level, `||x||_2 * sign * k / s` for k in `[0, s]`
      with `s = 2**(b-1) - 1`, as in QSGD (Alistarh et al., NeurIPS 2017) and
      the FedPAQ paper; unbiased, b >= 2.

  The payload is `codes`, uint8 of shape `[ceil(n b / 8)]`, and `step_size`, one
  float32.
  """

  def __init__(self, bits=4, form='uniform'):
    """Initializes the codec.

    Args:
      bits: b, an integer in `[1, 8]`, at least 2 for `'qsgd'`.
      form: `'uniform'` or `'qsgd'`.

    Raises:
      ValueError: If a value is outside its range.
    """
    if form not in ('uniform', 'qsgd'):
      raise ValueError(f"form must be 'uniform' or 'qsgd', got {form!r}.")
    self._is_qsgd = form == 'qsgd'  # Python values.
    minimum = 2 if self._is_qsgd else 1
    if not (
        codec.is_integer(bits) and minimum <= bits <= _MAX_BITS
    ):
      raise ValueError(
          f'bits must be an integer in [{minimum}, {_MAX_BITS}] with'
          f' form={form!r}, got {bits!r}.'
      )
    self._bits = int(bits)
    self.codes = ('codes', self._bits)

  def encode(self, value, seed=None):
    value = tf.reshape(tf.saturate_cast(value, tf.float32), [-1])
    noise = seeds.uniform(value.shape, seed)
    if self._is_qsgd:
      norm = norms.below_overflow(norms.two_norm(value))
      step_size = norm / (2 ** (self._bits - 1) - 1)
      round_to_codes = rounding.encode_sign_magnitude
    else:
      step_size = rounding.max_norm_step_size(value, self._bits)
      round_to_codes = rounding.encode
    codes = round_to_codes(value, step_size, self._bits, noise)
    return collections.OrderedDict(
        codes=bit_packing.pack_codes(codes, self._bits), step_size=step_size
    )

  def decode(self, payload, spec, weight=1.0):
    codes = bit_packing.unpack_codes(
        payload['codes'], spec.shape.num_elements(), self._bits
    )
    step_size = codec.weighted(payload['step_size'], weight, spec.dtype)
    decode = (
        rounding.decode_sign_magnitude if self._is_qsgd else rounding.decode
    )
    return codec.restored(decode(codes, step_size, self._bits), spec)


class RangeCodec(codec.Codec):
  """Lossy: as many bits as the range of the tensor takes at one resolution.

  Source: FedDQ (Qu et al., arXiv 2110.02291): `b = ceil(log2(range /
  resolution))` bits, so that fewer are sent as updates shrink. Here b is at
  least 1 and at most 16, and entries are rounded stochastically, without bias,
  to the `2**b` points from the smallest to the largest entry (our choices; the
  authors' code, github.com/lqu-001/FedDQ, rounds to the nearest).

  The payload is `bits`, one uint8 holding b, `codes`, uint8 of shape `[ceil(n b
  / 8)]`, `minimum` and `step_size`, a float32 each.
  """

  def __init__(self, resolution=0.005):
    """Initializes the codec.

    Args:
      resolution: A positive float, in units of a weight, at most 1e38.

    Raises:
      ValueError: If `resolution` is outside its range.
    """
    # A step of twice the largest resolution is still a float32.
    if not (
        codec.is_number(resolution) and 0.0 < resolution <= _MAX_RESOLUTION
    ):
      raise ValueError(
          'resolution must be a positive float, at most'
          f' {_MAX_RESOLUTION}, got {resolution!r}.'
      )
    self._resolution = resolution

  def encode(self, value, seed=None):
    value = tf.reshape(tf.saturate_cast(value, tf.float32), [-1])
    # Zero stands in for the entries of an empty tensor.
    extremes = value if value.shape[0] else tf.zeros([1])
    # Halves: the range of finite entries may be twice the largest float32.
    minimum, maximum = (
        0.5 * norms.below_overflow(reduce(extremes))
        for reduce in (tf.reduce_min, tf.reduce_max)
    )
    value_range = maximum - minimum
    bits = tf.math.ceil(_log2(value_range / (0.5 * self._resolution)))
    # NaN, of a tensor that is not finite, must not become any integer.
    bits = tf.where(tf.math.is_nan(bits), 1.0, bits)
    bits = tf.cast(tf.clip_by_value(bits, 1.0, rounding.MAX_BITS), tf.int32)
    num_steps = 2.0 ** tf.cast(bits, tf.float32) - 1.0
    step_size = value_range / num_steps
    levels = tf.math.divide_no_nan(0.5 * value - minimum, step_size)
    noise = seeds.uniform(value.shape, seed)
    codes = tf.clip_by_value(
        rounding.stochastic_round(levels, noise), 0.0, num_steps
    )
    return collections.OrderedDict(
        bits=tf.cast(bits, tf.uint8),
        codes=bit_packing.pack_codes_of_any_width(
            tf.cast(codes, tf.int32), bits
        ),
        minimum=2.0 * minimum,
        step_size=2.0 * step_size,
    )

  def decode(self, payload, spec, weight=1.0):
    codes = bit_packing.unpack_codes_of_any_width(
        payload['codes'],
        spec.shape.num_elements(),
        tf.cast(payload['bits'], tf.int32),
    )
    dtype = codec.wide(spec.dtype)
    # Halves again, and the two after the weight, whose double may be infinite.
    # The weight comes late: a minimum that exceeds the dtype with its weight
    # may belong to an entry near zero.
    minimum, step_size = (
        0.5 * tf.cast(payload[name], dtype) for name in ('minimum', 'step_size')
    )
    entries = minimum + step_size * tf.cast(codes, dtype)
    entries = tf.math.multiply_no_nan(entries, tf.cast(weight, dtype))
    return codec.restored(2.0 * entries, spec)


def _log2(x):
  return tf.math.log(x) / tf.math.log(2.0)
