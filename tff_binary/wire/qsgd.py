# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""QSGD: signs and levels, whose number may change from message to message."""

import collections
import copy

import tensorflow as tf

from tff_binary.ops import norms
from tff_binary.ops import rounding
from tff_binary.ops import seeds
from tff_binary.wire import bit_packing
from tff_binary.wire import codec
from tff_binary.wire import elias

MAX_LEVELS = rounding.MAX_LEVELS


class QSGDCodec(codec.Codec):
  """Lossy: every entry stochastically rounded to a sign and a level.

  Source: QSGD (Alistarh et al., NeurIPS 2017): `||x|| * sign * k / s` for k in
  `[0, s]`; unbiased. With s = 1 an entry is 0 or `+-||x||`.

  The payload names s, so that it can be decoded without knowing what has been
  chosen for this message: `levels`, one uint16 holding s, `norm`, one float32,
  and, depending on the coding,

  *   `'fixed'`: `codes` of 1 + ceil(log2(s + 1)) bits each, uint8 of shape
      `[ceil(n bits / 8)]`.
  *   `'elias'`: `stream`, uint8 of shape `[ceil(bits / 8)]`, the signed levels
      as in `wire.elias`, and `num_nonzero`, one int32. Short where most levels
      are zero, hence with the 2-norm and few levels.

  Attributes:
    is_joint: See `Codec`.
  """

  def __init__(self, levels=7, norm='l2', coding='fixed', is_joint=False):
    """Initializes the codec.

    Args:
      levels: s, an integer in `[1, 32767]`.
      norm: `'l2'`, as in QSGD, or `'max'`, the largest absolute value.
      coding: `'fixed'` or `'elias'`.
      is_joint: Whether the compressed tensors of an update are encoded as one
        vector, with one norm, or each by itself.

    Raises:
      ValueError: If a value is outside its range.
    """
    _check_levels(levels)
    if norm not in ('l2', 'max'):
      raise ValueError(f"norm must be 'l2' or 'max', got {norm!r}.")
    if coding not in ('fixed', 'elias'):
      raise ValueError(f"coding must be 'fixed' or 'elias', got {coding!r}.")
    self._levels = int(levels)
    self._norm = norms.two_norm if norm == 'l2' else norms.max_norm
    self._is_elias = coding == 'elias'
    self.is_joint = is_joint

  def with_levels(self, levels):
    """Returns a codec that encodes with another number of levels.

    Args:
      levels: An int32 scalar in `[1, 32767]`, Python or a tensor.

    Returns:
      A `QSGDCodec`. What it encodes, any of them decodes.

    Raises:
      ValueError: If a Python number is outside its range.
    """
    if not tf.is_tensor(levels):
      _check_levels(levels)
    other = copy.copy(self)
    other._levels = levels
    return other

  def encode(self, value, seed=None):
    value = tf.reshape(tf.saturate_cast(value, tf.float32), [-1])
    levels = tf.convert_to_tensor(self._levels, tf.int32)
    largest = tf.cast(levels, tf.float32)
    norm = norms.below_overflow(self._norm(value))
    magnitudes = rounding.stochastic_magnitude(
        value, norm / largest, largest, seeds.uniform(value.shape, seed)
    )
    payload = collections.OrderedDict(
        levels=tf.cast(levels, tf.uint16), norm=norm
    )
    if self._is_elias:
      signed = tf.cast(tf.where(value < 0.0, -magnitudes, magnitudes), tf.int32)
      payload['stream'], payload['num_nonzero'] = elias.encode(signed)
    else:
      bits = _num_bits(levels)
      codes = rounding.sign_magnitude_codes(value, magnitudes, bits)
      payload['codes'] = bit_packing.pack_codes_of_any_width(codes, bits)
    return payload

  def decode(self, payload, spec, weight=1.0):
    levels = tf.cast(payload['levels'], tf.int32)
    length = spec.shape.num_elements()
    step_size = codec.weighted(
        payload['norm'] / tf.cast(levels, tf.float32), weight, spec.dtype
    )
    if self._is_elias:
      signed = elias.decode(payload['stream'], payload['num_nonzero'], length)
      entries = step_size * tf.cast(signed, step_size.dtype)
    else:
      bits = _num_bits(levels)
      codes = bit_packing.unpack_codes_of_any_width(
          payload['codes'], length, bits
      )
      entries = rounding.decode_sign_magnitude(codes, step_size, bits)
    return codec.restored(entries, spec)


def _check_levels(levels):
  if not (codec.is_integer(levels) and 1 <= levels <= MAX_LEVELS):
    raise ValueError(
        f'levels must be an integer in [1, {MAX_LEVELS}], got {levels!r}.'
    )


def _num_bits(levels):
  """Returns the bits of a sign and a level: 1 + ceil(log2(levels + 1))."""
  return 1 + bit_packing.bit_length(levels)
