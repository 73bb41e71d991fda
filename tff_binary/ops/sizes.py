# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The bytes of tensors."""

import tensorflow as tf


@tf.autograph.experimental.do_not_convert
def num_bytes(struct):
  """Returns the bytes of the entries of all tensors in a structure.

  Args:
    struct: A structure of tensors of numbers or booleans.

  Returns:
    An int64 scalar; a constant if all shapes are static.
  """
  static, dynamic = 0, []
  for x in tf.nest.flatten(struct):
    if x.shape.is_fully_defined():
      static += x.shape.num_elements() * x.dtype.size
    else:
      dynamic.append(tf.size(x, tf.int64) * x.dtype.size)
  return tf.add_n([tf.constant(static, tf.int64), *dynamic])
