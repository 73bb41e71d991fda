# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of charts as SVG."""

import math
import re
from xml.etree import ElementTree

from absl.testing import absltest
from absl.testing import parameterized

from tff_binary.programs import svg_charts


def _series(x, y, deviation=None, number=0, name='a'):
  return svg_charts.Series(name, number, x, y, deviation)


def _draw(series, **kwargs):
  chart = svg_charts.line_chart('id', 'title', series, 'x', 'y', **kwargs)
  return chart, ElementTree.fromstring(chart.svg)


def _lines(svg, kind='line'):
  """Returns the points of the paths of a kind."""
  return [
      [
          tuple(map(float, point.split()))
          for point in re.split('[ML]', path.get('d').rstrip('Z'))[1:]
      ]
      for path in svg.iter('path')
      if path.get('class').split()[0] == kind
  ]


def _ticks(svg, anchor):
  """Returns the texts of an axis' ticks and labels."""
  return [t.text for t in svg.iter('text') if t.get('text-anchor') == anchor]


class SvgChartsTest(parameterized.TestCase):

  def test_lines_are_in_proportion(self):
    _, svg = _draw([_series([1, 2, 5], [0.0, 0.5, 1.0])])
    ((a, b, c),) = _lines(svg)
    self.assertAlmostEqual((b[0] - a[0]) / (c[0] - a[0]), 0.25, delta=0.01)
    self.assertAlmostEqual((b[1] - a[1]) / (c[1] - a[1]), 0.5, delta=0.01)
    self.assertLess(c[1], a[1])  # More is higher up.

  def test_equal_ratios_are_equal_on_logarithmic_axes(self):
    _, svg = _draw(
        [_series([1, 10, 100], [8.0, 4.0, 2.0])], log_x=True, log_y=True
    )
    ((a, b, c),) = _lines(svg)
    for axis in (0, 1):
      self.assertAlmostEqual(b[axis] - a[axis], c[axis] - b[axis], delta=0.2)

  def test_values_that_are_not_finite_are_gaps(self):
    chart, svg = _draw(
        [_series(range(6), [1.0, 2.0, math.nan, 3.0, math.inf, 4.0])]
    )
    self.assertEqual([len(line) for line in _lines(svg)], [2, 1, 1])
    self.assertNotRegex(chart.svg, 'nan|inf')
    self.assertIsNone(
        svg_charts.line_chart('id', '', [_series([1], [math.nan])], 'x', 'y')
    )

  def test_what_has_no_logarithm_is_left_out(self):
    _, svg = _draw(
        [_series([0, 1, 2, 3], [1.0, 0.0, 1.0, 2.0], [1.0] * 4)],
        log_x=True,
        log_y=True,
    )
    self.assertEqual([len(line) for line in _lines(svg)], [2])

  def test_band_is_around_the_line(self):
    _, svg = _draw([_series([1, 2], [1.0, 2.0], [0.5, 0.25])])
    (line,), (band,) = _lines(svg), _lines(svg, 'band')
    for (_, y), (_, above), (_, below) in zip(line, band, reversed(band)):
      self.assertAlmostEqual(y - above, below - y, delta=0.2)
      self.assertGreater(below, above)

  def test_outliers_leave_room_for_the_others(self):
    y = [100.0] + [1.0 + 0.1 * i for i in range(19)]
    chart, svg = _draw([_series(range(20), y)])
    self.assertTrue(chart.is_cut)
    heights = [height for _, height in _lines(svg)[0][1:]]
    self.assertGreater(max(heights) - min(heights), 80)
    self.assertFalse(_draw([_series(range(20), range(20))])[0].is_cut)

  @parameterized.parameters(
      ([0.1, 0.9], ['0.2', '0.4', '0.6', '0.8']),
      ([0.0, 100.0], ['0', '20', '40', '60', '80', '100']),
      ([-3.0, 2.0], ['-3', '-2', '-1', '0', '1', '2']),
      ([0.0, 2e-9], ['0', '5e-10', '1e-09', '1.5e-09', '2e-09']),
      ([0.5, 0.5], ['0.46', '0.48', '0.50', '0.52', '0.54']),
      ([0.0], ['-1.0', '-0.5', '0.0', '0.5', '1.0']),
  )
  def test_ticks_are_round(self, y, expected):
    _, svg = _draw([_series(range(len(y)), y)])
    self.assertEqual(_ticks(svg, 'end'), expected)

  @parameterized.parameters(
      ([1, 30], False, ['10', '20', '30']),
      ([1, 3], False, ['1', '2', '3']),
      ([7], False, ['6', '7', '8']),
      ([0.5, 300.0], True, ['1', '10', '100']),
      ([3.0, 45.0], True, ['5', '10', '20']),
      ([31.0, 38.0], True, ['32', '34', '36', '38']),
      ([3.0], True, ['2', '3', '4', '5', '6']),
  )
  def test_horizontal_ticks_are_round(self, x, log_x, expected):
    _, svg = _draw([_series(x, [1.0] * len(x))], log_x=log_x)
    self.assertEqual(_ticks(svg, 'middle'), [*expected, 'x'])

  def test_lines_look_different(self):
    looks = {
        svg_charts.css_classes(number)
        for number in range(svg_charts.NUM_COLOURS * svg_charts.NUM_DASHES)
    }
    self.assertLen(looks, svg_charts.NUM_COLOURS * svg_charts.NUM_DASHES)

  def test_says_what_it_shows(self):
    chart, svg = _draw([_series([1, 2], [1.0, 2.0], name='<b>&')])
    self.assertEqual(svg.get('role'), 'img')
    title, description = svg.find('title'), svg.find('desc')
    self.assertEqual(
        svg.get('aria-labelledby').split(),
        [title.get('id'), description.get('id')],
    )
    self.assertEqual(title.text, 'title')
    self.assertEqual(description.text, '<b>& ends at 2.')
    self.assertNotIn('<b>', chart.svg)


if __name__ == '__main__':
  absltest.main()
