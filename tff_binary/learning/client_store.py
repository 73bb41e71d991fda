# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Clients' data on disk, read by the worker that trains the client."""

import collections
from collections.abc import Sequence
import os
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary.learning import structures

# A client's parts in the order in which they are given.
_PARTS = ('features', 'labels', 'sample_weights')

# What `tf.io.decode_raw` does not know it reads as what has as many bits.
_DECODED_AS = {tf.uint32: tf.int32, tf.uint64: tf.int64}


class ClientStore:
  """One file for each array of a client's data, in raw bytes.

  A process that is composed with `dataset_computation` takes client ids instead
  of data sets: only an id travels to the worker, which reads the client's files
  itself. The folder must therefore be on a file system that all workers see.

  Attributes:
    element_spec: The `OrderedDict` of a client's data: `features`, `labels` and,
      if there are any, `sample_weights`, each a structure of `tf.TensorSpec`s
      of shape `[None, ...]`, and the scalar `client_id`, int32.
    num_examples: A list with the number of examples of each client.
  """

  @classmethod
  def write(
      cls, folder: str, clients: Sequence[tuple[Any, ...]]
  ) -> 'ClientStore':
    """Writes the clients' arrays into `folder` and returns the store.

    Args:
      folder: An empty or not yet existing folder.
      clients: For each client a tuple of its features, its labels and, where
        the loss takes them, its sample weights. Each is an array of shape
        `[n, ...]` or a tuple, list or dict of such arrays, of numbers in any
        byte order or of strings. `n` differs from client to client and may be
        0; everything else must agree.

    Returns:
      A `ClientStore`; client ids are the positions in `clients`.

    Raises:
      ValueError: If there is no client, if a client has not as many labels as
        features, if structures, shapes or dtypes differ between clients, if an
        example has no entries, or if an array holds complex numbers or objects.
    """
    if not clients:
      raise ValueError('clients must not be empty.')
    clients = [_as_parts(*client) for client in enumerate(clients)]
    for client_id, parts in enumerate(clients):
      _check_client(client_id, parts, clients[0])
    os.makedirs(folder, exist_ok=True)
    for client_id, parts in enumerate(clients):
      arrays = tf.nest.flatten(parts)
      for path, array in zip(_paths(folder, str(client_id), parts), arrays):
        _write(path, array)
    num_examples = [len(tf.nest.flatten(c['labels'])[0]) for c in clients]
    spec = structures.map_leaves(
        lambda x: tf.TensorSpec((None,) + x.shape[1:], x.dtype), clients[0]
    )
    return cls(folder, spec, num_examples)

  def __init__(self, folder, parts_spec, num_examples):
    """Use `ClientStore.write`."""
    self._folder = os.path.abspath(folder)
    self.num_examples = num_examples
    self.element_spec = _element(parts_spec, tf.TensorSpec((), tf.int32))

  @property
  def num_clients(self) -> int:
    """The number of clients, empty ones included."""
    return len(self.num_examples)

  @property
  def dataset_computation(self) -> tff.Computation:
    """A TFF computation from an int32 client id to a sequence of one element.

    It is the first argument of
    `tff.simulation.compose_dataset_computation_with_learning_process`.
    """
    spec = {k: v for k, v in self.element_spec.items() if k in _PARTS}

    @tff.tensorflow.computation(np.int32)
    def read_client(client_id):
      paths = _paths(self._folder, tf.strings.as_string(client_id), spec)
      tensors = map(_read, paths, tf.nest.flatten(spec))
      parts = tf.nest.pack_sequence_as(spec, list(tensors))
      return client_dataset(client_id=client_id, **parts)

    return read_client


