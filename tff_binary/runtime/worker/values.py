# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What a worker computes with, and its representation in messages.

A value is one of

*   a `tf.Tensor`,
*   a `Sequence`,
*   a tuple of values, TFF's structs without their names,
*   a function of one argument, `None` for those without a parameter,
*   a `Server` or `Clients` of values.
"""

import dataclasses
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from tff_binary.runtime.worker import memory
from tff_binary.runtime.worker import protocol

# Sixteen-bit floats travel as the bits of a uint16.
_BIT_PATTERNS = (tf.float16, tf.bfloat16)

_LISTS = {
    tf.bool: 'bool_list',
    tf.int8: 'int8_list',
    tf.int16: 'int16_list',
    tf.int32: 'int32_list',
    tf.int64: 'int64_list',
    tf.uint8: 'uint8_list',
    tf.uint16: 'uint16_list',
    tf.uint32: 'uint32_list',
    tf.uint64: 'uint64_list',
    tf.float16: 'float16_list',
    tf.float32: 'float32_list',
    tf.float64: 'float64_list',
    tf.complex64: 'complex64_list',
    tf.complex128: 'complex128_list',
    tf.bfloat16: 'bfloat16_list',
    tf.string: 'string_list',
}


@dataclasses.dataclass(frozen=True)
class Sequence:
  """A dataset, as a graph that every use runs from its start.

  Attributes:
    graph: A string scalar, what `DatasetToGraphV2` returned.
    element_type: The `Type` message of the elements, or `None` if the value
      never leaves the worker.
  """

  graph: tf.Tensor
  element_type: Optional[Any] = None


@dataclasses.dataclass(frozen=True)
class Server:
  """A value at the server."""

  value: Any


@dataclasses.dataclass(frozen=True)
class Clients:
  """A value of every client.

  Attributes:
    groups: Futures of `Group`s. One turn of a thread computes the values of one
      group; all `Clients` of an executor are grouped alike.
  """

  groups: tuple

  def values(self):
    """Yields the clients' values in their order, as they become available."""
    for group in self.groups:
      yield from group.result().members()


def tensor_from_array(array):
  """Returns the tensor of an `Array` message.

  Args:
    array: Either with `content`, the bytes of all elements, or with a list of
      the elements, where one may stand for all.

  Returns:
    A tensor.

  Raises:
    ValueError: If dtype, shape and elements do not fit one another.
  """
  dtype = tf.dtypes.as_dtype(array.dtype)
  if dtype not in _LISTS:
    raise ValueError(f'Unsupported dtype in Array: {dtype.name}.')
  shape = tuple(array.shape.dim)
  if array.shape.unknown_rank:
    raise ValueError('An Array must have a known rank.')
  if array.HasField('content'):
    elements = np.frombuffer(array.content, dtype.as_numpy_dtype)
  else:
    elements = _elements_of_list(array, dtype)
    size = int(np.prod(shape, dtype=np.int64))
    if len(elements) == 1 and size > 1:
      elements = np.broadcast_to(elements, [size])
  return memory.forget_attributes(tf.constant(elements.reshape(shape), dtype))


def _elements_of_list(array, dtype):
  """Returns the elements of the typed list as a NumPy vector."""
  values = getattr(array, _LISTS[dtype]).value
  if dtype == tf.string:
    return np.array(values, np.object_)
  if dtype in _BIT_PATTERNS:
    return np.array(values, np.uint16).view(dtype.as_numpy_dtype)
  if dtype.is_complex:
    return np.array(values, dtype.real_dtype.as_numpy_dtype).view(
        dtype.as_numpy_dtype
    )
  return np.array(values, dtype.as_numpy_dtype)


def tensor_to_array(tensor, array):
  """Writes a tensor into an `Array` message.

  Scalars and strings go into lists, other tensors into `content`, as TFF's own
  workers do: the client relies on it.

  Args:
    tensor: A `tf.Tensor`.
    array: An empty `Array` message.
  """
  array.dtype = tensor.dtype.as_datatype_enum
  array.shape.SetInParent()
  array.shape.dim.extend(tensor.shape)
  elements = tensor.numpy()
  if tensor.dtype != tf.string and tensor.shape.rank > 0:
    array.content = elements.tobytes()
    return
  if tensor.dtype == tf.string:
    # NumPy's own strings lose zero bytes at the end.
    elements = np.array(elements, np.object_)
  elements = np.reshape(elements, [-1])
  if tensor.dtype in _BIT_PATTERNS:
    elements = elements.view(np.uint16)
  elif tensor.dtype.is_complex:
    elements = elements.view(tensor.dtype.real_dtype.as_numpy_dtype)
  kind = getattr(array, _LISTS[tensor.dtype])
  kind.SetInParent()
  kind.value.extend(elements.tolist())


def sequence_from_message(sequence):
  """Returns the `Sequence` of a `Value.Sequence` message."""
  if sequence.WhichOneof('value') != 'serialized_graph_def':
    raise ValueError('A sequence must have a serialized_graph_def.')
  graph = memory.forget_attributes(tf.constant(sequence.serialized_graph_def))
  return Sequence(graph, sequence.element_type)


def to_message(value, message):
  """Writes a value into a `Value` message; waits for it if need be.

  Args:
    value: A value without functions.
    message: An empty `Value` message.

  Raises:
    ValueError: If the value is a function.
  """
  if isinstance(value, tf.Tensor):
    tensor_to_array(value, message.array)
  elif isinstance(value, Sequence):
    message.sequence.serialized_graph_def = value.graph.numpy()
    if value.element_type is not None:
      message.sequence.element_type.CopyFrom(value.element_type)
  elif isinstance(value, tuple):
    message.struct.SetInParent()
    for element in value:
      to_message(element, message.struct.element.add().value)
  elif isinstance(value, Server):
    message.federated.type.placement.value.uri = 'server'
    message.federated.type.all_equal = True
    to_message(value.value, message.federated.value.add())
  elif isinstance(value, Clients):
    # Whether all are equal is not kept: the client knows it from the type.
    message.federated.type.placement.value.uri = 'clients'
    for element in value.values():
      to_message(element, message.federated.value.add())
  else:
    raise ValueError('A function has no value that could be returned.')
