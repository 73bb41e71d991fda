# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Functions that a graph holds once, however often it calls them."""

import functools
import weakref

import tensorflow as tf


# Who uses a function holds it, and with it the graphs that it was called in.
_methods = weakref.WeakValueDictionary()


def method(owner, name, dtypes):
  """Returns a method as a `function` with gradients: the same for equal owners.

  Args:
    owner: A hashable value.
    name: The name of a method of it, see `function`.
    dtypes: See `function`.
  """
  key = (owner, name)
  found = _methods.get(key)
  if found is None:
    found = _methods[key] = _traced(getattr(owner, name), dtypes)
  return found


def function(python_function, dtypes):
  """Returns a function that is traced once, for arguments of all shapes.

  A model may have hundreds of kernels. What happens to each of them alike is
  then one node of the graph for a kernel, which TFF's compiler neither copies
  nor optimizes anew. It is not for two or three operations: a call costs a
  worker more than those when a process is first used.

  Args:
    python_function: A function of tensors that returns tensors.
    dtypes: A tuple of the dtypes of its arguments, all of unknown shape.

  Returns:
    A function, whose results have no static shape.
  """

  @functools.lru_cache(None)
  def trace():
    # In a graph of its own. A `tf.function` is traced anew in every graph that
    # is not another function's, as TFF's are, and keeps all of them in memory.
    with tf.Graph().as_default():
      return _traced(python_function, dtypes).get_concrete_function()

  return lambda *arguments: trace()(
      *(tf.convert_to_tensor(x, d) for x, d in zip(arguments, dtypes))
  )


def _traced(python_function, dtypes):
  return tf.function(
      python_function,
      input_signature=[tf.TensorSpec(None, dtype) for dtype in dtypes],
      autograph=False,
      experimental_attributes={'_noinline': True},
  )
