# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Stateless seeds: one seed for each (run, round, client, step, tensor)."""

import tensorflow as tf

# One fixed generator: 'auto_select' may differ from device to device.
ALGORITHM = 'philox'

# The second word of a run's seed: what is drawn. Saved runs are resumed by other
# releases, so the numbers stay.
CLIENT_ROUND_DRAWS = 0
SERVER_DRAWS = 1
SELECTOR_DRAWS = 2
CLIENT_INITIAL_DRAWS = 3
ENCODING_DRAWS = 4
FROZEN_DRAWS = 5
SERVER_INITIAL_DRAWS = 6
EVALUATION_DRAWS = 7
ACTIVATION_DRAWS = 8


# AutoGraph takes its time for each call, here one for every tensor of a model.
@tf.autograph.experimental.do_not_convert
def fold_in(seed, *data):
  """Derives a new seed from `seed` and the integers `data`, in order.

  Args:
    seed: An int32 tensor of shape `[2]`.
    *data: Integer scalars, Python or tensors.

  Returns:
    An int32 tensor of shape `[2]`, a function of the arguments alone.
  """
  seed = tf.convert_to_tensor(seed, tf.int32)
  for value in data:
    seed = tf.stack([_first_word(seed), tf.cast(value, tf.int32)])
  return seed


@tf.autograph.experimental.do_not_convert
def fold_in_each(seed, values):
  """Returns `[fold_in(seed, value) for value in values]`, for less.

  Args:
    seed: An int32 tensor of shape `[2]`.
    values: A sequence of integer scalars, Python or tensors.

  Returns:
    A list of int32 tensors of shape `[2]`.
  """
  if not values:  # Python values.
    return []
  # A node for all of them, not two for each.
  words = tf.cast(tf.stack(values), tf.int32)
  first_words = tf.fill([len(values)], _first_word(seed))
  return tf.unstack(tf.stack([first_words, words], axis=1))


def _first_word(seed):
  """Returns the first word of what `fold_in` makes of a seed and any value."""
  # As tf.random.experimental.stateless_fold_in does.
  return tf.raw_ops.StatelessRandomUniformFullIntV2(
      shape=[], dtype=tf.int32, **_generator(seed)
  )


def _generator(seed):
  """Returns the arguments by which TensorFlow's raw operations draw.

  The functions of `tf.random` make the same key and counter of a seed, by some
  fifteen operations where the algorithm is named; CPUs and GPUs default to it.
  """
  key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(
      seed=tf.convert_to_tensor(seed, tf.int32)
  )
  return dict(key=key, counter=counter, alg=tf.random.Algorithm.PHILOX.value)


@tf.autograph.experimental.do_not_convert
def uniform(shape, seed):
  """Returns float32 noise of `shape`, uniform in `[0, 1)`.

  Args:
    shape: The shape of the result.
    seed: An int32 tensor of shape `[2]`.

  Returns:
    A float32 tensor of shape `shape`.
  """
  return tf.raw_ops.StatelessRandomUniformV2(
      shape=shape, dtype=tf.float32, **_generator(seed)
  )


@tf.autograph.experimental.do_not_convert
def coarse_uniform(shape, seed):
  """Returns float32 noise of 8 bits an entry, a quarter of `uniform`'s draws.

  The bits below those 8 are one draw of 16 for all entries. So each entry is
  exactly uniform over `2**24` equal steps; what entries share moves the chance
  of an event by `2**-8` at most, up in one draw and down in another.

  Args:
    shape: The shape of the result, static or an int32 tensor of shape `[rank]`.
    seed: An int32 tensor of shape `[2]`.

  Returns:
    A float32 tensor of shape `shape`, uniform in `[0, 1)`.
  """
  parts, word = _parts_and_word(shape, seed, tf.uint8)
  # Their sum has 24 bits: it is exact.
  return parts * 2.0**-8 + tf.cast(word % 2**16, tf.float32) * 2.0**-24


