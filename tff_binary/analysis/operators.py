# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Spectral norms of affine TensorFlow functions.

A convolution is taken as it is computed, with its padding and its strides: what
it does to an input of a given size, not what its kernel is as a matrix.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

_TOLERANCE = 5e-4


def spectral_norm(
    function: Callable[[tf.Tensor], tf.Tensor],
    input_shape: Sequence[int],
    max_steps: int = 1000,
) -> tf.Tensor:
  """Returns the largest singular value of the linear part of a function.

  By power iteration on A'A, where A x is `function(x) - function(0)` and A'
  comes from its gradient. It comes from below and ends at a unit vector x and
  a number s with `|A'A x - s^2 x| <= 0.0005 s^2`: some singular value is within
  0.025 % of s, in practice the largest one, as x starts at random.

  Args:
    function: An affine TensorFlow function from float32 `[1, *input_shape]`.
    input_shape: The shape of one example.
    max_steps: The most steps.

  Returns:
    A float32 scalar.
  """
  shape = [1, *input_shape]
  offset = function(tf.zeros(shape))
  first = tf.random.stateless_normal(shape, seed=[0, 0])

  def step(x, unused_norm, unused_residual):
    with tf.GradientTape() as tape:
      tape.watch(x)
      y = function(x) - offset
    pulled_back = tape.gradient(
        y,
        x,
        output_gradients=y,
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    norm = tf.norm(y)
    residual = tf.norm(pulled_back - norm**2 * x)
    x = tf.math.divide_no_nan(pulled_back, tf.norm(pulled_back))
    return x, norm, residual

  def goes_on(unused_x, norm, residual):
    return residual > _TOLERANCE * norm**2

  _, norm, _ = tf.while_loop(
      goes_on,
      step,
      (first / tf.norm(first), tf.constant(0.0), tf.constant(np.inf)),
      maximum_iterations=max_steps,
  )
  return norm


def dense_matrix(
    function: Callable[[tf.Tensor], tf.Tensor], input_shape: Sequence[int]
) -> np.ndarray:
  """Returns the linear part of a function as a matrix, for small ones.

  Args:
    function: See `spectral_norm`, for any number of examples.
    input_shape: See `spectral_norm`.

  Returns:
    A float32 array with a row for each output and a column for each input.
  """
  size = int(np.prod(input_shape, dtype=np.int64))
  units = tf.reshape(tf.eye(size), [size, *input_shape])
  columns = function(units) - function(tf.zeros_like(units))
  return tf.reshape(columns, [size, -1]).numpy().T
