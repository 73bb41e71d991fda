# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Draws the monitored metric of runs over rounds and over what they sent."""

import itertools
import statistics

from tff_binary.programs import metrics
from tff_binary.programs import recorded_runs

# Against what the metric can be drawn: the field of a point, and its label.
AXES = {
    'rounds': ('round_num', 'round'),
    'uplink': ('uplink', 'uplink of all clients [MB]'),
    'total': ('total', 'uplink and downlink of all clients [MB]'),
}
# One point for a run instead of one for each round.
BITS = 'bits'
PICTURES = (*AXES, BITS)


def plot_curves(folders, path, labels=None, against=tuple(AXES), may_differ=()):
  """Draws the monitored metric against rounds, megabytes and bits.

  The megabytes are those of all clients up to a round: what they have sent, and
  what they have sent and received. Bits are all that a client sends and
  receives in a round for each entry of the compressed kernels, the mean over
  the rounds, and the metric beside them is the mean of the last five rounds in
  which it was measured. Of several seeds it is the mean, with one standard
  deviation to both sides.

  Args:
    folders: Folders of runs, or of many runs such as a sweep's output. All
      monitor the same metric, in most cases the test accuracy.
    path: The PNG file to write.
    labels: A label for each configuration, the runs that differ in the seed
      alone, in the order of its first run; by default they are named as their
      folders.
    against: Some of `PICTURES`, each for a picture beside the others.
    may_differ: Names of settings that do not decide the result, such as the
      folder.

  Raises:
    DamagedFileError: If a file of a folder is not whole.
    RunFolderError: If a folder holds no round with such a metric, or another
      one than the others, or lacks a column.
    ValueError: If `against` names none or another picture, or `labels` are not
      as they should be.
    OSError: If the file cannot be written.
  """
  if not against or not set(against) <= set(PICTURES):
    raise ValueError(
        f'against must be some of {", ".join(PICTURES)}, got'
        f' {", ".join(against) or "none"}'
    )
  configurations = recorded_runs.read_configurations(
      folders, labels, may_differ
  )
  # Imported here: only those who plot need matplotlib. `Figure` without pyplot
  # needs no display.
  # pylint: disable=g-import-not-at-top
  from matplotlib import figure
  from matplotlib import ticker
  # pylint: enable=g-import-not-at-top

  # One alone has room for the legend.
  width = 14 / 3 * len(against) if len(against) > 1 else 7
  fig = figure.Figure(figsize=(width, 4), layout='constrained')
  # The first rounds of a curve would press the points into one line.
  share = BITS not in against
  pictures = fig.subplots(1, len(against), sharey=share, squeeze=False)[0]
  for axes, name in zip(pictures, against):
    if name == BITS:
      _draw_points(axes, configurations)
    else:
      _draw_curves(axes, configurations, *AXES[name])
    if name == 'rounds':
      axes.xaxis.get_major_locator().set_params(integer=True)
    else:
      axes.set_xscale('log')  # Methods differ by a factor of 32 and more.
      axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
      axes.xaxis.set_major_formatter('{x:g}')
      axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.grid(alpha=0.3)
  monitor = configurations[0].runs[0].record.monitor
  pictures[0].set_ylabel(as_text(monitor.replace('_', ' ')))
  if BITS in against or len(configurations) > 8:  # It would hide something.
    handles, names = pictures[0].get_legend_handles_labels()
    fig.legend(handles, names, loc='outside right center')
  else:
    pictures[0].legend()
  fig.savefig(path, format='png', dpi=120)


def as_text(name):
  """Returns a name as a label that Matplotlib shows as it is.

  It takes what stands between dollar signs for mathematics, and leaves what
  begins with an underscore out of legends.
  """
  text = name.replace('$', r'\$')
  return f'\u200b{text}' if text.startswith('_') else text  # Of no width.


def _draw_curves(axes, configurations, field, label):
  """Draws one line for each configuration."""
  # Matplotlib has ten colors.
  styles = itertools.chain.from_iterable(
      [style] * 10 for style in itertools.cycle(('-', '--', ':'))
  )
  for configuration, style in zip(configurations, styles):
    points = configuration.points(field)
    x = [x for x, _ in points]
    means = [statistics.fmean(values) for _, values in points]
    (line,) = axes.plot(
        x,
        means,
        label=as_text(configuration.name),
        linestyle=style,
        # A single evaluation is a curve of one point, which no line shows.
        marker='o' if len(points) == 1 else None,
    )
    if len(configuration.runs) > 1:
      deviations = [metrics.deviation(values) for _, values in points]
      axes.fill_between(
          x,
          [m - d for m, d in zip(means, deviations)],
          [m + d for m, d in zip(means, deviations)],
          color=line.get_color(),
          alpha=0.15,
          linewidth=0,
      )
  axes.set_xlabel(label)


def _draw_points(axes, configurations):
  """Draws one point for each configuration."""
  monitor = configurations[0].runs[0].record.monitor
  markers = itertools.cycle('os^Dv*PX<>p')  # Eleven, with ten colors.
  for configuration, marker in zip(configurations, markers):
    values = configuration.summary(f'mean_of_last_5_{monitor}')
    axes.errorbar(
        [_bits(configuration)],
        [statistics.fmean(values)],
        [metrics.deviation(values)] if len(values) > 1 else None,
        label=as_text(configuration.name),
        marker=marker,
        linestyle='',
        capsize=2,
    )
  axes.set_xlabel('bits per parameter, up and down')


def _bits(configuration):
  return sum(
      statistics.fmean(configuration.summary(f'{way}_bits_per_param_total'))
      for way in ('uplink', 'downlink')
  )
