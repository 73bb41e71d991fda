# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Structures of arrays: the features, labels and sample weights of examples.

Examples are a tuple of features, labels and, where the loss takes them, sample
weights. Each is a structure of arrays of shape `[n, ...]`, n examples.

A structure is one array, or a tuple, list or dict of structures. A list of
arrays is a structure, as in Keras; a list of numbers, or of lists of them, is
one array. TensorFlow, `tf.data` and TFF agree on a structure of tuples and of
`OrderedDict`s in the order of the sorted keys, which is what these functions
return.
"""

import collections
from collections.abc import Callable, Iterator, Mapping
import reprlib
from typing import Any

import numpy as np
import tensorflow as tf

# What examples consist of, in this order.
PARTS = ('features', 'labels', 'sample_weights')

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


def as_examples(data: Any, name: str) -> tuple[Any, ...]:
  """Converts features, labels and sample weights to structures of arrays.

  Args:
    data: A tuple or list of two or three structures that `as_arrays` takes.
    name: What the examples are called in an error, such as `client 3`.

  Returns:
    A tuple of as many structures of arrays.

  Raises:
    ValueError: If `data` is something else, if a structure is empty, if a leaf
      is no array of one or more dimensions, if the leaves' first dimensions
      differ, or if another one is 0.
  """
  if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
    found = f'{len(data)} of them' if isinstance(data, (tuple, list)) else data
    raise ValueError(
        f'{_capitalized(name)} must be (features, labels) or (features, labels,'
        f' sample_weights), got {reprlib.repr(found)}.'
    )
  examples = tuple(
      as_arrays(structure, f'The {part} of {name}')
      for part, structure in zip(PARTS, data)
  )
  for part, structure in zip(PARTS, examples):
    if not tf.nest.flatten(structure):
      raise ValueError(f'The {part} of {name} are an empty structure.')
  leaves = _leaves(examples)
  first, first_array = leaves[0]
  for leaf_name, array in leaves:
    if not array.ndim:
      raise ValueError(
          'The first dimensions must be the number of examples, but the'
          f' {leaf_name} of {name} have shape ().'
      )
    if len(array) != len(first_array):
      hint = ''
      if any(isinstance(part, list) and _is_sequence(part) for part in data):
        hint = ' A list of arrays is several inputs; np.stack makes it one.'
      raise ValueError(
          f'{_capitalized(name)} has {first} of shape {first_array.shape} and'
          f' {leaf_name} of shape {array.shape}; the first dimensions must be'
          f' equal.{hint}'
      )
    if 0 in array.shape[1:]:
      raise ValueError(
          f'An example must not be empty, but {name} has {leaf_name} of shape'
          f' {array.shape}.'
      )
  return examples


def num_examples(examples: tuple[Any, ...]) -> int:
  """Returns the number of what `as_examples` has returned."""
  return len(_leaves(examples)[0][1])


def check_alike(
    examples: tuple[Any, ...], name: str, like: tuple[Any, ...], like_name: str
) -> None:
  """Checks that two sets of examples differ in nothing but their number.

  Args:
    examples: What `as_examples` has returned.
    name: What they are called in an error.
    like: What they are compared with.
    like_name: What that is called in an error.

  Raises:
    ValueError: If structures, shapes or dtypes differ.
  """
  leaves, expected = _leaves(examples), _leaves(like)
  names, expected_names = ([leaf for leaf, _ in l] for l in (leaves, expected))
  if names != expected_names:  # Python values.
    raise ValueError(
        f'{_capitalized(name)} has {", ".join(names)}, {like_name}'
        f' {", ".join(expected_names)}.'
    )
  for (leaf_name, array), (_, other) in zip(leaves, expected):
    if (array.shape[1:], array.dtype) != (other.shape[1:], other.dtype):
      raise ValueError(
          f'The {leaf_name} of {name} are {_describe(array)} an example, those'
          f' of {like_name} {_describe(other)}.'
      )


def _leaves(examples):
  """Returns the names and arrays of all leaves."""
  return [
      leaf
      for part, structure in zip(PARTS, examples)
      for leaf in named_leaves(part, structure)
  ]


def _describe(array):
  return f'{tf.as_dtype(array.dtype).name}{list(array.shape[1:])}'


def _capitalized(name):
  return name[:1].upper() + name[1:]


def _is_sequence(structure):
  if isinstance(structure, tuple):
    return True
  return isinstance(structure, list) and any(
      len(getattr(value, 'shape', ())) or isinstance(value, (Mapping, tuple))
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
  if array.dtype.kind == 'O':
    others = [v for v in array.flat if not isinstance(v, (str, bytes))]
    if not others:
      return array
    raise ValueError(f'{name} must be numbers or strings, got {others[0]!r}.')
  dtype = array.dtype.newbyteorder('=')
  if dtype not in _DTYPES:
    raise ValueError(
        f'{name} must be booleans, integers, floats of at most 64 bits or'
        f' strings, got {array.dtype}.'
    )
  return array.astype(dtype, copy=False)
