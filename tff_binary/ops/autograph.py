# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What AutoGraph need not read."""

import tensorflow as tf
from tensorflow.python.autograph.impl import api


def as_written(function):
  """Marks a function as one without Python control flow on tensors.

  Reading functions is a large part of the time in which a process is built.

  Nor does it read what the function calls, except for the Keras objects among
  it, layers, losses and metrics, which see to that themselves (in functions
  under `tf.autograph.experimental.do_not_convert` they do not). What else users
  write must be called as `of_user`.

  Args:
    function: A function or method.

  Returns:
    The function.
  """
  return api.autograph_artifact(function)


def of_user(function):
  """Returns a function that AutoGraph reads, if it is on, as Keras has it."""
  return tf.__internal__.autograph.tf_convert(
      function, tf.__internal__.autograph.control_status_ctx()
  )
