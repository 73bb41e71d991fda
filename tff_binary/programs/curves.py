# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Draws the accuracy of runs against rounds and against what they sent."""

import itertools
import pathlib

from tff_binary.programs import metrics
from tff_binary.programs import run_folder


def plot_curves(runs, path):
  """Draws test accuracy against rounds and against uplink megabytes.

  Args:
    runs: A dict from labels to the folders of runs.
    path: The PNG file to write.

  Raises:
    RunFolderError: If a folder holds no round with a test accuracy.
    OSError: If the file cannot be written.
  """
  curves = {label: _read_curve(folder) for label, folder in runs.items()}
  # Imported here: only those who plot need matplotlib. `Figure` without pyplot
  # needs no display.
  from matplotlib import figure  # pylint: disable=g-import-not-at-top

  fig = figure.Figure(figsize=(10, 4), layout='constrained')
  by_round, by_uplink = fig.subplots(1, 2, sharey=True)
  for label, (rounds, megabytes, accuracies) in curves.items():
    # A single evaluation is a curve of one point, which no line shows.
    marker = 'o' if len(rounds) == 1 else None
    by_round.plot(rounds, accuracies, label=label, marker=marker)
    by_uplink.plot(megabytes, accuracies, label=label, marker=marker)
  by_round.set_xlabel('round')
  by_round.xaxis.get_major_locator().set_params(integer=True)
  by_round.set_ylabel('test accuracy')
  by_round.legend()
  by_uplink.set_xlabel('uplink of all clients [MB]')
  by_uplink.set_xscale('log')  # Methods differ by a factor of 32 and more.
  for axes in (by_round, by_uplink):
    axes.grid(alpha=0.3)
  fig.savefig(path, format='png', dpi=120)


def _read_curve(folder):
  """Returns the rounds, megabytes and accuracies of a run's evaluations."""
  rows = metrics.read_history(pathlib.Path(folder))
  sent = itertools.accumulate(row['uplink_bytes'] for row in rows)
  points = [
      (row['round_num'], num_bytes / 1e6, row['test_accuracy'])
      for row, num_bytes in zip(rows, sent)
      if row['test_accuracy'] is not None
  ]
  if not points:
    raise run_folder.RunFolderError(
        f'{folder} holds no round with a test accuracy (in metrics.csv)'
    )
  return tuple(zip(*points))
