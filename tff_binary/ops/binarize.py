# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Learnable stochastic binarization, equations 6-10 and 13 of FedBAT.

Source: Li et al., "FedBAT: Communication-Efficient Federated Learning via
Learnable Binarization", ICML 2024.
"""

import tensorflow as tf

from tff_binary.ops import norms
from tff_binary.ops import seeds


def binarize(x, step_size, noise):
  """Maps every entry of `x` to `+step_size` or `-step_size` (eqs. 6-7).

  Entries outside `[-step_size, step_size]` are mapped to the nearer end.
  Entries inside are drawn such that the result equals `x` in expectation, with
  variance `step_size**2 - x**2`.

  The derivatives are those of equations 8 and 9: the gradient of `x` passes
  where `|x| <= step_size`; the gradient of `step_size` is the sign outside and
  `2 b - (x + step_size) / step_size` inside, with `b` in {0, 1} the very draw
  of the forward pass, summed over the tensor.

  A `step_size` of zero maps everything to zero and has no gradient, an infinite
  entry maps to the nearer end, and NaN to an end without a gradient: whether an
  update is finite does not show in what it is mapped to.

  Args:
    x: A float tensor of any shape `s`, the model update.
    step_size: A non-negative float scalar, alpha in the paper.
    noise: A float tensor of shape `s`, uniform in `[0, 1)`, zeta in the paper.

  Returns:
    A float tensor of shape `s`.
  """
  # Equation 7's floor((x + alpha) / (2 alpha) + zeta) as a comparison. It maps
  # every entry outside to the nearer end too, as zeta is less than 1. Halves,
  # since twice a step size may be infinite.
  return _binarized(
      x, step_size, x >= 2.0 * (0.5 * step_size - step_size * noise)
  )


def draw(x, step_size, seed):
  """Does what `binarize` does, and draws the noise itself, for less.

  Args:
    x: See `binarize`; float32.
    step_size: See `binarize`; below 1e-33 it may count as zero in the draw.
    seed: An int32 tensor of shape `[2]`.

  Returns:
    A float32 tensor of `x`'s shape.
  """
  # The noise comes as 1 - 2 zeta, in units that the scale takes in.
  noise = seeds.thresholds(tf.shape(x), seed)
  return _binarized(x, step_size, x >= noise * (2.0**-15 * step_size))


@tf.custom_gradient
def _binarized(x, step_size, is_positive):
  """Returns `step_size` or `-step_size`, with `binarize`'s derivatives."""

  def grad(upstream):
    # Made once more: kept until now, they would take four times what was drawn.
    signs = tf.where(is_positive, tf.ones_like(step_size), -1.0)
    # A product takes less than a selection, and 0 times NaN is 0 here.
    is_inside = tf.cast(tf.abs(x) <= step_size, x.dtype)
    x_grad = tf.math.multiply_no_nan(upstream, is_inside)
    # Equation 9 summed: (2 b - 1) - x / alpha inside and the sign outside are
    # the signs, less x / alpha times what equation 8 lets pass. An infinite
    # entry is outside: its product is 0, not NaN.
    ratio = tf.math.divide_no_nan(x, step_size)
    step_size_grad = tf.math.multiply_no_nan(
        tf.reduce_sum(upstream * signs)
        - tf.reduce_sum(tf.math.multiply_no_nan(ratio, x_grad)),
        tf.cast(step_size > 0.0, x.dtype),
    )
    return x_grad, step_size_grad, None

  return tf.where(is_positive, step_size, -step_size), grad


def learned_step_size(base, exponent, rho):
  """Returns `base * exp(rho * exponent)`, always of `base`'s sign (eq. 10).

  Args:
    base: A float scalar, alpha' in the paper.
    exponent: A float scalar, alpha_e in the paper, the trained variable.
    rho: A Python float, the pace at which the step size is learned.

  Returns:
    A float scalar.
  """
  return base * tf.exp(rho * exponent)


def trained_step_size(update, base, exponent, rho, bounds=None):
  """Returns the step size with which `update` is binarized.

  Args:
    update: A float tensor of any shape.
    base: See `learned_step_size`.
    exponent: See `learned_step_size`.
    rho: See `learned_step_size`.
    bounds: The two ends of the clamp of the authors' code, or None. Outside, no
      gradient reaches `exponent`.

  Returns:
    A float scalar, 0 while all of `update` is zero.
  """
  step_size = learned_step_size(base, exponent, rho)
  if bounds is not None:
    step_size = tf.clip_by_value(step_size, *bounds)
  return tf.where(is_zero(update), tf.zeros_like(step_size), step_size)


def is_zero(x):
  """Returns whether all of a tensor is zero.

  Mostly one of some entries that is not zero tells it, without a pass over all.

  Args:
    x: A float tensor of any shape.

  Returns:
    A bool scalar.
  """
  x = tf.stop_gradient(x)
  sample = tf.reshape(x, [-1])[:: tf.maximum(1, tf.size(x) // 64)]
  return tf.cond(
      tf.reduce_any(tf.not_equal(sample, 0.0)),
      lambda: False,
      lambda: tf.reduce_all(tf.equal(x, 0.0)),
  )


def initial_step_size(update):
  """Returns the mean absolute entry of `update` (eq. 13); 0 if it is empty.

  Args:
    update: A float tensor of any shape.

  Returns:
    A float scalar.
  """
  return norms.mean_magnitude(update)


def max_norm(x):
  """Returns the largest absolute entry of `x`; 0 if `x` is empty or zero.

  With this step size `binarize` is unbiased for every entry; it is the setting
  of the FedBAT paper's section 4.

  Args:
    x: A float tensor of any shape.

  Returns:
    A float scalar.
  """
  return norms.max_norm(x)
