# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of analyses."""

from collections.abc import Mapping
import pathlib

import numpy as np

from tff_binary.analysis import quantities
from tff_binary.programs import curves as curves_lib

_MAX_CURVES = 8  # Whose names a legend has room for.
_MAX_ROUNDS = 6
_MAX_KERNELS = 4
_LOGARITHMIC = ('lipschitz_bound', 'step_size', 'update_error')


def plot_quantity(
    analyses: Mapping[str, quantities.Analysis],
    quantity: str,
    path: pathlib.Path,
):
  """Draws a quantity over the rounds: a panel for each run.

  Runs of which the quantity is one number share a panel.

  Args:
    analyses: The analyses by the labels of their runs.
    quantity: One of `quantities.quantities_of(analyses)`.
    path: The PNG file to write.
  """
  panels = {}
  for label, analysis in analyses.items():
    curves = _curves(analysis.quantities.get(quantity, {}))
    if list(curves) == ['model']:
      panels.setdefault('', {})[label] = curves['model']
    elif curves:
      panels[label] = curves
  fig, all_axes = _figure(1, len(panels))
  for axes, (title, curves) in zip(all_axes[0], panels.items()):
    for i, (name, points) in enumerate(curves.items()):
      rounds, values = zip(*points)
      axes.plot(
          rounds,
          values,
          label=curves_lib.as_text(name),
          color=_color(i, len(curves)),
          # A single point is a curve that no line shows.
          marker='o' if len(points) == 1 else None,
      )
    axes.set_title(curves_lib.as_text(title))
    axes.set_xlabel('rounds')
    axes.xaxis.get_major_locator().set_params(integer=True)
    if quantity in _LOGARITHMIC and all(
        value > 0.0 for points in curves.values() for _, value in points
    ):
      axes.set_yscale('log')
    axes.legend(fontsize='small', ncols=1 + (len(curves) - 1) // _MAX_CURVES)
    axes.grid(alpha=0.3)
  all_axes[0][0].set_ylabel(quantity.replace('_', ' '))
  fig.savefig(path, format='png', dpi=120)


def plot_histograms(
    analyses: Mapping[str, quantities.Analysis], path: pathlib.Path
):
  """Draws how the weights of the largest kernels are spread over the rounds.

  A row for each run, a panel for each kernel, a line for each of up to six
  rounds, from dark for the first to light for the last.

  Args:
    analyses: The analyses by the labels of their runs, some with histograms.
    path: The PNG file to write.
  """
  analyses = {k: a for k, a in analyses.items() if a.histograms}
  chosen = {label: _largest(a.histograms) for label, a in analyses.items()}
  fig, all_axes = _figure(len(analyses), max(map(len, chosen.values())))
  for row, (label, analysis) in zip(all_axes, analyses.items()):
    for axes, kernel in zip(row, chosen[label]):
      rounds = sorted(n for n, name in analysis.histograms if name == kernel)
      places = np.linspace(0, len(rounds) - 1, min(len(rounds), _MAX_ROUNDS))
      for i, place in enumerate(places):
        round_num = rounds[int(round(place))]
        edges, counts = analysis.histograms[round_num, kernel]
        axes.stairs(
            counts / max(counts.sum(), 1),
            edges,
            label=f'round {round_num}',
            color=_color(i, len(places), always_map=True),
        )
      title = curves_lib.as_text(f'{label}: {kernel}')
      axes.set_title(title, fontsize='small')
      axes.set_yscale('log')
      axes.set_xlabel('weight')
      axes.grid(alpha=0.3)
    row[0].set_ylabel('share of the weights')
    row[0].legend(fontsize='small')
    for axes in row[len(chosen[label]) :]:
      axes.set_visible(False)
  fig.savefig(path, format='png', dpi=120)


def _figure(num_rows, num_columns):
  """Returns a figure and its axes, which need no display."""
  # Imported here: only those who plot need matplotlib.
  from matplotlib import figure  # pylint: disable=g-import-not-at-top

  fig = figure.Figure(
      figsize=(5 * num_columns, 4 * num_rows), layout='constrained'
  )
  return fig, fig.subplots(num_rows, num_columns, squeeze=False)


def _color(i, count, always_map=False):
  """Returns the color of a curve: of many, one of a scale."""
  if count <= _MAX_CURVES and not always_map:
    return f'C{i}'
  import matplotlib  # pylint: disable=g-import-not-at-top

  return matplotlib.colormaps['viridis'](0.9 * i / max(count - 1, 1))


def _curves(series):
  """Returns the points of each tensor, in the order of rounds."""
  curves = {}
  for (round_num, name), value in sorted(
      series.items(), key=lambda item: item[0][0]
  ):
    curves.setdefault(name, []).append((round_num, value))
  return curves


def _largest(histograms):
  """Returns the names of the kernels with the most weights, in their order."""
  sizes = {}
  for (_, name), (_, counts) in histograms.items():
    sizes[name] = counts.sum()
  largest = sorted(sizes, key=lambda name: -sizes[name])[:_MAX_KERNELS]
  return [name for name in sizes if name in largest]
