# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Data sets that the worker itself iterates over or makes."""

from collections.abc import Callable
import dataclasses
from typing import Any

import tensorflow as tf

from tff_binary.runtime.worker import graph
from tff_binary.runtime.worker import values


@dataclasses.dataclass(frozen=True)
class MappedSequence:
  """A sequence whose elements are computed while it is reduced.

  Attributes:
    function: A function of an element.
    source: A `Sequence` or `MappedSequence`.
  """

  function: Callable[[Any], Any]
  source: Any


def serialize(variant):
  """Returns the graph of a data set, a string scalar."""
  with tf.device(graph.CPU):
    return tf.raw_ops.DatasetToGraphV2(
        input_dataset=variant,
        external_state_policy=0,
        strip_device_assignment=True,
    )


def deserialize(graph_):
  """Returns the variant of a data set that is at its start."""
  with tf.device(graph.CPU):
    return tf.raw_ops.DatasetFromGraph(graph_def=graph_)


def elements(sequence):
  """Yields the elements of a `Sequence` or `MappedSequence`.

  Args:
    sequence: The sequence; a `Sequence` must have an element type.

  Yields:
    Values: tensors and tuples, in the order of the element type.
  """
  if isinstance(sequence, MappedSequence):
    for element in elements(sequence.source):
      yield sequence.function(element)
    return
  specs = []
  structure = _add_specs(sequence.element_type, specs)
  with tf.device(graph.CPU):
    dataset = tf.data.experimental.from_variant(
        deserialize(sequence.graph), tuple(specs)
    )
    iterator = iter(dataset)
  for components in iterator:
    yield _arrange(structure, components)


def from_elements(members):
  """Returns the `Sequence` of values, nested tuples of tensors of equal shapes.

  Args:
    members: A list of at least one value.

  Returns:
    A `Sequence` without element type, for functions that know it.

  Raises:
    ValueError: If there are no members, or their shapes differ.
  """
  if not members:
    raise ValueError('A client must select at least one key.')
  columns = zip(*(tf.nest.flatten(member) for member in members))
  with tf.device(graph.CPU):
    dataset = tf.data.Dataset.from_tensor_slices(
        tuple(tf.stack(column) for column in columns)
    )
    return values.Sequence(
        serialize(tf.data.experimental.to_variant(dataset))
    )


def _add_specs(type_, specs):
  """Appends the specs of a type's tensors; returns their positions, nested.

  Data sets flatten a struct with names in the order of the names.
  """
  if type_.WhichOneof('type') == 'tensor':
    shape = None
    if not type_.tensor.unknown_rank:
      shape = [None if d < 0 else d for d in type_.tensor.dims]
    specs.append(tf.TensorSpec(shape, tf.dtypes.as_dtype(type_.tensor.dtype)))
    return len(specs) - 1
  members = type_.struct.element
  positions = {
      i: _add_specs(members[i].value, specs)
      for i in sorted(range(len(members)), key=lambda i: members[i].name)
  }
  return tuple(positions[i] for i in range(len(members)))


def _arrange(structure, components):
  if isinstance(structure, tuple):
    return tuple(_arrange(element, components) for element in structure)
  return components[structure]
