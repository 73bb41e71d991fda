# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Functions that XLA compiles where a runtime has it."""

import functools

import tensorflow as tf


@functools.lru_cache(None)
def compiled(function, *key):
  """Returns a compiled function: one for each key, a size of its arguments.

  TensorFlow warns of one that is traced for several sizes. TFF's own C++ worker
  has no XLA and runs the function operation by operation.

  Args:
    function: A function of tensors, and the same object in every call.
    *key: Hashable values.

  Returns:
    A `tf.function`.
  """
  del key
  return tf.function(
      functools.partial(function), autograph=False, jit_compile=True
  )
