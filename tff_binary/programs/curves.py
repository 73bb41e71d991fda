# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Draws the monitored metric of runs over rounds and over what they sent."""

from tff_binary.programs import recorded_runs

# Against what the metric can be drawn: the field of a point, and its label.
AXES = {
    'rounds': ('round_num', 'round'),
    'uplink': ('uplink', 'uplink of all clients [MB]'),
    'total': ('total', 'uplink and downlink of all clients [MB]'),
}


def plot_curves(runs, path, against=tuple(AXES)):
  """Draws the monitored metric against rounds and against megabytes.

  The megabytes are those of all clients up to a round: what they have sent, and
  what they have sent and received.

  Args:
    runs: A dict from labels to the folders of runs, all of which monitor the
      same metric, in most cases the test accuracy.
    path: The PNG file to write.
    against: Some of `AXES`, each for a picture beside the others.

  Raises:
    DamagedFileError: If a file of a folder is not whole.
    RunFolderError: If a folder holds no round with such a metric, or another
      one than the others.
    ValueError: If `against` names none or another axis.
    OSError: If the file cannot be written.
  """
  if not against or not set(against) <= set(AXES):
    raise ValueError(
        f'against must be some of {", ".join(AXES)}, got'
        f' {", ".join(against) or "none"}'
    )
  recorded = recorded_runs.read(runs.values())
  # Imported here: only those who plot need matplotlib. `Figure` without pyplot
  # needs no display.
  # pylint: disable=g-import-not-at-top
  from matplotlib import figure
  from matplotlib import ticker
  # pylint: enable=g-import-not-at-top

  # One alone has room for the legend.
  width = 14 / 3 * len(against) if len(against) > 1 else 7
  fig = figure.Figure(figsize=(width, 4), layout='constrained')
  pictures = fig.subplots(1, len(against), sharey=True, squeeze=False)[0]
  for axes, name in zip(pictures, against):
    field, label = AXES[name]
    for run_label, run in zip(runs, recorded):
      axes.plot(
          [getattr(point, field) for point in run.points],
          [point.value for point in run.points],
          label=run_label,
          # A single evaluation is a curve of one point, which no line shows.
          marker='o' if len(run.points) == 1 else None,
      )
    axes.set_xlabel(label)
    if name == 'rounds':
      axes.xaxis.get_major_locator().set_params(integer=True)
    else:
      axes.set_xscale('log')  # Methods differ by a factor of 32 and more.
      axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
      axes.xaxis.set_major_formatter('{x:g}')
      axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.grid(alpha=0.3)
  pictures[0].set_ylabel(recorded[0].monitor.replace('_', ' '))
  pictures[0].legend()
  fig.savefig(path, format='png', dpi=120)
