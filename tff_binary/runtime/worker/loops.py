# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Loops over small clients, as one call into TensorFlow.

What a call costs, some tenths of a millisecond of handing over between threads,
is more than what a small client computes.
"""

import numpy as np
import tensorflow as tf

# How many iterations TensorFlow may have in flight: while one waits for its
# data set another computes. Of a fold nothing but the gathering overlaps.
_PARALLEL_ITERATIONS = 2


def stack(rows, max_bytes):
  """Stacks the tensors of several calls, position by position.

  Args:
    rows: A list of one or more lists of tensors of equal length.
    max_bytes: How large what is stacked may be, the mean of the rows.

  Returns:
    A tensor for each position, with the calls in its first dimension, and
    whether it has: a tensor that is the same object in all rows is kept as it
    is. Or None if the rows are larger, or tensors of one position have
    different shapes.
  """
  columns = list(zip(*rows))
  is_stacked = tuple(
      any(tensor is not column[0] for tensor in column) for column in columns
  )
  num_bytes = sum(
      _num_bytes(tensor)
      for column, stacked in zip(columns, is_stacked)
      if stacked
      for tensor in column
  )
  if num_bytes > max_bytes * len(rows):
    return None
  try:
    stacked_columns = [
        tf.raw_ops.Pack(values=column) if stacked else column[0]
        for column, stacked in zip(columns, is_stacked)
    ]
  except tf.errors.InvalidArgumentError:
    return None
  return stacked_columns, is_stacked


def _num_bytes(tensor):
  """Returns the size of a tensor, of strings that of all of them."""
  if tensor.dtype == tf.string:
    return sum(map(len, np.ravel(tensor.numpy())))
  return tensor.shape.num_elements() * tensor.dtype.size


def unstack(columns, num_rows):
  """Returns the rows that columns are made up of, see `stack`."""
  return zip(
      *(
          tf.raw_ops.Unpack(value=column, num=num_rows, axis=0)
          for column in columns
      )
  )


def mapped(function, argument_dtypes, result_dtypes, is_stacked):
  """Returns a function of columns that calls `function` for each row.

  Args:
    function: A Python function of tensors that returns a list of tensors, whose
      shapes are the same in all calls.
    argument_dtypes: The dtypes of its arguments.
    result_dtypes: Those of its results.
    is_stacked: For each argument, whether it is a column of them.

  Returns:
    A `tf.ConcreteFunction` of the number of rows and a tensor for each
    argument, which returns a column for each result.
  """
  def loop(num_rows, *columns):
    def step(i, *results):
      outputs = function(*_row(columns, is_stacked, i))
      return (i + 1, *(r.write(i, x) for r, x in zip(results, outputs)))

    _, *results = tf.while_loop(
        lambda i, *_: i < num_rows,
        step,
        (
            0,
            *(
                tf.TensorArray(dtype, num_rows, element_shape=None)
                for dtype in result_dtypes
            ),
        ),
        parallel_iterations=_PARALLEL_ITERATIONS,
    )
    return [result.stack() for result in results]

  return _wrap(loop, argument_dtypes)


def folded(function, state_dtypes, row_dtypes, is_stacked):
  """Returns a function that calls `function` with a state and each row.

  Args:
    function: A Python function of the list of the tensors of the state and of
      that of a row, which returns the list of those of the next state.
    state_dtypes: The dtypes of the state.
    row_dtypes: Those of a row.
    is_stacked: For each tensor of a row, whether it is a column of them.

  Returns:
    A `tf.ConcreteFunction` of the number of rows, the tensors of the state and
    one for each of a row, which returns the last state.
  """
  def loop(num_rows, *tensors):
    state = tensors[: len(state_dtypes)]
    columns = tensors[len(state_dtypes) :]

    def step(i, *state):
      return (i + 1, *function(list(state), _row(columns, is_stacked, i)))

    _, *state = tf.while_loop(
        lambda i, *_: i < num_rows,
        step,
        (0, *state),
        shape_invariants=(
            tf.TensorShape([]),
            *[tf.TensorShape(None)] * len(state),
        ),
        parallel_iterations=_PARALLEL_ITERATIONS,
    )
    return state

  return _wrap(loop, [*state_dtypes, *row_dtypes])


def _row(columns, is_stacked, i):
  return [
      tf.gather(column, i) if stacked else column
      for column, stacked in zip(columns, is_stacked)
  ]


def _wrap(loop, dtypes):
  return tf.compat.v1.wrap_function(
      loop,
      [
          tf.TensorSpec([], tf.int32),
          *(tf.TensorSpec(None, dtype) for dtype in dtypes),
      ],
      name='loop',
  )
