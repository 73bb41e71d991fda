# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Line charts as SVG that take colours and fonts from the page around them.

Of the classes, `line`, `band` and `end` are a series', with `colour0`,
`colour1`, ..., and `dash1`, `dash2`, ... when those are used up; `grid` and
`frame` are of the axes. Text is in the current colour.
"""

import dataclasses
import html
import math
import statistics
from collections.abc import Sequence
from typing import Optional

NUM_COLOURS = 7
NUM_DASHES = 4

# In the picture's units, which are about pixels: its size, its margins, and the
# width of a digit.
_WIDTH, _HEIGHT = 360, 250
_TOP, _RIGHT, _BOTTOM = 24, 14, 40
_DIGIT = 6.2


@dataclasses.dataclass(frozen=True)
class Series:
  """A line.

  Attributes:
    name: Its name.
    number: Which of the page's lines it is, from 0: gives colour and dashes.
    x: Where on the horizontal axis its points are.
    y: Their values; where one is not finite, the line has a gap.
    deviation: Half the height of the band around each of them, or None.
  """

  name: str
  number: int
  x: Sequence[float]
  y: Sequence[float]
  deviation: Optional[Sequence[float]] = None


@dataclasses.dataclass(frozen=True)
class Chart:
  """A picture.

  Attributes:
    svg: The `svg` element.
    is_cut: Whether values lie outside of the picture.
  """

  svg: str
  is_cut: bool


def css_classes(number):
  """Returns the classes of the line with this number."""
  dash = number // NUM_COLOURS % NUM_DASHES
  return f'colour{number % NUM_COLOURS} dash{dash}'


def line_chart(
    chart_id, title, series, x_label, y_label, log_x=False, log_y=False
):
  """Draws lines.

  The vertical axis leaves out outliers, such as those of first rounds, that
  would press everything else together.

  Args:
    chart_id: What the ids in the picture begin with, unique on the page.
    title: What it shows, for those who do not see it.
    series: A list of `Series`.
    x_label: The label of the horizontal axis.
    y_label: The label of the vertical axis.
    log_x: Whether the horizontal axis is logarithmic, or one of whole numbers.
    log_y: Whether the vertical axis is logarithmic. What is not above 0 has no
      place on such an axis and is left out.

  Returns:
    A `Chart`, or None if there is nothing to be drawn.
  """
  lines = [(line, _segments(line, log_x, log_y)) for line in series]
  points = [p for _, segments in lines for segment in segments for p in segment]
  if not points:
    return None
  xs = [x for x, _, _ in points]
  ys = [y + side for _, y, d in points for side in (-d, d)]
  frame = _Frame(
      _log_axis(xs) if log_x else _integer_axis(xs),
      _log_axis([f * y for _, y, _ in points for f in (0.9, 1.1)])
      if log_y
      else _value_axis(ys),
  )
  bands = [frame.bands(*line) for line in lines]
  ends = '; '.join(
      f'{line.name} ends at {segments[-1][-1][1]:.6g}'
      for line, segments in lines
      if segments
  )
  svg = (
      f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
      f' aria-labelledby="{chart_id}-title {chart_id}-description">'
      f'<title id="{chart_id}-title">{html.escape(title)}</title>'
      f'<desc id="{chart_id}-description">{html.escape(ends)}.</desc>'
      f'{frame.axes(html.escape(x_label), html.escape(y_label))}'
      f'<clipPath id="{chart_id}-clip">{frame.rectangle()}</clipPath>'
      f'<g clip-path="url(#{chart_id}-clip)">{"".join(bands)}'
      f'{"".join(frame.lines(*line) for line in lines)}</g></svg>'
  )
  return Chart(svg, any(not 0 <= frame.y.place(y) <= 1 for y in ys))


def _segments(series, log_x, log_y):
  """Returns lists of (x, y, deviation), between which the line has gaps."""
  deviations = series.deviation or [0.0] * len(series.x)
  segments = [[]]
  for x, y, deviation in zip(series.x, series.y, deviations):
    if not math.isfinite(y + deviation):
      segments.append([])
    elif (x > 0 or not log_x) and (y > 0 or not log_y):
      segments[-1].append((x, y, deviation))
  return [segment for segment in segments if segment]


@dataclasses.dataclass(frozen=True)
class _Axis:
  """An axis: its ends, its ticks with their texts, and its scale."""

  low: float
  high: float
  ticks: list[tuple[float, str]]
  is_log: bool = False

  def place(self, value):
    """Returns where on the axis a value is: from 0 to 1."""
    low, high = self.low, self.high
    if self.is_log:
      # The band around a point may reach 0.
      value = max(value, low / 10)
      low, high, value = map(math.log10, (low, high, value))
    return (value - low) / (high - low)


def _integer_axis(values):
  low, high = min(values), max(values)
  if low == high:
    low, high = low - 1, high + 1
  return _Axis(low, high, _ticks(low, high, 1))


def _value_axis(values):
  low, high = min(values), max(values)
  if len(values) >= 10:
    first, *_, last = statistics.quantiles(values, n=10, method='inclusive')
    low = max(low, first - (last - first) / 2)
    high = min(high, last + (last - first) / 2)
  margin = (high - low) / 50 or abs(low) / 10 or 1.0
  low, high = low - margin, high + margin
  return _Axis(low, high, _ticks(low, high))


def _log_axis(values):
  low, high = min(values), max(values)
  if low == high:
    low, high = low / 2, high * 2
  if high <= 5 * low:
    return _Axis(low, high, _ticks(low, high), is_log=True)
  decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
  multiples = (1, 2, 5) if len(decades) <= 3 else (1,)
  ticks = [m * 10.0**d for d in (*decades, decades[-1] + 1) for m in multiples]
  ticks = [(tick, f'{tick:g}') for tick in ticks if low <= tick <= high]
  return _Axis(low, high, ticks, is_log=True)


def _ticks(low, high, least_step=0.0):
  """Returns about five values, in steps of 1, 2 or 5 times a power of ten."""
  width = max((high - low) / 5, least_step)
  power = 10.0 ** math.floor(math.log10(width))
  step = next(m * power for m in (1, 2, 5, 10) if m * power >= 0.95 * width)
  digits = max(0, -math.floor(math.log10(1.001 * step)))
  kind = f'.{digits}f' if digits <= 4 and step < 1e5 else '.3g'
  first, last = math.ceil(low / step), math.floor(high / step)
  values = [i * step for i in range(first, last + 1)]
  return [(value, f'{value:{kind}}') for value in values]


class _Frame:
  """Draws in the picture's units what is given in those of two axes."""

  def __init__(self, x, y):
    """Initializes the frame with two of `_Axis`, horizontal and vertical."""
    self.x, self.y = x, y
    self._left = 12 + _DIGIT * max(len(text) for _, text in y.ticks)
    self._width = _WIDTH - self._left - _RIGHT
    self._height = _HEIGHT - _TOP - _BOTTOM

  def _across(self, x):
    return f'{self._left + self._width * self.x.place(x):.1f}'

  def _down(self, y, shift=0):
    return f'{_TOP + self._height * (1 - self.y.place(y)) + shift:.1f}'

  def _path(self, points):
    places = (f'{self._across(x)} {self._down(y)}' for x, y in points)
    return f'M{"L".join(places)}'

  def rectangle(self):
    # Wider, for the mark of the last point.
    return (
        f'<rect x="{self._left:.1f}" y="{_TOP}" width="{self._width + 5:.1f}"'
        f' height="{self._height}"/>'
    )

  def axes(self, x_label, y_label):
    """Returns grid, ticks and labels."""
    left, bottom = f'{self._left:.1f}', _TOP + self._height
    across, up = f'h{self._width:.1f}', f'v-{self._height}'
    middle = f'{self._left + self._width / 2:.1f}'
    parts = []
    for y, text in self.y.ticks:
      parts.append(
          f'<path class="grid" d="M{left} {self._down(y)}{across}"/>'
          f'<text x="{self._left - 5:.1f}" y="{self._down(y, 4)}"'
          f' text-anchor="end">{text}</text>'
      )
    for x, text in self.x.ticks:
      parts.append(
          f'<path class="grid" d="M{self._across(x)} {bottom}{up}"/>'
          f'<text x="{self._across(x)}" y="{bottom + 15}"'
          f' text-anchor="middle">{text}</text>'
      )
    return (
        f'{"".join(parts)}<path class="frame" d="M{left} {_TOP}V{bottom}'
        f'{across}"/><text x="2" y="13">{y_label}</text><text x="{middle}"'
        f' y="{_HEIGHT - 6}" text-anchor="middle">{x_label}</text>'
    )

  def bands(self, line, segments):
    """Returns the areas around a line."""
    if line.deviation is None:
      return ''
    parts = []
    for segment in segments:
      upper = [(x, y + d) for x, y, d in segment]
      lower = [(x, y - d) for x, y, d in reversed(segment)]
      parts.append(
          f'<path class="band {css_classes(line.number)}"'
          f' d="{self._path(upper + lower)}Z"/>'
      )
    return ''.join(parts)

  def lines(self, line, segments):
    """Returns a line with a mark at its end, which shows a single point too."""
    classes, name = css_classes(line.number), html.escape(line.name)
    parts = []
    for segment in segments:
      path = self._path((x, y) for x, y, _ in segment)
      x, y, _ = segment[-1]
      parts.append(
          f'<path class="line {classes}" d="{path}"><title>{name}</title>'
          f'</path><circle class="end {classes}" cx="{self._across(x)}"'
          f' cy="{self._down(y)}" r="2.5"><title>{name}: {y:.6g}</title>'
          '</circle>'
      )
    return ''.join(parts)
