# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Signs of model updates and the noise that makes them fair.

Sources: EF-SignSGD (Karimireddy et al., ICML 2019); z-SignFedAvg (Tang et al.,
arXiv 2302.02589); Stoc-SignSGD (Safaryan and Richtárik, ICML 2021) as in the
FedBAT paper (Li et al., ICML 2024): its section 1 gives the chances with the
norm of the update as bound, its appendix A.2 takes the max norm instead. Jin et
al. (arXiv 2002.10940) draw signs in the same way.

Everywhere both zeros have the sign +1: a bit has no third value.
"""

import math

import tensorflow as tf

from tff_binary.ops import binarize
from tff_binary.ops import seeds


def scaled_sign(x):
  """Returns the sign of every entry times the mean absolute entry.

  This scale makes the squared error the smallest (EF-SignSGD).

  Args:
    x: A float tensor of any shape.

  Returns:
    A tensor of `x`'s shape and dtype.
  """
  scale = binarize.initial_step_size(x)
  return tf.where(x >= 0.0, scale, -scale)


def stochastic_sign(x, bound, noise):
  """Returns whether the drawn sign is +1: with chance `1/2 + x / (2 bound)`.

  Args:
    x: A float tensor of any shape `s`.
    bound: A non-negative float scalar. Entries beyond it keep their sign; if it
      is zero, both signs have the same chance.
    noise: A float tensor of shape `s`, uniform in `[0, 1)`.

  Returns:
    A bool tensor of shape `s`.
  """
  return noise < 0.5 + 0.5 * tf.math.divide_no_nan(x, bound)


def majority(votes, noise):
  """Returns the sign that most voters want, +1 or -1 for every entry.

  Args:
    votes: A float tensor of any shape `s`, the sum or the mean of the voters'
      signs.
    noise: A float tensor of shape `s`, uniform in `[0, 1)`; it breaks ties.

  Returns:
    A tensor of `votes`' shape and dtype.
  """
  ones = tf.ones_like(votes)
  tie_break = tf.where(noise < 0.5, -ones, ones)
  return tf.where(tf.equal(votes, 0.0), tie_break, tf.sign(votes))


def z_noise(shape, z, seed):
  """Returns noise of the density proportional to `exp(-|t|**(2 z) / 2)`.

  Args:
    shape: The shape of the result.
    z: A Python float >= 1, the family's parameter: 1 for the standard normal
      distribution, infinity for the uniform one on `[-1, 1)`.
    seed: An int32 tensor of shape `[2]`.

  Returns:
    A float32 tensor of shape `shape`.
  """
  if math.isinf(z):
    return 2.0 * seeds.uniform(shape, seed) - 1.0
  if z <= 1.0:
    return seeds.normal(shape, seed)
  # |t|**(2 z) / 2 has the distribution Gamma(a), like a variable of
  # Gamma(1 + a) times u**(1 / a) for a uniform u: float32 cannot hold what
  # small a make. So |t| is this scale times u.
  a = 1.0 / (2.0 * z)
  scale = (2.0 * seeds.gamma(shape, 1.0 + a, seeds.fold_in(seed, 0))) ** a
  return scale * (2.0 * seeds.uniform(shape, seeds.fold_in(seed, 1)) - 1.0)


def z_noise_step_size(sigma, z):
  """Returns the step size at which the sign of `x` with noise is unbiased.

  `step_size * sign(x + sigma * z_noise)` is `x` in expectation: for all `|x| <=
  sigma` if `z` is infinite, else in the limit of small `|x| / sigma`. For z = 1
  it is `sigma * sqrt(pi / 2)`.

  Args:
    sigma: The scale of the noise, a positive Python float.
    z: See `z_noise`.

  Returns:
    A Python float, `sigma` over twice the noise's density at zero.
  """
  if math.isinf(z):
    return sigma
  exponent = 1.0 / (2.0 * z)
  return sigma * 2.0**exponent * math.gamma(1.0 + exponent)
