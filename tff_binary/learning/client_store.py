# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Clients' data on disk, read by the worker that trains the client."""

import collections
from collections.abc import Sequence
import os

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff


class ClientStore:
  """One file of features and one of labels for each client, in raw bytes.

  A process that is composed with `dataset_computation` takes client ids instead
  of data sets: only an id travels to the worker, which reads the client's files
  itself. The folder must therefore be on a file system that all workers see.

  Attributes:
    element_spec: The `OrderedDict` of `tf.TensorSpec`s of a client's data:
      `features` of shape `[None, ...]`, `labels` of shape `[None, ...]` and the
      scalar `client_id`, int32.
    num_examples: A list with the number of examples of each client.
  """

  @classmethod
  def write(
      cls, folder: str, clients: Sequence[tuple[np.ndarray, np.ndarray]]
  ) -> 'ClientStore':
    """Writes the clients' arrays into `folder` and returns the store.

    Args:
      folder: An empty or not yet existing folder.
      clients: For each client its features, an array of shape `[n, ...]`, and
        its labels, an array of shape `[n, ...]`. `n` differs from client to
        client and may be 0; everything else must agree.

    Returns:
      A `ClientStore`; client ids are the positions in `clients`.

    Raises:
      ValueError: If there is no client, if a client has not as many labels as
        features, if shapes or dtypes differ between clients, or if an example
        has no entries.
    """
    if not clients:
      raise ValueError('clients must not be empty.')
    clients = [(np.asarray(x), np.asarray(y)) for x, y in clients]
    first = clients[0]
    for client_id, client in enumerate(clients):
      if client[0].shape[:1] != client[1].shape[:1] or not client[0].ndim:
        raise ValueError(
            f'Client {client_id} has features of shape {client[0].shape} and'
            f' labels of shape {client[1].shape}; the first dimensions must be'
            ' equal.'
        )
      for name, array, expected in zip(('features', 'labels'), client, first):
        if (array.shape[1:], array.dtype) != (
            expected.shape[1:],
            expected.dtype,
        ):
          raise ValueError(
              f'The {name} of client {client_id} are {array.dtype}'
              f'{list(array.shape[1:])} an example, those of client 0'
              f' {expected.dtype}{list(expected.shape[1:])}.'
          )
    if 0 in first[0].shape[1:] + first[1].shape[1:]:
      raise ValueError(
          f'An example must not be empty, got features of shape'
          f' {first[0].shape} and labels of shape {first[1].shape}.'
      )
    os.makedirs(folder, exist_ok=True)
    for client_id, client in enumerate(clients):
      for path, array in zip(_paths(folder, str(client_id)), client):
        np.ascontiguousarray(array).tofile(path)
    return cls(folder, *first, [len(y) for _, y in clients])

  def __init__(self, folder, features, labels, num_examples):
    """Use `ClientStore.write`."""
    self._folder = os.path.abspath(folder)
    self.num_examples = num_examples
    self.element_spec = collections.OrderedDict(
        features=tf.TensorSpec((None,) + features.shape[1:], features.dtype),
        labels=tf.TensorSpec((None,) + labels.shape[1:], labels.dtype),
        client_id=tf.TensorSpec((), tf.int32),
    )

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
      tensors = [
          _read(path, spec)
          for path, spec in zip(
              _paths(self._folder, tf.strings.as_string(client_id)),
              (self.element_spec['features'], self.element_spec['labels']),
          )
      ]
      return client_dataset(*tensors, client_id)

    return read_client


def client_dataset(features, labels, client_id) -> tf.data.Dataset:
  """Returns a client's data as the processes take it: one single element.

  With the whole client in one element the number of its examples and local
  steps is exact and shuffling is a function of the seed alone.

  Args:
    features: An array or tensor of shape `[n, ...]`.
    labels: An array or tensor of shape `[n, ...]`.
    client_id: An integer, different for each client; it seeds the client's
      shuffling and rounding.

  Returns:
    A `tf.data.Dataset` of the one element `<features, labels, client_id>`. Its
    `element_spec` has an unknown number of examples and so is every client's.
  """
  element = collections.OrderedDict(
      features=features,
      labels=labels,
      client_id=tf.cast(client_id, tf.int32),
  )

  def forget_num_examples(element):
    for name in ('features', 'labels'):
      element[name] = tf.compat.v1.placeholder_with_default(
          element[name], [None] + element[name].shape[1:]
      )
    return element

  return tf.data.Dataset.from_tensors(element).map(forget_num_examples)


def _paths(folder, client_id):
  """Returns a client's two files; `client_id` is a string or string tensor."""
  return [folder + os.sep + client_id + end for end in ('.features', '.labels')]


def _read(path, spec):
  values = tf.io.decode_raw(tf.io.read_file(path), spec.dtype)
  return tf.reshape(values, [-1] + spec.shape[1:].as_list())
