# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Masked random noise: FedMRN's updates and how they are trained.

Source: Li et al., "Masked Random Noise for Communication-Efficient Federated
Learning", ACM MM 2024 (arXiv 2408.03220), and the authors' code,
github.com/Leopold1423/fedmrn-mm24, model/srn.py.
"""

import tensorflow as tf

from tff_binary.ops import seeds

DISTRIBUTIONS = ('uniform', 'gaussian', 'bernoulli')
MASKS = ('binary', 'signed')

# In the place of smaller noise, as in the authors' code: an update is divided
# by it.
_SMALLEST = 1e-8

NUM_SEED_WORDS = 2
_SEED_BITS = 24  # What a float32 holds exactly.
# Words beside entries: no norm of all together sees them.
_WORD_SCALE = 2.0**-100


def seed_words(seed):
  """Returns the words by which an update names the seed of its noise.

  Args:
    seed: An int32 tensor of shape `[2]`, of which 24 bits each are used.

  Returns:
    A float32 tensor of shape `[2]`.
  """
  bits = tf.bitwise.bitwise_and(seed, 2**_SEED_BITS - 1)
  return tf.cast(bits, tf.float32) * _WORD_SCALE


def seed_of(words):
  """Returns the seed that `seed_words` has been given, of 24 bits each."""
  bits = tf.clip_by_value(words / _WORD_SCALE, 0.0, 2.0**_SEED_BITS - 1.0)
  return tf.cast(bits, tf.int32)


def draw_noise(shape, seed, distribution, magnitude):
  """Returns the noise that client and server draw from the same seed.

  Args:
    shape: The shape of the result.
    seed: An int32 tensor of shape `[2]`.
    distribution: `'uniform'` in `[-magnitude, magnitude)`, `'gaussian'` with
      mean 0 and standard deviation `magnitude`, or `'bernoulli'`: `-magnitude`
      or `magnitude`, with equal chances.
    magnitude: A positive Python float, in units of a weight.

  Returns:
    A float32 tensor of `shape`, nowhere zero.
  """
  if distribution == 'gaussian':  # Python values.
    noise = seeds.normal(shape, seed)
  else:
    noise = 2.0 * seeds.uniform(shape, seed) - 1.0
    if distribution == 'bernoulli':  # Python values.
      noise = tf.where(noise < 0.0, -1.0, 1.0)
  noise *= magnitude
  return tf.where(tf.abs(noise) < _SMALLEST, _SMALLEST, noise)


def progressively_masked(update, noise, draw, share, is_signed):
  """Maps an update to masked noise in some entries, and clips it in the others.

  A random share of the entries is masked: an entry becomes its noise with
  chance `update / noise`, else 0; with a signed mask its noise with chance
  `(1 + update / noise) / 2`, else its negative. Chances outside [0, 1] are
  clipped. So is the update in all other entries, to what masked noise can be in
  expectation: between 0, or the negative noise, and the noise.

  The gradient passes unchanged to `update`, as in the authors' code.

  Args:
    update: A float tensor of any shape `s`, u in the paper.
    noise: A float tensor of shape `s`, nowhere zero.
    draw: A float tensor of shape `s`, uniform in `[0, 1)`.
    share: A float scalar in `[0, 1]`: how likely it is that an entry is masked.
    is_signed: A Python bool: whether the mask's values are -1 and 1, not 0 and
      1.

  Returns:
    A tensor of shape `s`.
  """
  low = -1.0 if is_signed else 0.0

  @tf.custom_gradient
  def straight_through(update):
    ratio = update / noise
    chance = (ratio + 1.0) / 2.0 if is_signed else ratio
    # One draw for both: given that it is below the share, it is uniform there.
    # A chance of 1 is one, whatever the product is rounded to.
    is_kept = tf.logical_or(draw < share * chance, chance >= 1.0)
    masked = tf.where(is_kept, noise, low * noise)
    clipped = tf.clip_by_value(ratio, low, 1.0) * noise
    return tf.where(draw < share, masked, clipped), lambda upstream: upstream

  return straight_through(update)
