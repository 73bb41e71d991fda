# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the plot of runs."""

import json
import pathlib
import struct
import tempfile
from unittest import mock

from absl.testing import absltest
from matplotlib import cbook
from matplotlib import figure
import numpy as np

from tests.tff_binary.programs import fake_runs
from tff_binary.programs import curves
from tff_binary.programs import run_folder

_PNG = b'\x89PNG\r\n'


class CurvesTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    self.png = self.path / 'curves.png'

  def _run(self, name, accuracies, **settings):
    path = self.path / name
    fake_runs.write(path, accuracies)
    if settings:
      (path / 'config.json').write_text(json.dumps({'flags': settings}))
    return str(path)

  def _axes(self, *arguments, **kwargs):
    """Returns the pictures that would be written."""
    with mock.patch.object(figure.Figure, 'savefig', autospec=True) as save:
      curves.plot_curves(*arguments, path=self.png, **kwargs)
    return save.call_args[0][0].axes

  def test_draws_runs_of_different_lengths(self):
    runs = [self._run('a', [0.5, 0.6]), self._run('b', [0.7])]
    curves.plot_curves(runs, self.png, ['A', 'B'])
    self.assertStartsWith(self.png.read_bytes(), _PNG)

  def test_draws_what_is_asked_for(self):
    runs = [self._run('a', [0.5, 0.6])]
    widths = []
    for against in (['total'], ['rounds', 'uplink'], list(curves.AXES)):
      curves.plot_curves(runs, self.png, against=against)
      widths.append(struct.unpack('>I', self.png.read_bytes()[16:20])[0])
    self.assertEqual(widths, sorted(set(widths)))
    for against in ([], ['time']):
      with self.assertRaisesRegex(ValueError, 'against must be some of rounds'):
        curves.plot_curves(runs, self.png, against=against)

  def test_seeds_are_one_curve_with_a_band(self):
    runs = [
        self._run('a_seed1', [0.5, 0.6, 0.8], seed=1, rho=6),
        self._run('a_seed2', [0.5, 0.7], seed=2, rho=6),
        self._run('b_seed1', [0.4, 0.3], seed=1, rho=0),
    ]
    (axes,) = self._axes(runs, against=['total'])
    a, b = axes.lines
    self.assertEqual([a.get_label(), b.get_label()], ['a', 'b'])
    # Half a megabyte up and one down in every round.
    np.testing.assert_allclose(a.get_xydata(), [[1.5, 0.5], [3.0, 0.65]])
    np.testing.assert_allclose(b.get_xydata(), [[1.5, 0.4], [3.0, 0.3]])
    (band,) = axes.collections
    vertices = band.get_paths()[0].vertices
    at_the_end = vertices[vertices[:, 0] == 3.0, 1]
    deviation = 0.1 / 2**0.5
    np.testing.assert_allclose(at_the_end.min(), 0.65 - deviation)
    np.testing.assert_allclose(at_the_end.max(), 0.65 + deviation)

  def test_draws_the_last_rounds_against_the_bits_of_both_ways(self):
    runs = [
        self._run('a_seed1', [0.1, *5 * [0.6]], seed=1),
        self._run('a_seed2', [0.1, *5 * [0.7]], seed=2),
    ]
    (axes,) = self._axes(runs, against=['bits'])
    (container,) = axes.containers
    point, _, (bar,) = container
    bits = fake_runs.UPLINK_BITS_TOTAL + fake_runs.DOWNLINK_BITS_TOTAL
    np.testing.assert_allclose(point.get_xydata(), [[bits, 0.65]])
    deviation = 0.1 / 2**0.5
    np.testing.assert_allclose(
        bar.get_segments(),
        [[[bits, 0.65 - deviation], [bits, 0.65 + deviation]]],
    )

  def test_configurations_look_different(self):
    runs = [self._run(f'r{i:02}', [0.5, 0.6]) for i in range(25)]
    of_rounds, of_bits = self._axes(runs, against=['rounds', 'bits'])
    for lines in (of_rounds.lines, [point for point, *_ in of_bits.containers]):
      looks = {
          (line.get_color(), line.get_linestyle(), line.get_marker())
          for line in lines
      }
      self.assertLen(looks, len(runs))

  def test_first_rounds_do_not_press_the_points_together(self):
    runs = [
        self._run(name, [0.1] + [accuracy] * 5)
        for name, accuracy in (('a', 0.88), ('b', 0.89))
    ]
    of_bits, of_total = self._axes(runs, against=['bits', 'total'])
    self.assertGreater(of_bits.get_ylim()[0], 0.87)
    self.assertLess(of_total.get_ylim()[0], 0.1)
    of_rounds, of_total = self._axes(runs, against=['rounds', 'total'])
    self.assertEqual(of_rounds.get_ylim(), of_total.get_ylim())

  def test_shows_labels_to_the_letter(self):
    names = ['_a', '$\\x$', r'\$b$ $', '5 $', 'a_b']
    runs = [self._run(f'r{i}', [0.5]) for i in range(len(names))]
    for against in (['total'], ['rounds', 'bits']):
      with mock.patch.object(
          figure.Figure, 'savefig', autospec=True
      ) as save:
        curves.plot_curves(runs, self.png, names, against)
      fig = save.call_args[0][0]
      (legend,) = fig.legends or [fig.axes[0].get_legend()]
      shown = [text.get_text() for text in legend.get_texts()]
      self.assertEqual(
          # As Matplotlib reads what is no mathematics.
          [text.replace(r'\$', '$').lstrip('\u200b') for text in shown], names
      )
      self.assertFalse(any(map(cbook.is_math_text, shown)))
      curves.plot_curves(runs, self.png, names, against)
      self.assertStartsWith(self.png.read_bytes(), _PNG)

  def test_writes_nothing_of_a_folder_without_accuracies(self):
    with self.assertRaisesRegex(run_folder.RunFolderError, 'no round'):
      curves.plot_curves([self._run('b', [None])], self.png)
    self.assertFalse(self.png.exists())


if __name__ == '__main__':
  absltest.main()
