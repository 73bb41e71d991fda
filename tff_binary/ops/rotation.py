# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Random rotations of vectors by Hadamard's matrix.

A rotated vector's entries are about normally distributed, whatever they were
before, so that one rule rounds all vectors well.

Source: Vargaftik et al., "DRIVE: One-bit Distributed Mean Estimation", NeurIPS
2021, after Suresh et al., "Distributed Mean Estimation with Limited
Communication", ICML 2017.
"""

import numpy as np
import tensorflow as tf

from tff_binary.ops import seeds

# Hadamard's matrix of size 2^k is a product of smaller ones along the axes of a
# reshaped vector; of this size they are fastest.
_FACTOR_BITS = 6


def block_sizes(length):
  """Returns the powers of two whose sum is `length`, the largest first.

  Hadamard's matrices have these sizes: a vector that is cut so needs no
  padding.

  Args:
    length: A Python int >= 0.
  """
  return [2**k for k in reversed(range(length.bit_length())) if length >> k & 1]


def rotate(x, seed):
  """Returns `H D x`: Hadamard's matrix, and random signs D.

  Args:
    x: A float tensor of shape `[d]`, d a static power of two.
    seed: An int32 tensor of shape `[2]`.

  Returns:
    A tensor of `x`'s shape and dtype, of the same 2-norm.
  """
  return _hadamard(x * _signs(x, seed))


def rotate_back(x, seed):
  """Returns the vector that `rotate` makes `x` of."""
  return _hadamard(x) * _signs(x, seed)


def _signs(x, seed):
  noise = seeds.uniform(x.shape, seed)
  return tf.cast(tf.where(noise < 0.5, -1.0, 1.0), x.dtype)


def _hadamard(x):
  """Returns the product with the orthonormal, symmetric matrix of Hadamard."""
  size = x.shape[0]
  num_bits = size.bit_length() - 1
  done = 0
  while done < num_bits:
    bits = min(_FACTOR_BITS, num_bits - done)
    # The axis at the end becomes the first one.
    x = tf.reshape(x, [-1, 2**bits])
    factor = tf.constant(_hadamard_matrix(bits), x.dtype)
    x = tf.matmul(factor, x, transpose_b=True)
    done += bits
  return tf.reshape(x, [size])


def _hadamard_matrix(bits):
  matrix = np.ones([1, 1])
  for _ in range(bits):
    matrix = np.block([[matrix, matrix], [matrix, -matrix]])
  return matrix * 2.0 ** (-bits / 2)
