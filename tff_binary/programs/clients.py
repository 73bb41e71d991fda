# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The clients of a run: where their data are, and how these reach a round."""

from collections.abc import Callable, Hashable, Sequence
import hashlib
import json
from typing import Any, Optional, Union

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import learning
from tff_binary.programs import fingerprints
from tff_binary.programs import inputs

# What only this process can run: a worker that gets such a dataset fails.
_PYTHON_OPS = frozenset({'PyFunc', 'PyFuncStateless', 'EagerPyFunc'})

CreateDataset = Callable[[Any], tf.data.Dataset]


def of(
    clients: Any,
    client_ids: Optional[Sequence[Hashable]] = None,
    preprocess: Optional[Callable[[tf.data.Dataset], tf.data.Dataset]] = None,
) -> Union['StoredClients', 'DatasetClients']:
  """Returns the clients that a user means.

  Args:
    clients: A `tff.simulation.datasets.ClientData`, a function from a client id
      to a dataset, or what `inputs.as_clients` takes.
    client_ids: The ids of the clients that a function knows.
    preprocess: For datasets, see `DatasetClients`.

  Raises:
    TypeError: If a client's dataset does not consist of batches.
    ValueError: If the arguments do not fit one another, if there is no client,
      or see `inputs.as_clients`.
  """
  if isinstance(clients, tff.simulation.datasets.ClientData):
    create_dataset = clients.create_tf_dataset_for_client
    ids = clients.client_ids if client_ids is None else client_ids
  elif callable(clients):
    if client_ids is None:
      raise ValueError('client_ids must list the ids that clients takes')
    create_dataset, ids = clients, client_ids
  else:
    for name, value in (('client_ids', client_ids), ('preprocess', preprocess)):
      if value is not None:
        raise ValueError(
            f'{name} is for clients that are datasets, not for arrays, got'
            f' {value!r}'
        )
    return StoredClients(*inputs.as_clients(clients))
  if not len(ids):  # pylint: disable=g-explicit-length-test
    raise ValueError('clients must hold at least one client')
  return DatasetClients(ids, create_dataset, preprocess)


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
    self.element_spec = learning.client_dataset(
        *arrays[0][:2], 0, *arrays[0][2:]
    ).element_spec

  def __len__(self):
    return len(self.ids)

  def __getitem__(self, position):
    """Returns the arrays of the client at a position."""
    return self._arrays[position]

  def settings(self):
    """Returns what tells these clients from others, as JSON holds it."""
    return {
        'num_clients': len(self),
        'client_ids_sha256': _sha256_of_strings(self.ids),
        'clients_sha256': sha256(tf.nest.flatten(list(self._arrays))),
    }

  def details(self):
    """Returns what `settings` leave out, as JSON holds it.

    They are settings of their own: those of test clients are compared as a
    whole, with what earlier versions have recorded.
    """
    return {'client_element_spec': str(self.element_spec)}

  def next_round(self, process, folder: str, is_remote: bool):
    """Returns `process.next` with clients' positions in place of their data.

    Args:
      process: The learning process.
      folder: A folder that is empty or does not exist yet.
      is_remote: Whether the workers do not see this machine's files.
    """
    if is_remote:  # The data travels.

      def dataset(position):
        features, labels, *weights = self._arrays[position]
        return learning.client_dataset(features, labels, position, *weights)

      return lambda *args: process.next(
          *args[:-1], [dataset(position) for position in args[-1]]
      )
    store = learning.ClientStore.write(folder, self._arrays)
    return tff.simulation.compose_dataset_computation_with_computation(
        store.dataset_computation, process.next
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
    self.element_spec = self[0].element_spec
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

  def __len__(self):
    return len(self.ids)

  def settings(self):
    """See `StoredClients.settings`; the data themselves are not looked at."""
    function = self._create_dataset
    return {
        'num_clients': len(self),
        'client_ids_sha256': _sha256_of_strings(self.ids),
        'client_element_spec': str(self.element_spec),
        # Methods are described by `details`.
        'clients': None
        if hasattr(function, '__self__')
        else fingerprints.describe(function),
        'preprocess': fingerprints.describe(self._preprocess),
    }

  def details(self):
    """See `StoredClients.details`."""
    owner = getattr(self._create_dataset, '__self__', None)
    if isinstance(owner, tff.simulation.datasets.ClientData):
      description = _describe_client_data(owner)
    else:
      description = fingerprints.describe(self._create_dataset)
    # The object of a method may hold much.
    text = json.dumps(description, sort_keys=True)
    return {'client_datasets_sha256': _sha256_of_strings([text])}

  def __getitem__(self, position):
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

  def next_round(self, process, folder: str, is_remote: bool):
    """See `StoredClients.next_round`; nothing is written."""
    del folder
    # One function makes them all, and a look into a dataset is not for nothing.
    as_elements = is_remote or _has_python_functions(self[0])

    def data(position):
      dataset = self[position]
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


def _describe_client_data(client_data):
  """Describes a ClientData by its functions: its files may have moved."""
  parts = [fingerprints.describe(type(client_data))]
  for _, value in sorted(vars(client_data).items()):
    if isinstance(value, tff.simulation.datasets.ClientData):
      parts.append(_describe_client_data(value))
    # TFF makes and keeps a computation when one is asked for.
    elif callable(value) and not isinstance(value, tff.Computation):
      parts.append(fingerprints.describe(value))
  return parts


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
  # pylint: disable=protected-access
  graph = tf.compat.v1.GraphDef.FromString(
      tf.raw_ops.DatasetToGraphV2(
          input_dataset=dataset._variant_tensor,
          external_state_policy=1,  # Ignores that it may have some.
      ).numpy()
  )
  nodes = [*graph.node]
  for function in graph.library.function:
    nodes.extend(function.node_def)
  return any(node.op in _PYTHON_OPS for node in nodes)
