# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Stochastic ternarization, in the manner of FedBAT's binarization. Ours.

An update x is sent as one of the three values -alpha, 0 and alpha,

  T(x, alpha) = alpha t,  t = floor(x / alpha + zeta),  zeta uniform in [0, 1),

where |x| <= alpha, and as the nearer end elsewhere. Inside, t is 0 or the sign
of x, the latter with probability |x| / alpha: T is x in expectation, and has
the variance alpha |x| - x^2. FedBAT's S, which is -alpha or alpha, has the variance
alpha^2 - x^2, which is never less and does not vanish with x. So alpha may be
many times the mean magnitude, most entries are 0, and these cost few bits.

Derivatives follow as equations 8 and 9 of FedBAT do: floor is differentiated as
if it were the identity, so that by the product rule, inside,

  dT/dx = alpha / alpha = 1,
  dT/dalpha = t + alpha d(x / alpha)/dalpha = t - x / alpha,

and outside, where T is alpha times the sign of x, 0 and the sign. In
expectation dT/dalpha is 0 inside.

Source of FedBAT: Li et al., ICML 2024.
"""

import math

import tensorflow as tf

from tff_binary.ops import norms

# The entropy is not differentiated nearer to 0 and 1 than this.
_SMALLEST_SHARE = 1e-6
_NUM_HALVINGS = 30


def ternary_signs(ratio, noise, dead_zone=0.0):
  """Rounds ratios to -1, 0 and 1 at random.

  Without a dead zone the result is `ratio` in expectation where that is in [-1,
  1]. The gradient passes there, and nowhere else.

  Args:
    ratio: A float tensor of any shape `s`, x / alpha. Infinite entries are
      rounded to the nearer end, NaN to 0.
    noise: A float tensor of shape `s`, uniform in `[0, 1)`.
    dead_zone: The largest magnitude that is always rounded to 0, a float in `[0,
      1)`; beyond it the probability of not being 0 rises linearly to 1.

  Returns:
    A float tensor of shape `s`.
  """

  @tf.custom_gradient
  def draw(ratio):
    magnitude = tf.abs(ratio)
    chance = (magnitude - dead_zone) / (1.0 - dead_zone)
    signs = tf.where(noise < chance, tf.sign(ratio), 0.0)
    # What the gradient refers to is kept until then: bools take little memory.
    is_inside = magnitude <= 1.0
    return signs, lambda upstream: tf.where(is_inside, upstream, 0.0)

  return draw(ratio)


def share_of_nonzeros(ratio):
  """Returns the expected share of entries that are not rounded to 0.

  Args:
    ratio: A float tensor, x / alpha.

  Returns:
    A float scalar, the mean of `min(|ratio|, 1)`; 0 if there are no entries.
  """
  return norms.mean_magnitude(tf.clip_by_value(ratio, -1.0, 1.0))


def bits_per_entry(share):
  """Returns the entropy of an entry that is not 0 in a share of cases, in bits.

  Args:
    share: A float scalar in [0, 1]; both signs are equally likely.

  Returns:
    A scalar of its dtype: `H(share) + share`, at most log2(3).
  """
  q = tf.clip_by_value(share, _SMALLEST_SHARE, 1.0 - _SMALLEST_SHARE)
  nats = -q * tf.math.log(q) - (1.0 - q) * tf.math.log1p(-q)
  return nats / math.log(2.0) + share


def share_of_bits(bits):
  """Returns the smallest share at which an entry takes so many bits.

  Args:
    bits: A float in (0, log2(3)].

  Returns:
    A float in (0, 2 / 3].
  """
  low, high = 0.0, 2.0 / 3.0
  for _ in range(_NUM_HALVINGS):
    q = 0.5 * (low + high)
    entropy = -q * math.log2(q) - (1.0 - q) * math.log2(1.0 - q) + q
    low, high = (q, high) if entropy < bits else (low, q)
  return high


def step_size_of_share(update, share):
  """Returns the step size at which a share of an update's entries is not 0.

  Args:
    update: A float tensor of any shape.
    share: A float in (0, 1).

  Returns:
    A positive float scalar; 0 if the update is zero, and the smallest that is
    found where the share of its entries that are not zero is smaller.
  """
  # The share falls with the step size; where no entry is beyond that it is the
  # mean magnitude over the step size.
  mean = norms.mean_magnitude(update)
  largest = tf.minimum(mean / share, mean.dtype.max)

  def halve(low, high):
    middle = 0.5 * low + 0.5 * high
    ratio = tf.math.divide_no_nan(update, middle)
    is_too_small = share_of_nonzeros(ratio) > share
    return tf.where(is_too_small, middle, low), tf.where(
        is_too_small, high, middle
    )

  _, high = tf.while_loop(
      lambda low, high: True,
      halve,
      (tf.zeros_like(largest), largest),
      maximum_iterations=_NUM_HALVINGS,
  )
  return high