def client_dataset(
    features: Any, labels: Any, client_id: Any, sample_weights: Any = None
) -> tf.data.Dataset:
  """Returns a client's data as the processes take it: one single element.

  With the whole client in one element the number of its examples and local
  steps is exact and shuffling is a function of the seed alone.

  Args:
    features: An array or tensor of shape `[n, ...]`, or a tuple, list or dict
      of such.
    labels: The same for the labels.
    client_id: An integer, different for each client; it seeds the client's
      shuffling and rounding.
    sample_weights: The same for the weights that the loss gives the examples or
      their parts, or None.

  Returns:
    A `tf.data.Dataset` of the one element `<features, labels, client_id>`, or
    `<features, labels, sample_weights, client_id>`. Its `element_spec` has an
    unknown number of examples and so is every client's.
  """
  parts = {'features': features, 'labels': labels}
  if sample_weights is not None:
    parts['sample_weights'] = sample_weights
  element = _element(
      structures.map_leaves(tf.convert_to_tensor, parts),
      tf.cast(client_id, tf.int32),
  )

  def forget_num_examples(element):
    client_id = element.pop('client_id')
    parts = tf.nest.map_structure(
        lambda x: tf.compat.v1.placeholder_with_default(
            x, [None] + x.shape[1:]
        ),
        element,
    )
    return _element(parts, client_id)

  return tf.data.Dataset.from_tensors(element).map(forget_num_examples)


def _element(parts, client_id):
  """Returns the parts and the id in the order of an element."""
  element = collections.OrderedDict(
      (name, parts[name]) for name in _PARTS if name in parts
  )
  element['client_id'] = client_id
  return element


def _as_parts(client_id, client):
  """Returns a client's parts as structures of arrays."""
  if len(client) not in (2, 3):
    raise ValueError(
        f'Client {client_id} must be (features, labels) or (features, labels,'
        f' sample_weights), got {len(client)} of them.'
    )
  return {
      name: structures.as_arrays(value, f'The {name} of client {client_id}')
      for name, value in zip(_PARTS, client)
  }


def _check_client(client_id, client, first):
  """Raises a `ValueError` if a client's parts don't fit the first client's."""
  if list(client) != list(first):
    raise ValueError(
        f'Client {client_id} has {", ".join(client)}, client 0'
        f' {", ".join(first)}.'
    )
  leading = None
  for part, structure in client.items():
    leaves = list(structures.named_leaves(part, structure))
    expected = list(structures.named_leaves(part, first[part]))
    if [name for name, _ in leaves] != [name for name, _ in expected]:
      raise ValueError(
          f'Client {client_id} has {", ".join(name for name, _ in leaves)},'
          f' client 0 {", ".join(name for name, _ in expected)}.'
      )
    for (name, array), (_, like) in zip(leaves, expected):
      if leading is None:
        leading = name, array.shape
      if not array.ndim or array.shape[:1] != leading[1][:1]:
        raise ValueError(
            f'Client {client_id} has {leading[0]} of shape {leading[1]} and'
            f' {name} of shape {array.shape}; the first dimensions must be'
            ' equal.'
        )
      if 0 in array.shape[1:]:
        raise ValueError(
            f'An example must not be empty, got {name} of shape {array.shape}.'
        )
      if (array.shape[1:], array.dtype) != (like.shape[1:], like.dtype):
        raise ValueError(
            f'The {name} of client {client_id} are'
            f' {_describe(array)} an example, those of client 0'
            f' {_describe(like)}.'
        )


def _describe(array):
  return f'{tf.as_dtype(array.dtype).name}{list(array.shape[1:])}'


def _paths(folder, client_id, parts):
  """Returns the path of each leaf; `client_id` is a string or string tensor."""
  return [
      folder + os.sep + client_id + f'.{part}' + (f'.{i}' if i else '')
      for part in sorted(set(parts) & set(_PARTS))
      for i, _ in enumerate(tf.nest.flatten(parts[part]))
  ]


def _write(path, array):
  if array.dtype == object:  # Python values.
    tf.io.write_file(path, tf.io.serialize_tensor(tf.constant(array, tf.string)))
  else:
    little_endian = array.dtype.newbyteorder('<')
    np.ascontiguousarray(array, little_endian).tofile(path)


def _read(path, spec):
  """Returns the tensor that `_write` has written."""
  content = tf.io.read_file(path)
  if spec.dtype is tf.string:
    values = tf.io.parse_tensor(content, tf.string)
  elif spec.dtype in _DECODED_AS:
    values = tf.io.decode_raw(content, _DECODED_AS[spec.dtype])
    values = tf.bitcast(values, spec.dtype)
  else:
    values = tf.io.decode_raw(content, spec.dtype)
  return tf.reshape(values, [-1] + spec.shape[1:].as_list())
