# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What a function leaves in memory until its gradient is computed."""

import tensorflow as tf


def num_bytes(function, inputs):
  """Returns the bytes that a gradient needs of what a function has computed.

  Args:
    function: A function of tensors that returns a tensor.
    inputs: Its arguments, arrays, which do not count.
  """
  with tf.Graph().as_default() as graph:
    inputs = [tf.constant(x) for x in inputs]
    result = function(*inputs)
    forward = set(graph.get_operations())
    tf.gradients(result, inputs, tf.ones_like(result))
    kept = {
        _source(t).ref()
        for operation in set(graph.get_operations()) - forward
        for t in operation.inputs
        if t.op in forward
    }
    kept -= {_source(t).ref() for t in inputs}
    return sum(
        t.deref().shape.num_elements() * t.deref().dtype.size for t in kept
    )


def _source(tensor):
  """Returns the tensor whose memory another one shares, or itself."""
  while tensor.op.type in ('Identity', 'IdentityN'):
    tensor = tensor.op.inputs[tensor.value_index]
  return tensor
