# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The entries of largest magnitude of a tensor.

Magnitudes are compared as bit patterns: those of non-negative float32 numbers
have the order of the numbers, and NaN comes after infinity. So the threshold is
found exactly in three counting passes, of which the second and third see only
what shares the leading bits of the threshold. On a CPU `tf.math.top_k` takes
ten times as long and `tf.sort` fifty times; it is needed at every step.
"""

import tensorflow as tf

# Bits of a magnitude that are counted at a time, leading ones first.
_DIGITS = (11, 10, 10)


def num_largest(ratio, size):
  """Returns how many entries are the share `ratio` of `size`.

  Args:
    ratio: A Python float in (0, 1].
    size: A Python int, or an int32 scalar tensor.

  Returns:
    `size * ratio`, rounded, but at least 1 unless `size` is 0; of the type of
    `size`.
  """
  if not tf.is_tensor(size):
    return min(size, max(1, round(size * ratio)))
  share = tf.round(tf.cast(size, tf.float64) * ratio)
  return tf.minimum(size, tf.maximum(1, tf.cast(share, tf.int32)))


def _magnitudes(x):
  """Returns int32 numbers with the order of the entries' magnitudes."""
  return tf.bitcast(tf.abs(tf.cast(x, tf.float32)), tf.int32)


def _kth_largest(keys, k):
  """Returns the k-th largest of `keys`.

  Args:
    keys: A tensor of non-negative int32 numbers.
    k: An int or an int32 scalar in `[0, size of keys]`.

  Returns:
    An int32 scalar.
  """
  keys = tf.reshape(keys, [-1])
  result = tf.constant(0)
  shift = sum(_DIGITS)
  for width in _DIGITS:
    shift -= width
    num_values = 1 << width
    digits = tf.bitwise.bitwise_and(
        tf.bitwise.right_shift(keys, shift), num_values - 1
    )
    counts = tf.math.bincount(
        digits, minlength=num_values, maxlength=num_values
    )
    at_least = tf.cumsum(counts, reverse=True)
    digit = tf.math.count_nonzero(at_least >= k, dtype=tf.int32) - 1
    k -= at_least[digit] - counts[digit]
    keys = tf.boolean_mask(keys, tf.equal(digits, digit))
    result += tf.bitwise.left_shift(digit, shift)
  return result


def is_largest(x, k):
  """Returns which entries are among the k of largest magnitude.

  Args:
    x: A float tensor of any shape `s`.
    k: An int or an int32 scalar in `[1, size of x]`.

  Returns:
    A bool tensor of shape `s`, true for k entries and for all others of the
    same magnitude as the least of these.
  """
  magnitudes = _magnitudes(x)
  return magnitudes >= _kth_largest(magnitudes, k)


def keep_largest(x, k):
  """Returns `x` with zeros in place of all but the entries that `is_largest`.

  Args:
    x: A float tensor of any shape `s`.
    k: An int or an int32 scalar in `[1, size of x]`.

  Returns:
    A tensor of `x`'s shape and dtype.
  """
  return tf.where(is_largest(x, k), x, tf.zeros_like(x))


def positions_of_largest(x, k):
  """Returns where the k entries of largest magnitude are.

  Args:
    x: A float tensor of shape `[n]`.
    k: A Python int in `[0, n]`.

  Returns:
    An int32 tensor of shape `[k]`, in ascending order; of several entries of
    the least magnitude the first ones.
  """
  magnitudes = _magnitudes(x)
  threshold = _kth_largest(magnitudes, k)
  larger = magnitudes > threshold
  equal = tf.equal(magnitudes, threshold)
  num_equal = k - tf.math.count_nonzero(larger, dtype=tf.int32)
  first = tf.cumsum(tf.cast(equal, tf.int32)) <= num_equal
  positions = tf.where(larger | (equal & first))
  return tf.ensure_shape(tf.cast(positions[:, 0], tf.int32), [k])


def keep_first_largest(x, k):
  """Returns `x` with zeros in place of all but `positions_of_largest`.

  Args:
    x: A float tensor of any shape `s`.
    k: A Python int in `[0, size of x]`.

  Returns:
    A tensor of `x`'s shape and dtype with at most k entries that are not zero.
  """
  entries = tf.reshape(x, [-1])
  positions = positions_of_largest(entries, k)[:, tf.newaxis]
  kept = tf.gather_nd(entries, positions)
  return tf.reshape(tf.scatter_nd(positions, kept, entries.shape), x.shape)
