# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Structures of arrays: the features, labels and sample weights of examples.

A structure is one array, or a tuple, list or dict of structures. A list of
arrays is a structure, as in Keras; a list of numbers, or of lists of them, is
one array. TensorFlow, `tf.data` and TFF agree on a structure of tuples and of
`OrderedDict`s in the order of the sorted keys, which is what these functions
return.
"""

import collections
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

_DTYPES = [
    dtype.as_numpy_dtype
    for dtype in (
        tf.bool, tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16,
        tf.uint32, tf.uint64, tf.bfloat16, tf.float16, tf.float32, tf.float64,
    )
]  # pyformat: disable


def map_leaves(fn: Callable[[Any], Any], structure: Any) -> Any:
  """Applies a function to every leaf of a structure.

  Args:
    fn: A function of a leaf.
    structure: A structure.

  Returns:
    The structure of what `fn` returns: tuples for tuples and lists,
    `OrderedDict`s in the order of the sorted keys for dicts.
  """
  if isinstance(structure, Mapping):
    return collections.OrderedDict(
        (key, map_leaves(fn, structure[key])) for key in sorted(structure)
    )
  if _is_sequence(structure):
    return tuple(map_leaves(fn, value) for value in structure)
  return fn(structure)


def named_leaves(name: str, structure: Any) -> Iterator[tuple[str, Any]]:
  """Yields each leaf of a structure with its name, such as `features[0]`.

  Args:
    name: The name of the whole structure.
    structure: A structure.

  Yields:
    The names and the leaves, in the order of `tf.nest.flatten`.
  """
  if isinstance(structure, Mapping):
    for key in sorted(structure):
      yield from named_leaves(f'{name}[{key!r}]', structure[key])
  elif _is_sequence(structure):
    for i, value in enumerate(structure):
      yield from named_leaves(f'{name}[{i}]', value)
  else:
    yield name, structure


def as_arrays(structure: Any, name: str) -> Any:
  """Converts every leaf of a structure to an array that TensorFlow can hold.

  Args:
    structure: A structure whose leaves are what NumPy can make an array of:
      arrays of any byte order, eager tensors, data frames, lists of numbers.
    name: What the structure is called in an error.

  Returns:
    The structure of arrays in native byte order; arrays of strings have the
    dtype `object`.

  Raises:
    ValueError: If a leaf is not a regular array of booleans, integers, floats
      of at most 64 bits, or strings.
  """
  arrays = iter([_as_array(*leaf) for leaf in named_leaves(name, structure)])
  return map_leaves(lambda leaf: next(arrays), structure)


def _is_sequence(structure):
  if isinstance(structure, tuple):
    return True
  return isinstance(structure, list) and any(
      hasattr(value, 'shape') or isinstance(value, (Mapping, tuple))
      for value in structure
  )


def _as_array(name, leaf):
  """Returns the leaf as an array of a dtype that TensorFlow has."""
  if isinstance(leaf, (tf.RaggedTensor, tf.SparseTensor, np.ma.MaskedArray)):
    raise ValueError(
        f'{name} must be a regular array, got a {type(leaf).__name__}: fill or'
        ' pad it.'
    )
  try:
    array = np.asarray(leaf)
  except ValueError as e:  # Lists of different lengths.
    raise ValueError(f'{name} must be a regular array: {e}') from e
  if array.dtype.kind in 'US':
    return array.astype(object)
  if array.dtype.kind == 'O' and array.ndim:
    others = [v for v in array.flat if not isinstance(v, (str, bytes))]
    if not others:
      return array
    raise ValueError(
        f'{name} must be numbers or strings, got an array of objects that holds'
        f' {others[0]!r}.'
    )
  dtype = array.dtype.newbyteorder('=')
  if dtype not in _DTYPES:
    raise ValueError(
        f'{name} must be booleans, integers, floats of at most 64 bits or'
        f' strings, got {array.dtype}.'
    )
  return array.astype(dtype, copy=False)
