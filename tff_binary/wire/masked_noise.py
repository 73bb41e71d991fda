# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Masks of noise that both ends draw from a seed: FedMRN."""

import collections

import tensorflow as tf

from tff_binary.ops import masked_noise
from tff_binary.wire import codec
from tff_binary.wire import packing


class MaskedNoiseCodec(codec.Codec):
  """One bit an entry and a seed, lossless on masked noise.

  The value for a tensor of n parameters is a vector of `n + 2` entries: the
  masked noise, flattened, and the `seed_words` of the noise. With a binary mask
  each of the n is the noise or zero, with a signed one the noise or its
  negative. It is decoded to the weighted masked noise and two zeros.

  The payload is `bits`, uint8 of shape `[ceil(n / 8)]`, and `seed`, int32 of
  shape `[2]`. A value of zeros, which is what a client sends whose result is
  not used, is on the grid; with a signed mask it is decoded as such only with
  weight zero.
  """

  draws = False

  def __init__(self, mask='binary', distribution='uniform', magnitude=0.01):
    """Initializes the codec.

    Args:
      mask: `'binary'` or `'signed'`.
      distribution: See `ops.masked_noise.draw_noise`.
      magnitude: See `ops.masked_noise.draw_noise`.

    Raises:
      ValueError: If one is outside its range.
    """
    if mask not in masked_noise.MASKS:
      raise ValueError(
          f'mask must be one of {masked_noise.MASKS}, got {mask!r}.'
      )
    if distribution not in masked_noise.DISTRIBUTIONS:
      raise ValueError(
          f'distribution must be one of {masked_noise.DISTRIBUTIONS}, got'
          f' {distribution!r}.'
      )
    if not (codec.is_number(magnitude) and 1e-6 <= magnitude <= 1e6):
      raise ValueError(f'magnitude must be in [1e-6, 1e6], got {magnitude!r}.')
    self._is_signed = mask == 'signed'  # Python values.
    self._distribution = distribution
    self._magnitude = magnitude

  def _noise(self, length, seed):
    return masked_noise.draw_noise(
        [length], seed, self._distribution, self._magnitude
    )

  def encode(self, value, seed=None):
    del seed  # The value has its own.
    entries, words = _split(tf.saturate_cast(value, tf.float32))
    noise_seed = masked_noise.seed_of(words)
    if self._is_signed:
      noise = self._noise(entries.shape[0], noise_seed)
      bits = tf.equal(entries >= 0.0, noise >= 0.0)
    else:
      bits = tf.not_equal(entries, 0.0)
    return collections.OrderedDict(
        bits=packing.pack_signs(bits), seed=noise_seed
    )

  def decode(self, payload, spec, weight=1.0):
    length = self.num_params(spec)
    dtype = codec.wide(spec.dtype)
    noise = tf.cast(self._noise(length, payload['seed']), dtype)
    signs = packing.unpack_signs(
        payload['bits'], length, tf.constant(1.0, dtype)
    )
    if self._is_signed:
      masked = noise * signs
    else:
      masked = tf.where(signs > 0.0, noise, tf.zeros_like(noise))
    entries = tf.math.multiply_no_nan(masked, tf.cast(weight, dtype))
    padded = tf.pad(entries, [[0, masked_noise.NUM_SEED_WORDS]])
    return codec.restored(padded, spec)

  def num_off_grid(self, value):
    entries, words = _split(tf.cast(value, tf.float32))
    seed = masked_noise.seed_of(words)
    noise = self._noise(entries.shape[0], seed)
    other = -noise if self._is_signed else tf.zeros_like(noise)
    is_off = tf.logical_not(
        tf.logical_or(tf.equal(entries, noise), tf.equal(entries, other))
    )
    is_other_word = tf.not_equal(words, masked_noise.seed_words(seed))
    is_off = tf.concat([is_off, is_other_word], axis=0)
    is_used = tf.reduce_any(tf.not_equal(value, 0.0))
    return tf.math.count_nonzero(tf.logical_and(is_off, is_used))

  def num_params(self, spec):
    return spec.shape.num_elements() - masked_noise.NUM_SEED_WORDS


def _split(value):
  """Returns the entries of a value and the words of its seed, both vectors."""
  vector = tf.reshape(value, [-1])
  num_words = masked_noise.NUM_SEED_WORDS
  return vector[:-num_words], vector[-num_words:]