@tf.autograph.experimental.do_not_convert
def thresholds(shape, seed):
  """Returns float32 noise of 16 bits an entry, at half of `uniform`'s cost.

  The bits below those 16 are one draw of 8 for all entries. So each entry is
  exactly uniform over `2**24` equal steps, and entries are as good as
  independent: what they share moves the chance of an event by `2**-16` at most.

  Args:
    shape: The shape of the result, static or an int32 tensor of shape `[rank]`.
    seed: An int32 tensor of shape `[2]`.

  Returns:
    A float32 tensor of shape `shape`, uniform in `(-2**15, 2**15]`.
  """
  parts, word = _parts_and_word(shape, seed, tf.int16)
  # Their sum has 24 bits: it is exact.
  return -tf.cast(word % 256, tf.float32) * 2.0**-8 - parts


def _parts_and_word(shape, seed, dtype):
  """Draws an integer of `dtype` an entry, as float32, and an int32 for all."""
  size = tf.reduce_prod(tf.cast(shape, tf.int32))
  in_word = tf.int32.size // dtype.size
  words = tf.raw_ops.StatelessRandomUniformFullIntV2(
      shape=[(size + in_word - 1) // in_word + 1],
      dtype=tf.int32,
      **_generator(seed),
  )
  parts = tf.reshape(tf.bitcast(words[:-1], dtype), [-1])[:size]
  return tf.reshape(tf.cast(parts, tf.float32), shape), words[-1]


@tf.autograph.experimental.do_not_convert
def normal(shape, seed):
  """Returns float32 noise of `shape` with the standard normal distribution.

  Args:
    shape: The shape of the result.
    seed: An int32 tensor of shape `[2]`.

  Returns:
    A float32 tensor of shape `shape`.
  """
  return tf.raw_ops.StatelessRandomNormalV2(
      shape=shape, dtype=tf.float32, **_generator(seed)
  )


@tf.autograph.experimental.do_not_convert
def gamma(shape, alpha, seed):
  """Returns float32 noise of `shape` with a Gamma distribution of scale 1.

  Args:
    shape: The shape of the result.
    alpha: The distribution's shape, a positive Python float.
    seed: An int32 tensor of shape `[2]`.

  Returns:
    A float32 tensor of shape `shape`.
  """
  return tf.random.stateless_gamma(shape, seed, alpha)


@tf.autograph.experimental.do_not_convert
def of_values(seed, tensors):
  """Derives a seed from what tensors hold.

  It draws independently for different values, and again the same for the same.
  For what has no number of its own: an aggregator does not know which client's
  update it encodes, nor the round.

  Values are compared by FarmHash's 64-bit fingerprint of their bytes, which is
  the same in all versions of TensorFlow: where a byte is matters, and of 2^64
  pairs of different values about one shares a seed. Shapes are not compared,
  and both zeros differ. XLA cannot compile it.

  Args:
    seed: An int32 tensor of shape `[2]`.
    tensors: A list of one or more tensors of any shape and of float, integer,
      bool or string dtype.

  Returns:
    An int32 tensor of shape `[2]`.
  """
  fingerprints = [_fingerprint(x) for x in tensors]
  digest = _fingerprint(tf.concat(fingerprints, axis=1))
  words = tf.bitcast(tf.reshape(digest, [2, 4]), tf.int32)
  return fold_in(seed, words[0], words[1])


def _fingerprint(x):
  """Returns the fingerprint of a whole tensor, uint8 of shape `[1, 8]`."""
  x = tf.convert_to_tensor(x)
  if x.dtype.is_compatible_with(tf.string):
    # tf.fingerprint leaves that of no strings undefined.
    x = tf.strings.to_hash_bucket_fast(x, tf.int64.max)
  return tf.fingerprint(tf.reshape(x, [1, -1]))


@tf.autograph.experimental.do_not_convert
def shuffle(value, seed):
  """Returns `value` with its first dimension permuted.

  Args:
    value: A tensor of rank >= 1.
    seed: An int32 tensor of shape `[2]`.

  Returns:
    A tensor of `value`'s shape and dtype.
  """
  return tf.random.experimental.stateless_shuffle(value, seed, alg=ALGORITHM)
