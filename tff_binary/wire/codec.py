# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""How one tensor of a model update becomes bytes."""

import abc
import collections
import numbers

import tensorflow as tf

from tff_binary.ops import autograph
from tff_binary.ops import norms
from tff_binary.ops import shared
from tff_binary.wire import packing

# The version of FORMAT.md, which says when it changes.
FORMAT_VERSION = 1


class Codec(abc.ABC):
  """Encodes one float tensor as a payload and decodes it.

  A payload is an `OrderedDict` of tensors; it is what a client sends. Its size
  is the size of those tensors, nothing is counted that is not in them.

  A codec that reproduces only some values (its grid) is lossless on those and
  names the others with `num_off_grid`. A codec with a rule for every value
  leaves `num_off_grid` at zero.

  What floats can be: a value of finite entries, however large or small, has a
  payload of finite numbers and is decoded to finite numbers. Numbers beyond
  float32 count as its largest, subnormal ones may count as zero, and a norm
  that exceeds float32 is sent as its largest number. A weight is multiplied so
  that only what truly exceeds the dtype can become infinite, and nothing NaN.
  Entries that are NaN or infinite have no code: what they decode to is
  undefined, but zero with a weight of zero. Aggregators do not encode them.

  Attributes:
    is_joint: Whether an aggregator joins all compressed tensors of an update to
      one vector and encodes that, instead of each tensor by itself.
    draws: Whether `encode` needs a seed. That of an aggregator is a hash of the
      whole update, which a codec without draws spares.
    codes: Where the payload has one code of fixed width for each entry, the
      name of the field in which they are packed and their bits; else `None`.
  """

  is_joint = False
  draws = True
  codes = None

  def named(self, name: str) -> 'Codec':
    """Returns this codec for the tensor of a name, which its errors have."""
    del name
    return self

  @abc.abstractmethod
  def encode(self, value, seed=None):
    """Returns the payload of `value`.

    Args:
      value: A float tensor of static shape.
      seed: An int32 tensor of shape `[2]`, for this tensor alone; None for a
        codec that does not draw.

    Returns:
      An `OrderedDict` of tensors.
    """

  @abc.abstractmethod
  def decode(self, payload, spec, weight=1.0):
    """Returns `weight` times the decoded value.

    Args:
      payload: What `encode` returned.
      spec: The `tf.TensorSpec` of the encoded value.
      weight: A finite float scalar. With a weight of zero the result is zero,
        whatever the payload holds.

    Returns:
      A tensor of `spec`'s shape and dtype.
    """

  def encode_on_grid(self, value):
    """Encodes and checks a value that is likely to be on the grid, in one pass.

    Args:
      value: A tensor as for `encode`, whose entries may be NaN or infinite.

    Returns:
      The payload, the largest magnitude in `value`, and a bool scalar, whether
      all entries are numbers on the grid; where not, payload and magnitude are
      undefined. None, the default, if the codec has no such pass.
    """
    del value

  def add_decoded(self, total, payload, spec, weight=1.0):
    """Returns `total + decode(payload, spec, weight)`, to the bit."""
    return total + self.decode(payload, spec, weight)

  def num_off_grid(self, value):
    """Returns how many entries of `value` the codec can't represent (int64)."""
    del value
    return tf.constant(0, tf.int64)

  def num_params(self, spec):
    """Returns how many model parameters a value of `spec` is about, an int."""
    return spec.shape.num_elements()


@autograph.as_written
def wide(dtype):
  """Returns the dtype that values are decoded in, at least float32."""
  return tf.float64 if dtype.size > 4 else tf.float32


@autograph.as_written
def weighted(factor, weight, dtype):
  """Multiplies what scales a whole tensor by a weight.

  Args:
    factor: A float scalar.
    weight: A float scalar.
    dtype: The dtype of the value that is decoded.

  Returns:
    `weight * factor`, a scalar of dtype `wide(dtype)`: its largest number where
    the product exceeds it, so that its product with 0 is 0, and zero with a
    weight of zero.
  """
  product = tf.math.multiply_no_nan(
      tf.cast(factor, tf.float64), tf.cast(weight, tf.float64)
  )
  return tf.saturate_cast(product, wide(dtype))


