# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""How one tensor of a model update becomes bytes."""

import abc
import collections

import tensorflow as tf

from tff_binary.ops import binarize
from tff_binary.wire import packing


class Codec(abc.ABC):
  """Encodes one float tensor as a payload and decodes it.

  A payload is an `OrderedDict` of tensors; it is what a client sends. Its size
  is the size of those tensors, nothing is counted that is not in them.

  A codec that reproduces only some values (its grid) is lossless on those and
  names the others with `num_off_grid`. A codec with a rule for every value
  leaves `num_off_grid` at zero.

  Attributes:
    is_joint: Whether an aggregator joins all compressed tensors of an update to
      one vector and encodes that, instead of each tensor by itself.
  """

  is_joint = False

  @abc.abstractmethod
  def encode(self, value, seed=None):
    """Returns the payload of `value`.

    Args:
      value: A float tensor of static shape.
      seed: An int32 tensor of shape `[2]`, for this tensor alone; codecs that
        draw need it.

    Returns:
      An `OrderedDict` of tensors.
    """

  @abc.abstractmethod
  def decode(self, payload, spec, weight=1.0):
    """Returns `weight` times the decoded value.

    Args:
      payload: What `encode` returned.
      spec: The `tf.TensorSpec` of the encoded value.
      weight: A float scalar. With a weight of zero the result is zero, whatever
        the payload holds.

    Returns:
      A tensor of `spec`'s shape and dtype.
    """

  def num_off_grid(self, value):
    """Returns how many entries of `value` the codec can't represent (int64)."""
    del value
    return tf.constant(0, tf.int64)

  def num_params(self, spec):
    """Returns how many model parameters a value of `spec` is about, an int."""
    return spec.shape.num_elements()


class Float32Codec(Codec):
  """Sends a tensor as it is, 32 bits an entry."""

  def encode(self, value, seed=None):
    return collections.OrderedDict(values=tf.cast(value, tf.float32))

  def decode(self, payload, spec, weight=1.0):
    weight = tf.cast(weight, spec.dtype)
    values = tf.cast(payload['values'], spec.dtype)
    return tf.math.multiply_no_nan(values, weight)


class BinaryCodec(Codec):
  """One bit an entry and one step size, lossless on `{-alpha, +alpha}`.

  The grid of a tensor is `{-alpha, +alpha}` for any alpha >= 0; a tensor of
  zeros is on it (alpha = 0). The payload is `bits`, uint8 of shape
  `[ceil(n / 8)]`, and `step_size`, one float32.
  """

  def encode(self, value, seed=None):
    value = tf.cast(value, tf.float32)
    # -0.0 >= 0 holds, so both zeros have the sign +1.
    positive = tf.reshape(value >= 0.0, [-1])
    return collections.OrderedDict(
        bits=packing.pack_signs(positive), step_size=binarize.max_norm(value)
    )

  def decode(self, payload, spec, weight=1.0):
    step_size = tf.math.multiply_no_nan(
        tf.cast(payload['step_size'], spec.dtype), tf.cast(weight, spec.dtype)
    )
    entries = packing.unpack_signs(
        payload['bits'], spec.shape.num_elements(), step_size
    )
    return tf.reshape(entries, spec.shape)

  def num_off_grid(self, value):
    off_grid = tf.not_equal(tf.abs(value), binarize.max_norm(value))
    return tf.math.count_nonzero(off_grid)
