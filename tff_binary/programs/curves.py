# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Draws the monitored metric of runs over rounds and over what they sent."""

import itertools
import pathlib

from tff_binary.programs import metrics
from tff_binary.programs import run_folder


def plot_curves(runs, path):
  """Draws the monitored metric against rounds and against megabytes.

  The megabytes are those of all clients up to a round: what they have sent, and
  what they have sent and received.

  Args:
    runs: A dict from labels to the folders of runs, all of which monitor the
      same metric, in most cases the test accuracy.
    path: The PNG file to write.

  Raises:
    DamagedFileError: If a file of a folder is not whole.
    RunFolderError: If a folder holds no round with such a metric, or another
      one than the others.
    OSError: If the file cannot be written.
  """
  curves = {}
  monitors = {}
  for label, folder in runs.items():
    monitor, curves[label] = _read_curve(folder)
    monitors.setdefault(monitor, folder)
  if len(monitors) > 1:
    (one, folder), (other, other_folder) = list(monitors.items())[:2]
    raise run_folder.RunFolderError(
        f'runs must monitor the same metric: {folder} has {one},'
        f' {other_folder} has {other}'
    )
  # Imported here: only those who plot need matplotlib. `Figure` without pyplot
  # needs no display.
  from matplotlib import figure  # pylint: disable=g-import-not-at-top

  fig = figure.Figure(figsize=(14, 4), layout='constrained')
  by_round, by_uplink, by_total = fig.subplots(1, 3, sharey=True)
  for label, (rounds, uplink, total, values) in curves.items():
    # A single evaluation is a curve of one point, which no line shows.
    marker = 'o' if len(rounds) == 1 else None
    by_round.plot(rounds, values, label=label, marker=marker)
    by_uplink.plot(uplink, values, label=label, marker=marker)
    by_total.plot(total, values, label=label, marker=marker)
  by_round.set_xlabel('round')
  by_round.xaxis.get_major_locator().set_params(integer=True)
  by_round.set_ylabel(next(iter(monitors)).replace('_', ' '))
  by_round.legend()
  by_uplink.set_xlabel('uplink of all clients [MB]')
  by_total.set_xlabel('uplink and downlink of all clients [MB]')
  for axes in (by_uplink, by_total):
    axes.set_xscale('log')  # Methods differ by a factor of 32 and more.
  for axes in (by_round, by_uplink, by_total):
    axes.grid(alpha=0.3)
  fig.savefig(path, format='png', dpi=120)


def _read_curve(folder):
  """Returns the monitor of a run; rounds, megabytes up and in all, values."""
  path = pathlib.Path(folder)
  result = run_folder.RunFolder(path).read_result() or {}
  rows = metrics.read_history(path, result.get('rounds', 0))
  monitor = metrics.monitored(rows) if rows else None
  columns = ('uplink_bytes', 'downlink_bytes')
  missing = [name for name in columns if rows and name not in rows[0]]
  if missing:
    raise run_folder.RunFolderError(
        f'{folder} has no {" and no ".join(missing)} (in metrics.csv)'
    )
  sent, received = (
      list(itertools.accumulate(row[name] / 1e6 for row in rows))
      for name in columns
  )
  points = [
      (row['round_num'], uplink, uplink + downlink, row[monitor])
      for row, uplink, downlink in zip(rows, sent, received)
      if row[monitor] is not None
  ]
  if not points:
    raise run_folder.RunFolderError(
        f'{folder} holds no round with a test metric (in metrics.csv)'
    )
  return monitor, tuple(zip(*points))
