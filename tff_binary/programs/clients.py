# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The clients of a run: where their data are, and how these reach a round."""

from collections.abc import Callable, Hashable, Sequence
import hashlib
from typing import Any, Optional

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import learning

# What only this process can run: a worker that gets such a dataset fails.
_PYTHON_OPS = frozenset({'PyFunc', 'PyFuncStateless', 'EagerPyFunc'})

CreateDataset = Callable[[Any], tf.data.Dataset]


class StoredClients:
  """Clients whose data are arrays. They are written to disk once.

  Attributes:
    ids: The clients' ids.
    element_spec: The spec of a client's data, as `ClientStore.element_spec`.
    is_stored: True.
  """

  is_stored = True

  def __init__(self, ids: Sequence[Hashable], arrays: Sequence[Any]):
    """Initializes the clients.

    Args:
      ids: Their ids.
      arrays: For each client what `ClientStore.write` takes.
    """
    self.ids = list(ids)
    self._arrays = arrays
    self._store = None

  @property
  def element_spec(self):
    if self._store is None:
      raise ValueError('The clients must be written first.')
    return self._store.element_spec

  def write(self, folder: str):
    """Writes the clients' data into an empty folder."""
    self._store = learning.ClientStore.write(folder, self._arrays)

  def settings(self):
    """Returns what tells these clients from others, in numbers and strings."""
    leaves = tf.nest.flatten(list(self._arrays))
    return {
        'num_clients': len(self.ids),
        'client_ids_sha256': _sha256_of_strings(self.ids),
        'clients_sha256': sha256(leaves),
    }

  def next_round(self, process, is_remote: bool):
    """Returns `process.next` with clients' positions in place of their data.

    Args:
      process: The learning process.
      is_remote: Whether the workers do not see this machine's files.
    """
    if is_remote:  # The data travels.

      def dataset(position):
        features, labels, *weights = self._arrays[position]
        return learning.client_dataset(features, labels, position, *weights)

      return lambda *args: process.next(
          *args[:-1], [dataset(position) for position in args[-1]]
      )
    return tff.simulation.compose_dataset_computation_with_computation(
        self._store.dataset_computation, process.next
    )


class DatasetClients:
  """Clients that are datasets, made when they are drawn.

  Nothing is kept of a client but its id.

  Attributes:
    ids: The clients' ids.
    element_spec: The spec of a batch.
    is_stored: False.
  """

  is_stored = False

  def __init__(
      self,
      ids: Sequence[Hashable],
      create_dataset: CreateDataset,
      preprocess: Optional[Callable[[tf.data.Dataset], tf.data.Dataset]] = None,
  ):
    """Initializes the clients.

    Args:
      ids: Their ids.
      create_dataset: A function from an id to the client's dataset.
      preprocess: A function from that to a dataset of batches `(x, y)` or `(x,
        y, sample_weight)`, or of dicts of these names; None if it is one.

    Raises:
      TypeError: If the first client has no dataset of such batches.
    """
    self.ids = list(ids)
    self._create_dataset = create_dataset
    self._preprocess = preprocess
    self.element_spec = None
    self.element_spec = self.dataset(0).element_spec
    is_batch = (
        set(self.element_spec) >= {'x', 'y'}
        if isinstance(self.element_spec, dict)
        else isinstance(self.element_spec, tuple)
        and 2 <= len(self.element_spec) <= 3
    )
    if not is_batch or any(
        spec.shape.rank == 0 for spec in tf.nest.flatten(self.element_spec)
    ):
      raise TypeError(
          "Elements of a client's dataset must be batches (x, y) or dicts of x"
          f' and y, got {self.element_spec}. Map and batch them in preprocess.'
      )

  def settings(self):
    """See `StoredClients.settings`; the data themselves are not looked at."""
    return {
        'num_clients': len(self.ids),
        'client_ids_sha256': _sha256_of_strings(self.ids),
        'client_element_spec': str(self.element_spec),
    }

  def dataset(self, position: int) -> tf.data.Dataset:
    """Returns the dataset of the client at a position."""
    client_id = self.ids[position]
    dataset = self._create_dataset(client_id)
    if self._preprocess is not None:
      dataset = self._preprocess(dataset)
    if not isinstance(dataset, tf.data.Dataset):
      raise TypeError(
          f'Client {client_id!r} must have a tf.data.Dataset, got {dataset!r}.'
      )
    spec = self.element_spec
    if spec is not None and not _is_compatible(dataset.element_spec, spec):
      raise TypeError(
          f'The dataset of client {client_id!r} has elements'
          f' {dataset.element_spec}, that of client {self.ids[0]!r} {spec}.'
      )
    return dataset

  def next_round(self, process, is_remote: bool):
    """See `StoredClients.next_round`."""

    # One function makes them all, and a look into a dataset is not for nothing.
    as_elements = is_remote or _has_python_functions(self.dataset(0))

    def data(position):
      dataset = self.dataset(position)
      return list(dataset.as_numpy_iterator()) if as_elements else dataset

    return lambda *args: process.next(
        *args[:-1], [data(position) for position in args[-1]]
    )


def sha256(arrays) -> str:
  """Returns the digest of the arrays' little-endian bytes in C order."""
  digest = hashlib.sha256()
  for array in arrays:
    array = np.asarray(array)
    if array.dtype.kind in 'OSU':
      digest.update(_sha256_of_strings(array.ravel()).encode())
      continue
    digest.update(
        np.ascontiguousarray(array, array.dtype.newbyteorder('<')).data
    )
  return digest.hexdigest()


def _sha256_of_strings(values):
  digest = hashlib.sha256()
  for value in values:
    value = value if isinstance(value, bytes) else str(value).encode()
    digest.update(b'%d:%s' % (len(value), value))
  return digest.hexdigest()


def _is_compatible(spec, expected):
  """Whether elements of `spec` are elements of `expected`."""
  try:
    tf.nest.assert_same_structure(spec, expected)
  except (TypeError, ValueError):
    return False
  return all(
      e.dtype == s.dtype and e.shape.is_compatible_with(s.shape)
      for s, e in zip(tf.nest.flatten(spec), tf.nest.flatten(expected))
  )


def _has_python_functions(dataset):
  """Whether a dataset's graph calls back into this process."""
  graph = tf.compat.v1.GraphDef.FromString(
      tf.raw_ops.DatasetToGraphV2(
          input_dataset=dataset._variant_tensor,  # pylint: disable=protected-access
          external_state_policy=1,  # Ignores that it may have some.
      ).numpy()
  )
  nodes = [*graph.node]
  for function in graph.library.function:
    nodes.extend(function.node_def)
  return any(node.op in _PYTHON_OPS for node in nodes)
