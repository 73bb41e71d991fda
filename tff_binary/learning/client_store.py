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

from tff_binary import parameters
from tff_binary.learning import structures

# What `tf.io.decode_raw` does not know it reads as what has as many bits.
_DECODED_AS = {tf.uint32: tf.int32, tf.uint64: tf.int64}

_CLIENT_ID = parameters.Constraint(int, minimum=-(2**31), maximum=2**31 - 1)


class ClientStore:
  """One file for each array of a client's data, in raw bytes.

  A process that is composed with `dataset_computation` takes client ids instead
  of data sets: only an id travels to the worker, which reads the client's files
  itself. The folder must therefore be on a file system that all workers see.

  Attributes:
    element_spec: The `OrderedDict` of a client's data: `features`, `labels`
      and, if there are any, `sample_weights`, each a structure of
      `tf.TensorSpec`s of shape `[None, ...]`, and the scalar `client_id`,
      int32.
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
    clients = [
        structures.as_examples(client, f'client {client_id}')
        for client_id, client in enumerate(clients)
    ]
    for client_id, client in enumerate(clients):
      structures.check_alike(
          client, f'client {client_id}', clients[0], 'client 0'
      )
    os.makedirs(folder, exist_ok=True)
    for client_id, client in enumerate(clients):
      for path, array in zip(
          _paths(folder, str(client_id), client), tf.nest.flatten(client)
      ):
        _write(path, array)
    spec = structures.map_leaves(
        lambda x: tf.TensorSpec((None,) + x.shape[1:], x.dtype), clients[0]
    )
    return cls(folder, spec, list(map(structures.num_examples, clients)))

  def __init__(self, folder, spec, num_examples):
    """Use `ClientStore.write`."""
    self._folder = os.path.abspath(folder)
    self._spec = spec
    self.num_examples = num_examples
    self.element_spec = _element(spec, tf.TensorSpec((), tf.int32))

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

    @tff.tensorflow.computation(np.int32)
    def read_client(client_id):
      paths = _paths(
          self._folder, tf.strings.as_string(client_id), self._spec
      )
      tensors = map(_read, paths, tf.nest.flatten(self._spec))
      features, labels, *weights = tf.nest.pack_sequence_as(
          self._spec, list(tensors)
      )
      return client_dataset(features, labels, client_id, *weights)

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

  Raises:
    ValueError: If `client_id` is no int32.
  """
  if not tf.is_tensor(client_id):
    client_id = _CLIENT_ID.check('client_id', client_id)
  examples = (features, labels)
  if sample_weights is not None:
    examples += (sample_weights,)
  element = _element(
      structures.map_leaves(tf.convert_to_tensor, examples),
      tf.cast(client_id, tf.int32),
  )

  def forget_num_examples(element):
    *examples, client_id = element.values()
    examples = tf.nest.map_structure(
        lambda x: tf.compat.v1.placeholder_with_default(
            x, [None] + x.shape[1:]
        ),
        examples,
    )
    return _element(examples, client_id)

  return tf.data.Dataset.from_tensors(element).map(forget_num_examples)


def _element(examples, client_id):
  """Returns the `OrderedDict` of examples and client id."""
  element = collections.OrderedDict(zip(structures.PARTS, examples))
  element['client_id'] = client_id
  return element


def _paths(folder, client_id, examples):
  """Returns the path of each leaf; `client_id` is a string or string tensor."""
  return [
      folder + os.sep + client_id + f'.{part}' + (f'.{i}' if i else '')
      for part, structure in zip(structures.PARTS, examples)
      for i, _ in enumerate(tf.nest.flatten(structure))
  ]


def _write(path, array):
  if array.dtype == object:  # Python values.
    strings = tf.constant(array, tf.string)
    tf.io.write_file(path, tf.io.serialize_tensor(strings))
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
