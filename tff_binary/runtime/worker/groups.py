# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Values of several clients, held together.

What one call into TensorFlow made for many small clients stays one tensor
until something wants it of a single client: to take it apart and stack it again
between two calls takes longer than the calls.
"""

import dataclasses
import functools
import math
from typing import Any

import numpy as np
import tensorflow as tf

from tff_binary.runtime.worker import values


class Column:
  """Something of each client of a group, or a tensor that stacks all of it."""

  def __init__(self, rows=None, stacked=None):
    """Initializes the column from one of the two.

    Args:
      rows: A list of what the clients have.
      stacked: A tensor with the clients in its first dimension.
    """
    # Several threads may use a column at the same time. Rows are dropped after
    # they are stacked, so who looks for them first finds one of the two.
    self._rows = rows
    self._stacked = stacked

  def rows(self):
    """Returns the list of what the clients have."""
    rows, stacked = self._rows, self._stacked
    if rows is None:
      rows = tf.raw_ops.Unpack(value=stacked, num=stacked.shape[0], axis=0)
      self._rows = rows
    return rows

  def stacked(self):
    """Returns the stacked tensor; None if the clients' shapes differ."""
    rows, stacked = self._rows, self._stacked
    if stacked is None:
      try:
        stacked = tf.raw_ops.Pack(values=rows)
      except tf.errors.InvalidArgumentError:
        return None
      self._stacked = stacked
      self._rows = None
    return stacked

  @functools.cached_property
  def num_bytes(self):
    """The size of all tensors, of strings that of all of them."""
    rows, stacked = self._rows, self._stacked
    return sum(map(_num_bytes, [stacked] if rows is None else rows))


def _num_bytes(tensor):
  if tensor.dtype == tf.string:
    return sum(map(len, np.ravel(tensor.numpy())))
  return math.prod(tensor.shape) * tensor.dtype.size


@dataclasses.dataclass(frozen=True)
class Group:
  """The values of a group of clients.

  Attributes:
    value: A value with a `Column` wherever the clients differ.
    size: The number of clients.
  """

  value: Any
  size: int

  def members(self):
    """Returns the list of the clients' values."""
    return _rows(self.value, self.size)


def from_members(members):
  """Returns the `Group` of a list of values of the same structure."""
  return Group(_columns(members), len(members))


def _columns(members):
  first = members[0]
  if all(member is first for member in members):
    return first
  if isinstance(first, tuple):
    return tuple(_columns(column) for column in zip(*members, strict=True))
  if isinstance(first, values.Sequence):
    graphs = _columns([member.graph for member in members])
    return values.Sequence(graphs, first.element_type)
  return Column(rows=members)


def _rows(value, size):
  if isinstance(value, Column):
    return value.rows()
  if isinstance(value, tuple) and value:
    return list(zip(*(_rows(element, size) for element in value)))
  if isinstance(value, values.Sequence):
    return [
        values.Sequence(graph, value.element_type)
        for graph in _rows(value.graph, size)
    ]
  return [value] * size
