# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Signs without a step size: the trained bits of FedBiF."""

import collections

import tensorflow as tf

from tff_binary.wire import codec
from tff_binary.wire import packing


class SignPlanesCodec(codec.Codec):
  """One bit an entry and nothing else, lossless on planes of `{-1, +1}`.

  A value has the shape `[A, *s]`: A planes of entries for each of the
  parameters of shape `s`. The payload is `bits`, uint8 of shape `[A, ceil(n /
  8)]` for n parameters, each plane packed like the bits of `BinaryCodec`.

  With `trim`, planes of zeros at the end are on the grid too, and not sent.
  Without, a value is on the grid if it is zero altogether, but decoded as such
  only with weight zero: it is what a client sends whose result is not used.
  """

  draws = False

  def __init__(self, trim=False):
    """Initializes the codec.

    Args:
      trim: Whether the last planes of a value may be zero.
    """
    self._trim = trim

  def encode(self, value, seed=None):
    num_planes = value.shape[0]
    length = value.shape[1:].num_elements()
    num_bytes = packing.num_bytes(length)
    planes = tf.reshape(value, [num_planes, length])
    positive = tf.pad(planes >= 0.0, [[0, 0], [0, 8 * num_bytes - length]])
    bits = packing.pack_signs(tf.reshape(positive, [-1]))
    bits = tf.reshape(bits, [num_planes, num_bytes])
    if self._trim:
      is_sent = tf.reduce_any(tf.not_equal(planes, 0.0), axis=1)
      bits = bits[: tf.reduce_sum(tf.cast(is_sent, tf.int32))]
    return collections.OrderedDict(bits=bits)

  def decode(self, payload, spec, weight=1.0):
    num_planes = spec.shape[0]
    length = spec.shape[1:].num_elements()
    num_bytes = packing.num_bytes(length)
    bits = payload['bits']
    num_sent = tf.shape(bits)[0]
    bits = tf.pad(bits, [[0, num_planes - num_sent], [0, 0]])
    signs = packing.unpack_signs(
        tf.ensure_shape(tf.reshape(bits, [-1]), [num_planes * num_bytes]),
        num_planes * num_bytes * 8,
        codec.weighted(1.0, weight, spec.dtype),
    )
    planes = tf.reshape(signs, [num_planes, num_bytes * 8])[:, :length]
    if self._trim:
      is_sent = tf.range(num_planes)[:, tf.newaxis] < num_sent
      planes = tf.where(is_sent, planes, tf.zeros_like(planes))
    return codec.restored(planes, spec)

  def num_off_grid(self, value):
    planes = tf.reshape(value, [value.shape[0], value.shape[1:].num_elements()])
    axis = 1 if self._trim else None
    is_zero = tf.reduce_all(tf.equal(planes, 0.0), axis=axis, keepdims=True)
    if self._trim:
      # A plane of zeros before another plane could not be told from it.
      is_zero = tf.math.cumprod(tf.cast(is_zero, tf.int32), reverse=True) > 0
    is_sign = tf.equal(tf.abs(planes), 1.0)
    is_on_grid = tf.logical_or(is_sign, is_zero)
    return tf.math.count_nonzero(tf.logical_not(is_on_grid))

  def num_params(self, spec):
    return spec.shape[1:].num_elements()
