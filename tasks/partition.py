# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Partitions of a data set's examples among clients.

`iid`, `dirichlet` and `labels` are the partitions IID, Non-IID-1 and Non-IID-2
of FedBAT's experiments, index for index those of the authors' code for the same
labels and seed; `labels_random` draws what `labels` assigns in turn.
`dirichlet_balanced` is the partition of LPT's experiments, likewise. `natural`
takes the clients from whom the data come.

Source: Li et al., "FedBAT: Communication-Efficient Federated Learning via
Learnable Binarization", ICML 2024, section 5.1 and the authors' code; Li et
al., "Low Precision Local Training is Enough for Federated Learning", NeurIPS
2024, the authors' code.

Every partition is a list of one int64 array of indices for each client; each
example belongs to exactly one client, or to none if not all natural clients are
taken.
"""

# The partition `labels` goes by the name of every function's first argument.
# pylint: disable=redefined-outer-name

import numpy as np

from tasks import checks

# The smallest client that `dirichlet` accepts, in examples.
_MIN_EXAMPLES = 10
_MAX_DRAWS = 1000
_NUM_BALANCING_STEPS = 1000
# More classes than these are not shown one by one.
_MAX_CLASSES_SHOWN = 20


def _random(seed):
  checks.check_integer('seed', seed, 0, 2**32 - 1)
  # Unlike that of `default_rng`, its stream is the same in all numpy versions.
  return np.random.RandomState(seed)


def _one_label_each(name, labels):
  """Returns the labels as an array; raises unless each example has one."""
  labels = np.asarray(labels)
  if labels.ndim != 1:
    raise ValueError(
        f'partition {name} goes by the label of an example and needs one for'
        f' each, an array of shape [n], got shape {list(labels.shape)}; take'
        ' natural or iid'
    )
  return labels


def natural(clients, num_clients=None):
  """Takes the clients from whom the data come, or the first ones of them.

  Args:
    clients: A dict from the clients' names to int64 arrays of indices.
    num_clients: The number of clients, in `[1, len(clients)]`; None for all.

  Returns:
    A list of `num_clients` int64 arrays of indices, in the order of `clients`.

  Raises:
    ValueError: If `num_clients` is out of its range.
  """
  if num_clients is None:
    num_clients = len(clients)
  checks.check_integer('num_clients', num_clients, 1, len(clients))
  return list(clients.values())[:num_clients]


def iid(labels, num_clients, seed):
  """Deals the examples at random, in equal parts up to one example.

  Args:
    labels: An array of shape `[n, ...]`.
    num_clients: The number of clients, in `[1, n]`.
    seed: An int in `[0, 2**32)`.

  Returns:
    A list of `num_clients` int64 arrays of indices.

  Raises:
    ValueError: If an argument is out of its range.
  """
  checks.check_integer('num_clients', num_clients, 1, len(labels))
  return np.array_split(_random(seed).permutation(len(labels)), num_clients)


def _draw_dirichlet(labels, num_clients, beta, random):
  """Draws one Dirichlet partition; None if the shares of a class underflow."""
  parts = [[] for _ in range(num_clients)]
  sizes = np.zeros(num_clients, np.int64)
  for label in np.unique(labels):
    examples = np.flatnonzero(labels == label)
    random.shuffle(examples)
    shares = random.dirichlet(np.full(num_clients, beta))
    # A client with its fair share of all examples gets no more of them.
    shares = shares * (sizes < len(labels) / num_clients)
    total = shares.sum()
    if not total > 0.0:
      return None
    ends = np.cumsum(shares / total) * len(examples)
    pieces = np.split(examples, ends.astype(np.int64)[:-1])
    for part, piece in zip(parts, pieces):
      part.append(piece)
    sizes += [len(piece) for piece in pieces]
  return [np.concatenate(part) for part in parts]


def _check_beta(beta):
  if not 0.0 < beta < np.inf:
    raise ValueError(f'beta must be positive and finite, got {beta!r}')


def dirichlet(labels, num_clients, beta, seed):
  """Splits each class by shares drawn from a Dirichlet distribution.

  Non-IID-1 of FedBAT. Class by class, the shares are drawn from
  Dirichlet(beta, ..., beta), set to 0 for clients that already hold `n /
  num_clients` examples, and scaled to sum to 1. The whole draw is repeated
  until every client holds at least 10 examples.

  Args:
    labels: An integer array of shape `[n]`.
    num_clients: The number of clients, in `[1, n // 10]`.
    beta: The concentration, positive; the smaller, the fewer labels a client
      has. The paper takes 0.3, and 0.1 for CIFAR-100.
    seed: An int in `[0, 2**32)`.

  Returns:
    A list of `num_clients` int64 arrays of indices.

  Raises:
    ValueError: If an argument is out of its range, or no draw out of 1,000
      gives every client 10 examples.
  """
  labels = _one_label_each('dirichlet', labels)
  if len(labels) < _MIN_EXAMPLES:
    raise ValueError(
        f'a Dirichlet partition needs at least {_MIN_EXAMPLES} examples, got'
        f' {len(labels)}'
    )
  checks.check_integer(
      f'num_clients (of a Dirichlet partition of {len(labels)} examples, at'
      f' least {_MIN_EXAMPLES} a client)',
      num_clients,
      1,
      len(labels) // _MIN_EXAMPLES,
  )
  _check_beta(beta)
  random = _random(seed)
  for _ in range(_MAX_DRAWS):
    parts = _draw_dirichlet(labels, num_clients, beta, random)
    if parts is not None and min(map(len, parts)) >= _MIN_EXAMPLES:
      for part in parts:
        random.shuffle(part)
      return parts
  raise ValueError(
      f'none of {_MAX_DRAWS} draws with beta {beta} gave each of'
      f' {num_clients} clients at least {_MIN_EXAMPLES} of {len(labels)}'
      ' examples; take a larger beta or fewer clients'
  )


def dirichlet_balanced(labels, num_clients, beta, seed):
  """Splits each class by Dirichlet shares, such that all clients are as large.

  The shares are drawn from Dirichlet(beta, ..., beta) class by class. Then, in
  turn, those of each client are scaled to `n / num_clients` examples and those
  of each class to sum to 1, 1,000 times (Sinkhorn's algorithm, whose limit is
  doubly stochastic). Clients end up within a few examples, about the number of
  classes, of each other; the fewer of these a client has, the smaller beta is.

  Each class is dealt in the order of its examples. Of classes of equal size
  these are the clients of LPT's code, index for index.

  Source: Li et al., "Low Precision Local Training is Enough for Federated
  Learning", NeurIPS 2024, the authors' code, data.py.

  Args:
    labels: An integer array of shape `[n]`.
    num_clients: The number of clients, in `[1, n]`.
    beta: The concentration, positive. The paper takes 0.01, 0.04 and 0.16.
    seed: An int in `[0, 2**32)`. The authors' code takes 4.

  Returns:
    A list of `num_clients` int64 arrays of indices.

  Raises:
    ValueError: If an argument is out of its range, or if beta is so small that
      the shares underflow.
  """
  labels = _one_label_each('dirichlet_balanced', labels)
  checks.check_integer('num_clients', num_clients, 1, len(labels))
  _check_beta(beta)
  classes, counts = np.unique(labels, return_counts=True)
  shares = _random(seed).dirichlet(np.full(num_clients, beta), len(classes))
  # Exactly 1 for classes of equal size.
  relative_sizes = (counts / counts.mean())[:, np.newaxis]
  with np.errstate(invalid='ignore', divide='ignore', over='ignore'):
    for _ in range(_NUM_BALANCING_STEPS):
      shares = shares / (relative_sizes * shares).sum(axis=0)
      shares = shares / shares.sum(axis=1, keepdims=True)
  if not np.all(np.isfinite(shares)):
    raise ValueError(
        f'shares of {num_clients} clients underflow with beta {beta}; take a'
        ' larger beta or fewer clients'
    )
  parts = [[] for _ in range(num_clients)]
  for label, of_class in zip(classes, shares):
    examples = np.flatnonzero(labels == label)
    ends = np.cumsum(of_class)[:-1] * len(examples)
    for part, piece in zip(parts, np.split(examples, ends.astype(np.int64))):
      part.append(piece)
  return [np.concatenate(part) for part in parts]


def _check_labels_per_client(classes, num_clients, labels_per_client):
  checks.check_integer('labels_per_client', labels_per_client, 1, len(classes))
  if num_clients * labels_per_client < len(classes):
    raise ValueError(
        'num_clients * labels_per_client must be at least the number of labels'
        f', {len(classes)}, for every example to be used, got'
        f' {num_clients} * {labels_per_client}'
    )


def _split_classes(labels, classes, holds, random):
  """Splits each class equally among the clients that hold it.

  Args:
    labels: An integer array of shape `[n]`.
    classes: The distinct labels, sorted.
    holds: A bool array of shape `[num_clients, len(classes)]`.
    random: A `np.random.RandomState`.

  Returns:
    A list of `num_clients` int64 arrays of indices.
  """
  parts = [[] for _ in holds]
  for label, held in zip(classes, holds.T):
    examples = np.flatnonzero(labels == label)
    random.shuffle(examples)
    holders = np.flatnonzero(held)
    for client, piece in zip(holders, np.array_split(examples, len(holders))):
      parts[client].append(piece)
  return [np.concatenate(part) for part in parts]


def labels(labels, num_clients, labels_per_client, seed):
  """Gives each client in turn the labels used least so far.

  Non-IID-2 of FedBAT. The assignment of labels is deterministic: ties go to the
  lowest labels, so that with 10 labels and 3 per client, the clients hold
  {0, 1, 2}, {3, 4, 5}, ... and 10 sets of labels repeat. Each class is
  shuffled and split equally among its clients.

  Args:
    labels: An integer array of shape `[n]`.
    num_clients: The number of clients, in `[1, n]`.
    labels_per_client: The number of labels that each client holds, at least 1
      and at most the number of distinct labels.
    seed: An int in `[0, 2**32)`.

  Returns:
    A list of `num_clients` int64 arrays of indices. A class with fewer examples
    than clients leaves some of them without any.

  Raises:
    ValueError: If an argument is out of its range, or there are too few clients
      to hold every label.
  """
  labels = _one_label_each('labels', labels)
  checks.check_integer('num_clients', num_clients, 1, len(labels))
  classes = np.unique(labels)
  _check_labels_per_client(classes, num_clients, labels_per_client)
  holds = np.zeros([num_clients, len(classes)], bool)
  for client in range(num_clients):
    usage = holds.sum(axis=0)
    # Only a stable sort makes the sets independent of the numpy version.
    least_used = np.argsort(usage, kind='stable')[:labels_per_client]
    holds[client, least_used] = True
  return _split_classes(labels, classes, holds, _random(seed))


def labels_random(labels, num_clients, labels_per_client, seed):
  """Gives each client distinct labels drawn uniformly at random.

  If a label was drawn by nobody, it replaces a random one of those held by
  several clients. Each class is shuffled and split equally among its clients,
  whose sizes differ.

  Args:
    labels: An integer array of shape `[n]`.
    num_clients: The number of clients, in `[1, n]`.
    labels_per_client: The number of labels that each client holds, at least 1
      and at most the number of distinct labels.
    seed: An int in `[0, 2**32)`.

  Returns:
    A list of `num_clients` int64 arrays of indices. A class with fewer examples
    than clients leaves some of them without any.

  Raises:
    ValueError: If an argument is out of its range, or there are too few clients
      to hold every label.
  """
  labels = _one_label_each('labels_random', labels)
  checks.check_integer('num_clients', num_clients, 1, len(labels))
  classes = np.unique(labels)
  _check_labels_per_client(classes, num_clients, labels_per_client)
  random = _random(seed)
  holds = np.zeros([num_clients, len(classes)], bool)
  for client in range(num_clients):
    drawn = random.choice(len(classes), labels_per_client, replace=False)
    holds[client, drawn] = True
  for label in random.permutation(np.flatnonzero(~holds.any(axis=0))):
    spare = np.argwhere(holds & (holds.sum(axis=0) > 1))
    client, replaced = spare[random.randint(len(spare))]
    holds[client, [replaced, label]] = False, True
  return _split_classes(labels, classes, holds, random)


_PARTITIONS = {
    'iid': iid,
    'dirichlet': dirichlet,
    'dirichlet_balanced': dirichlet_balanced,
    'labels': labels,
    'labels_random': labels_random,
}


def names():
  """Returns the names that `split` takes for any data, not `natural`."""
  return list(_PARTITIONS)


def split(
    name,
    labels,
    num_clients,
    *,
    natural_clients=None,
    seed=1234,
    dirichlet_beta=0.3,
    labels_per_client=3,
):
  """Partitions the examples by the partition of this name.

  Args:
    name: One of `names()`, or `natural` if there are natural clients.
    labels: An integer array of shape `[n]`. For `iid` and `natural` an example
      may have several labels, the shape being `[n, ...]`.
    num_clients: The number of clients; of `natural`, None for all.
    natural_clients: `Task.natural_clients`.
    seed: An int in `[0, 2**32)`. FedBAT's experiments take 1234 throughout.
    dirichlet_beta: The concentration of `dirichlet` and `dirichlet_balanced`;
      ignored by the others.
    labels_per_client: The labels per client of `labels` and `labels_random`;
      ignored by the others.

  Returns:
    A list of `num_clients` int64 arrays of indices.

  Raises:
    ValueError: If `name` is unknown or an argument is out of its range.
  """
  if natural_clients is None:
    checks.check_choice(
        'partition (of data without natural clients)', name, names()
    )
  else:
    checks.check_choice('partition', name, ['natural', *names()])
  if name == 'natural':
    return natural(natural_clients, num_clients)
  options = {
      'iid': {},
      'dirichlet': {'beta': dirichlet_beta},
      'dirichlet_balanced': {'beta': dirichlet_beta},
      'labels': {'labels_per_client': labels_per_client},
      'labels_random': {'labels_per_client': labels_per_client},
  }
  return _PARTITIONS[name](labels, num_clients, seed=seed, **options[name])


def label_counts(labels, partition, num_classes):
  """Counts each client's labels of each class.

  Args:
    labels: An integer array of shape `[n, ...]`.
    partition: A list of integer arrays of indices, one for each client.
    num_classes: The number of classes.

  Returns:
    An int64 array of shape `[len(partition), num_classes]`.
  """
  labels = np.asarray(labels)
  return np.stack(
      [
          np.bincount(labels[part].ravel(), minlength=num_classes)
          for part in partition
      ]
  )


def describe(labels, partition, num_classes, *, max_clients=20, names=None):
  """Describes a partition by a table to print.

  One line for each client: its examples, its number of different labels and,
  for up to 20 classes, its labels of each class; then minimum, median and
  maximum of each column over all clients.

  Args:
    labels: An integer array of shape `[n, ...]`.
    partition: A list of integer arrays of indices, one for each client.
    num_classes: The number of classes.
    max_clients: If there are more clients, only the first ones are shown, half
      as many as this, and as many last ones.
    names: The clients' names, a sequence of at least as many strings; by
      default their numbers.

  Returns:
    A string of several lines.
  """
  counts = label_counts(labels, partition, num_classes)
  header = ['client', 'examples', 'labels']
  columns = [list(map(len, partition)), (counts > 0).sum(axis=1)]
  if num_classes <= _MAX_CLASSES_SHOWN:
    header += [str(label) for label in range(num_classes)]
    columns += list(counts.T)
  values = np.stack(columns, axis=1)
  if names is None:
    names = map(str, range(len(values)))
  rows = [[name, *map(str, row)] for name, row in zip(names, values)]
  if len(rows) > max_clients:
    half = max_clients // 2
    rows[half : len(rows) - half] = [['...'] * len(header)]
  for name, summarize in (
      ('min', np.min), ('median', np.median), ('max', np.max)
  ):
    rows.append([name, *(f'{v:g}' for v in summarize(values, axis=0))])
  rows.insert(0, header)
  widths = [max(map(len, column)) for column in zip(*rows)]
  return '\n'.join(
      '  '.join(cell.rjust(width) for cell, width in zip(row, widths))
      for row in rows
  )


def plot(labels, partition, num_classes, path):
  """Writes a PNG of the clients' label counts, one stacked bar for each client.

  Args:
    labels: An integer array of shape `[n, ...]`.
    partition: A list of integer arrays of indices, one for each client.
    num_classes: The number of classes.
    path: The file to write.
  """
  # Imported here: only those who plot need matplotlib. `Figure` without pyplot
  # needs no display.
  from matplotlib import colormaps  # pylint: disable=g-import-not-at-top
  from matplotlib import figure  # pylint: disable=g-import-not-at-top

  counts = label_counts(labels, partition, num_classes)
  clients = np.arange(len(counts))
  bottoms = np.cumsum(counts, axis=1) - counts
  colors = colormaps['turbo'](np.linspace(0.05, 0.95, num_classes))
  fig = figure.Figure(figsize=(10, 4), layout='constrained')
  axes = fig.add_subplot()
  for label in range(num_classes):
    axes.bar(
        clients,
        counts[:, label],
        bottom=bottoms[:, label],
        color=colors[label],
        label=str(label),
    )
  axes.set_xlabel('client')
  axes.set_ylabel('examples' if np.ndim(labels) == 1 else 'labels')
  axes.margins(x=0.01)
  if num_classes <= _MAX_CLASSES_SHOWN:
    axes.legend(title='label', loc='center left', bbox_to_anchor=(1.0, 0.5))
  fig.savefig(path, format='png', dpi=120)
