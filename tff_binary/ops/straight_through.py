# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Functions with a gradient where the true one is zero or does not exist."""

import tensorflow as tf

from tff_binary.ops import signs
from tff_binary.ops import sparsity


@tf.custom_gradient
def scaled_sign(x):
  """Does what `signs.scaled_sign` does, with a straight-through gradient.

  The gradient passes unchanged where `|x| <= 1`, and is zero elsewhere; the
  scale counts as a constant.

  Source: Hubara et al., "Binarized Neural Networks", NeurIPS 2016, equation 4,
  for the gradient; Rastegari et al., "XNOR-Net", ECCV 2016, for the scale,
  which makes the squared error the smallest.

  Args:
    x: A float tensor of any shape.

  Returns:
    A tensor of `x`'s shape and dtype.
  """

  def grad(upstream):
    return tf.where(tf.abs(x) <= 1.0, upstream, tf.zeros_like(upstream))

  return signs.scaled_sign(x), grad


@tf.custom_gradient
def keep_largest(x, k):
  """Does what `sparsity.keep_largest` does; the gradient passes unchanged.

  Source: SWAT (Raihan and Aamodt, NeurIPS 2020): all weights are updated, those
  that the forward pass has left out too.

  Args:
    x: A float tensor of any shape.
    k: An int or an int32 scalar in `[1, size of x]`.

  Returns:
    A tensor of `x`'s shape and dtype.
  """
  return sparsity.keep_largest(x, k), lambda upstream: (upstream, None)
