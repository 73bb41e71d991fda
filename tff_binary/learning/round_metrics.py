# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Flattens the metrics of a process into one row of a table."""

import collections
from collections.abc import Mapping
from typing import Any, Optional, Union


def round_metrics(
    metrics: Mapping[str, Any],
) -> collections.OrderedDict[str, Optional[Union[int, float]]]:
  """Returns what a round trained and sent.

  Bytes are summed over the round's clients. Bits per parameter are averaged
  over the clients and have the number of compressed parameters as denominator:
  `uplink_bits_per_param` counts the bytes of the compressed kernels alone,
  `uplink_bits_per_param_total` everything that is sent; the same two for the
  downlink; they are None in a round without clients. Training metrics are named
  `train_<metric>` and None if no client had a usable example. `sparsity` is the
  share of zeros among the kernel entries of a quantized downlink.
  `received_loss` and `levels` are the clients' loss before training and the
  round's number of levels, where the aggregator adapts that.

  Where clients take kernels to a different extent, these count as the clients
  report them, and all else as the distributor measures it or clients report,
  too.

  Args:
    metrics: The metrics of a process of this package, from one round.

  Returns:
    An `OrderedDict` of Python numbers and None.
  """
  train = collections.OrderedDict(metrics['client_work']['train'])
  received = _number(train.pop('received_bytes', 0))
  received_other = _number(train.pop('received_other_bytes', 0))
  row = collections.OrderedDict()
  # The mean over no examples is a zero, which was not measured.
  is_measured = _number(train.get('num_examples', 1)) > 0
  for name in [n for n in train if n not in _COUNTS]:
    value = _number(train.pop(name))
    row[f'train_{name}'] = value if is_measured else None
  num_clients = _find(metrics['aggregator'], 'num_clients', max)
  params = _find(metrics['aggregator'], 'num_compressed_params', max)
  row['num_clients'] = num_clients
  for name, value in train.items():
    row[name] = _number(value)
  # Those whose training was finite, but not their weighted update.
  overflown = _find(metrics['aggregator'], 'num_non_finite_clients', max) or 0
  if 'non_finite_clients' in row:
    row['non_finite_clients'] += overflown
  dropped = _find(metrics['aggregator'], 'num_dropped_clients', sum)
  if dropped is not None:
    row['num_dropped_clients'] = dropped
  sparsity = _find(metrics['distributor'], 'sparsity', max)
  if sparsity is not None:
    row['sparsity'] = sparsity
  for name in ('received_loss', 'levels'):
    value = _find(metrics['aggregator'], name, max)
    if value is not None:
      row[name] = value

  uplink = _find(metrics['aggregator'], 'uplink_bytes', sum)
  uplink_compressed = _find(
      metrics['aggregator'], 'compressed_uplink_bytes', sum
  )
  downlink = received + received_other + num_clients * sum(
      _find(metrics[sender], 'downlink_bytes_per_client', sum) or 0
      for sender in ('distributor', 'client_work', 'aggregator')
  )
  downlink_compressed = received + num_clients * (
      _find(metrics['distributor'], 'compressed_downlink_bytes_per_client', sum)
      or 0
  )
  row['uplink_bytes'] = uplink
  row['downlink_bytes'] = downlink
  clients_params = num_clients * params
  for name, num_bytes in (
      ('uplink_bits_per_param', uplink_compressed),
      ('downlink_bits_per_param', downlink_compressed),
      ('uplink_bits_per_param_total', uplink),
      ('downlink_bits_per_param_total', downlink),
  ):
    row[name] = 8.0 / clients_params * num_bytes if num_clients else None
  return row


_COUNTS = ('num_examples', 'num_batches', 'non_finite_clients',
           'clamped_step_sizes')


def _number(value):
  return value.item() if hasattr(value, 'item') else value


def _find(metrics, name, reduce):
  """Reduces all measurements of that name; wrapping factories nest them."""
  found = []

  def visit(node):
    if isinstance(node, Mapping):
      for key, value in node.items():
        if key == name:  # Python values.
          found.append(_number(value))
        else:
          visit(value)

  visit(metrics)
  return reduce(found) if found else None