@autograph.as_written
def restored(entries, spec):
  """Returns decoded entries in the shape and dtype of `spec`."""
  entries = tf.saturate_cast(entries, spec.dtype)
  if entries.shape == spec.shape:  # Python values.
    return entries
  return tf.reshape(entries, spec.shape)


def check(**codecs):
  """Raises a `TypeError` unless all arguments are codecs."""
  for name, codec in codecs.items():
    if not isinstance(codec, Codec):
      raise TypeError(f'{name} must be a Codec, got {codec!r}.')


def is_number(value, kind=numbers.Real):
  """Returns whether an argument is a number of Python's or NumPy's, no bool."""
  return isinstance(value, kind) and not isinstance(value, bool)


def is_integer(value):
  """Returns whether an argument is an integer of Python's or NumPy's."""
  return is_number(value, numbers.Integral)


class Float32Codec(Codec):
  """Sends a tensor as it is, 32 bits an entry."""

  draws = False

  @autograph.as_written
  def encode(self, value, seed=None):
    return collections.OrderedDict(values=tf.saturate_cast(value, tf.float32))

  @autograph.as_written
  def decode(self, payload, spec, weight=1.0):
    dtype = wide(spec.dtype)
    values = tf.math.multiply_no_nan(
        tf.cast(payload['values'], dtype), tf.cast(weight, dtype)
    )
    return restored(values, spec)


class BinaryCodec(Codec):
  """One bit an entry and one step size, lossless on `{-alpha, +alpha}`.

  The grid of a tensor is `{-alpha, +alpha}` for any alpha >= 0; a tensor of
  zeros is on it (alpha = 0). The payload is `bits`, uint8 of shape
  `[ceil(n / 8)]`, and `step_size`, one float32.
  """

  draws = False
  codes = ('bits', 1)

  @autograph.as_written
  def encode(self, value, seed=None):
    bits, step_size = _pack_signs(tf.saturate_cast(value, tf.float32))
    bits.set_shape([packing.num_bytes(value.shape.num_elements())])
    step_size.set_shape([])
    return collections.OrderedDict(bits=bits, step_size=step_size)

  @autograph.as_written
  def decode(self, payload, spec, weight=1.0):
    entries = packing.unpack_signs(
        payload['bits'],
        spec.shape.num_elements(),
        weighted(payload['step_size'], weight, spec.dtype),
    )
    return restored(entries, spec)

  @autograph.as_written
  def encode_on_grid(self, value):
    if not packing.is_fast(value):
      return None
    bits, step_size, is_on_grid = packing.pack_two_values(value)
    payload = collections.OrderedDict(bits=bits, step_size=step_size)
    return payload, step_size, is_on_grid

  @autograph.as_written
  def add_decoded(self, total, payload, spec, weight=1.0):
    if not packing.is_fast(spec):
      return super().add_decoded(total, payload, spec, weight)
    return packing.add_unpacked(
        total,
        payload['bits'],
        weighted(payload['step_size'], weight, spec.dtype),
    )

  @autograph.as_written
  def num_off_grid(self, value):
    num_off_grid = _NUM_OFF_GRID[value.dtype](value)
    num_off_grid.set_shape([])
    return num_off_grid


def _signs_and_step_size(value):
  # -0.0 >= 0 holds, so both zeros have the sign +1.
  positive = tf.reshape(value >= 0.0, [-1])
  return packing.pack_signs(positive), norms.max_norm(value)


def _num_off_largest(value):
  off_grid = tf.not_equal(tf.abs(value), norms.max_norm(value))
  return tf.math.count_nonzero(off_grid)


_pack_signs = shared.function(_signs_and_step_size, (tf.float32,))
_NUM_OFF_GRID = {
    dtype: shared.function(_num_off_largest, (dtype,))
    for dtype in (tf.float16, tf.bfloat16, tf.float32, tf.float64)
}
