# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Loops over small clients, as one call into TensorFlow.

What a call costs, some tenths of a millisecond of handing over between threads,
is more than what a small client computes.
"""

import tensorflow as tf

# How many iterations TensorFlow may have in flight: while one waits for its
# data set another computes. Of a fold nothing but the gathering overlaps.
_PARALLEL_ITERATIONS = 2


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
