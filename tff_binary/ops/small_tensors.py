# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""One operation for the many small tensors of a deep model.

Of hundreds of biases and scalars each operation takes longer to build, to
optimize and to start than to compute. So they are joined to one vector, which
costs a copy, as little as they are.
"""

import tensorflow as tf

from tff_binary.ops import autograph

# In entries. That of biases, not of kernels, whose copy takes memory. It is part
# of the wire format: it decides which tensors of a message are one.
_MAX_SIZE = 2**13


def is_small(x):
  """Returns whether a tensor or `tf.TensorSpec` is small, by its shape alone."""
  return x.shape.is_fully_defined() and x.shape.num_elements() <= _MAX_SIZE


@autograph.as_written
def are_finite(tensors):
  """Returns whether all entries of a list of float tensors are finite."""
  return _all([tf.math.is_finite(x) for x in _joined(tensors)])


@autograph.as_written
def are_zero(tensors):
  """Returns whether all entries of a list of tensors are zero."""
  return _all([tf.equal(x, 0) for x in _joined(tensors)])


def _all(tensors):
  """Returns whether all entries of bool tensors hold, also of none."""
  of_each = [tf.reduce_all(x) for x in tensors]
  return tf.reduce_all(tf.convert_to_tensor(of_each, tf.bool))


def _joined(tensors):
  """Returns tensors with the same entries, one for all small ones of a dtype."""
  tensors = [tf.convert_to_tensor(x) for x in tensors]
  joined = [x for x in tensors if not is_small(x)]
  scalars, vectors = {}, {}
  for x in filter(is_small, tensors):
    if x.shape.rank == 0:
      scalars.setdefault(x.dtype, []).append(x)
    else:
      vector = x if x.shape.rank == 1 else tf.reshape(x, [-1])
      vectors.setdefault(x.dtype, []).append(vector)
  for dtype, of_dtype in scalars.items():
    vectors.setdefault(dtype, []).append(tf.stack(of_dtype))
  return joined + [tf.concat(v, axis=0) for v in vectors.values()]
