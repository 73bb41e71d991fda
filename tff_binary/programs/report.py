# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""A report about many runs: a web page that loads nothing, or tables as text.

Runs that differ in the seed alone are one configuration: a line with a band,
and a row of means.
"""

import collections
from collections.abc import Sequence
import dataclasses
import html
import json
import math
import pathlib
import re
import statistics
import string
from typing import Optional

from tff_binary.programs import curves
from tff_binary.programs import metrics
from tff_binary.programs import recorded_runs
from tff_binary.programs import svg_charts

_PAGE = pathlib.Path(__file__).with_name('report.html')

# Columns of metrics.csv that are not drawn over the rounds.
_NOT_DRAWN = r'round_num|best_.*|.*link_bytes|.*_seconds|num_.*'
_ABSENT = '–'


def write_report(folders, path, labels=None, may_differ=(), target=None):
  """Writes a page with curves, tables and settings of runs.

  Args:
    folders: Folders of runs, or of many runs such as a sweep's output; all
      monitor the same metric.
    path: The file to write: HTML, or with the suffix `.md` the tables of
      results and bits alone, in Markdown.
    labels: A label for each configuration, in the order of its first run; by
      default they are named as their folders.
    may_differ: Names of settings that do not decide the result, such as the
      folder. They are not shown.
    target: A value of the monitored metric: the megabytes that are sent and
      received until it is reached are shown too.

  Raises:
    DamagedFileError: If a file of a folder is not whole.
    RunFolderError: If a folder holds no round in which a metric was monitored,
      lacks another column, or monitors another metric than the others.
    ValueError: If there is not one label for each configuration, or two are
      equal, or if the metric cannot have the value `target`.
    OSError: If the file cannot be written.
  """
  found = recorded_runs.read_configurations(folders, labels, may_differ)
  monitor = found[0].runs[0].record.monitor
  if target is not None:
    _check_target(target, monitor)
  title = f'{_words(monitor).capitalize()} of {_count(found, "configuration")}'
  results, bits = _results(found, target), _bits(found)
  path = pathlib.Path(path)
  if path.suffix == '.md':
    parts = (f'# {_markdown_text(title)}', _markdown(results), _markdown(bits))
    path.write_text('\n\n'.join(parts) + '\n', encoding='utf-8')
    return
  title = html.escape(title)
  sections = (
      f'<h1>{title}</h1>',
      _curves(found),
      _section('Results', _html(results)),
      _section('Bits', _html(bits)),
      _other_curves(found),
      _settings(found),
      _runs(found),
  )
  page = string.Template(_PAGE.read_text(encoding='utf-8'))
  path.write_text(
      page.substitute(title=title, body='\n'.join(sections)), encoding='utf-8'
  )


def _check_target(target, monitor):
  if metrics.is_share(monitor) and not 0.0 <= target <= 1.0:
    raise ValueError(
        f'target must be a number in [0, 1] for {monitor}, got {target}'
    )
  if not math.isfinite(target):
    raise ValueError(f'target must be a finite number, got {target}')


def _words(name):
  return name.replace('_', ' ')


def _count(things, noun):
  return f'{len(things)} {noun}{"" if len(things) == 1 else "s"}'


# Curves.


def _curves(configurations):
  """Returns the section of the monitored metric."""
  monitor = configurations[0].runs[0].record.monitor
  charts = []
  for name, (field, label) in curves.AXES.items():
    series = []
    for configuration in configurations:
      points = configuration.points(field)
      series.append(_series(configuration, points, monitor))
    charts.append(_figure(name, monitor, series, label, name != 'rounds'))
  note = 'Megabytes are those of all clients up to a round.'
  if any(len(configuration.runs) > 1 for configuration in configurations):
    note += ' A line is the mean over seeds, its band one standard deviation.'
  return _section(
      'Curves', f'<p>{note}</p>', _legend(configurations), _grid(charts)
  )


def _series(configuration, points, name):
  """Returns the mean of several runs as a line.

  Args:
    configuration: The `Configuration`.
    points: What `recorded_runs.in_all` returns.
    name: The name of the metric.

  Returns:
    A `svg_charts.Series`.
  """
  scale = 100 if metrics.is_share(name) else 1
  values = [[scale * y for y in all_y] for _, all_y in points]
  return svg_charts.Series(
      configuration.name,
      configuration.number,
      [x for x, _ in points],
      [statistics.fmean(v) for v in values],
      [metrics.deviation(v) for v in values]
      if len(configuration.runs) > 1
      else None,
  )


def _other_curves(configurations):
  """Returns the sections of the other metrics, in small pictures."""
  monitor = configurations[0].runs[0].record.monitor
  columns = {
      name: None
      for configuration in configurations
      for run in configuration.runs
      for name in run.record.rows[-1]
      if name != monitor and not re.fullmatch(_NOT_DRAWN, name)
  }
  shared, special = [], []
  for number, name in enumerate(columns):
    found = [(c, c.column(name)) for c in configurations]
    found = [(c, runs) for c, runs in found if any(runs)]
    values = {v for _, runs in found for run in runs for v in run.values()}
    if len({v for v in values if math.isfinite(v)}) < 2:
      continue  # Nothing to be seen.
    series = [
        _series(
            c,
            recorded_runs.in_all(
                {r: (r, v) for r, v in run.items()} for run in runs
            ),
            name,
        )
        for c, runs in found
    ]
    is_shared = len(found) == len(configurations)
    charts = shared if is_shared else special
    charts.append(_figure(f'metric{number}', name, series, 'round'))
  sections = []
  for title, charts in (
      ('Other metrics', shared),
      ('Metrics of some configurations', special),
  ):
    if any(charts):
      sections.append(_section(title, _legend(configurations), _grid(charts)))
  return '\n'.join(sections)


def _figure(chart_id, metric, series, x_label, log_x=False):
  """Returns a picture with its caption; empty if there is nothing to draw."""
  y_label = _words(metric) + (' [%]' if metrics.is_share(metric) else '')
  chart = svg_charts.line_chart(
      chart_id,
      f'{y_label} against {x_label}',
      series,
      x_label,
      y_label,
      log_x,
      log_y='bits_per_param' in metric,  # From 32 to less than 1.
  )
  if chart is None:
    return ''
  caption = ''
  if chart.is_cut:
    caption = '<figcaption>Outliers lie outside of the picture.</figcaption>'
  return f'<figure>{chart.svg}{caption}</figure>'


def _grid(charts):
  return f'<div class="charts">{"".join(charts)}</div>'


def _key(configuration):
  """Returns how the line of a configuration looks."""
  classes = svg_charts.css_classes(configuration.number)
  return (
      '<svg class="key" viewBox="0 0 28 12" aria-hidden="true">'
      f'<path class="line {classes}" d="M0 6h28"/></svg>'
  )


def _legend(configurations):
  items = (f'<li>{_key(c)}{_escape(c.name)}</li>' for c in configurations)
  return f'<ul class="legend">{"".join(items)}</ul>'


def _section(title, *parts):
  return f'<section>\n<h2>{title}</h2>\n' + '\n'.join(parts) + '\n</section>'


# Tables.


@dataclasses.dataclass(frozen=True)
class _Cell:
  """A cell of a table.

  Attributes:
    text: What it says.
    value: What it is sorted by if that is a number, NaN if it is empty.
    key: The HTML before the text.
    is_marked: Whether the text is to be marked.
  """

  text: str
  value: Optional[float] = None
  key: str = ''
  is_marked: bool = False

  @property
  def html(self):
    text = _escape(self.text) if self.value is None else html.escape(self.text)
    return self.key + (f'<mark>{text}</mark>' if self.is_marked else text)


@dataclasses.dataclass(frozen=True)
class _Table:
  """A table, whose rows begin with their header.

  Attributes:
    caption: Its caption, whose first sentence is its name.
    columns: The columns' names.
    rows: A list of lists of `_Cell`, at least one.
  """

  caption: str
  columns: Sequence[str]
  rows: Sequence[Sequence[_Cell]]


def _escape(text):
  """Returns text as HTML that may be broken after its punctuation."""
  return re.sub(r'([_/,-])(?=\w)', r'\1<wbr>', html.escape(text))


def _number(values, kind):
  """Returns the mean of some numbers, in this format."""
  mean = statistics.fmean(values)
  return _Cell(f'{mean:{kind}}', mean)


def _measured(metric, values):
  """Returns the mean of a metric over some runs, with its deviation."""
  mean = math.nan if None in values else statistics.fmean(values)
  return _Cell(metrics.format_values(metric, values), mean)


def _name(configuration):
  return _Cell(configuration.name, key=_key(configuration))


def _markdown(table):
  """Returns a table in Markdown, below its caption."""
  is_number = [cell.value is not None for cell in table.rows[0]]
  lines = [
      table.columns,
      ['---:' if n else '---' for n in is_number],
      *([cell.text for cell in row] for row in table.rows),
  ]
  lines = [
      '| ' + ' | '.join(map(_markdown_text, line)) + ' |' for line in lines
  ]
  return '\n'.join([_markdown_text(table.caption), '', *lines])


def _markdown_text(text):
  """Returns text in which Markdown sees no more than text."""
  return re.sub(r'([\\|*_`<>\[\]])', r'\\\1', ' '.join(text.split()))


def _html(table, is_sortable=True):
  """Returns a table in HTML, which the reader may sort."""
  head = ''.join(
      f'<th scope="col"{_number_class(cell)}>{_escape(name)}</th>'
      for name, cell in zip(table.columns, table.rows[0])
  )
  body = []
  for header, *cells in table.rows:
    body.append(f'<tr><th scope="row"><div>{header.html}</div></th>')
    for cell in cells:
      value = '' if cell.value is None else f' data-value="{cell.value!r}"'
      body.append(f'<td{_number_class(cell)}{value}>{cell.html}</td>')
    body.append('</tr>\n')
  name = html.escape(table.caption.split('.')[0])
  return (
      f'<div class="scroll" role="region" tabindex="0" aria-label="{name}">\n'
      f'<table{" class=sortable" if is_sortable else ""}>\n'
      f'<caption><span>{html.escape(table.caption)}</span></caption>\n'
      f'<thead><tr>{head}</tr></thead>\n'
      f'<tbody>\n{"".join(body)}</tbody>\n</table>\n</div>'
  )


def _number_class(cell):
  return '' if cell.value is None else ' class="number"'


def _scores(metric, summaries):
  """Returns the cells of the monitored metric in some runs."""
  return [
      _measured(metric, [s[f'{which}_{metric}'] for s in summaries])
      for which in ('mean_of_last_5', 'best', 'last')
  ]


def _results(configurations, target):
  """Returns the table of the results; `target` may be None."""
  monitor = configurations[0].runs[0].record.monitor
  rows = []
  for configuration in configurations:
    rounds = configuration.summary('rounds')
    seconds = [
        statistics.median(row['round_seconds'] for row in run.record.rows)
        for run in configuration.runs
    ]
    span = dict.fromkeys((min(rounds), max(rounds)))
    rows.append([
        _name(configuration),
        *_scores(monitor, [run.summary for run in configuration.runs]),
        _number(configuration.summary('uplink_bits_per_param'), '.4f'),
        _number(configuration.summary('downlink_bits_per_param'), '.4f'),
        _number(_bytes(configuration), ',.0f'),
        _number(seconds, '.2f'),
        _Cell('–'.join(map(str, span)), min(rounds)),
        _Cell(str(len(rounds)), len(rounds)),
    ])
    if target is not None:
      rows[-1].append(_megabytes_to(target, configuration))
  unit = ' in percent' if metrics.is_share(monitor) else ''
  caption = (
      f'{_words(monitor).capitalize()}{unit}, in parentheses its standard'
      ' deviation over the seeds. Bits per parameter of the compressed kernels'
      ' and bytes as in the next table; seconds of training, the median of the'
      ' rounds.'
  )
  columns = [
      'configuration', 'mean of last 5', 'best', 'last', 'bits up',
      'bits down', 'bytes', 's/round', 'rounds', 'seeds',
  ]
  if target is not None:
    columns.append(f'MB to {metrics.format_values(monitor, [target])}')
    caption += (
        ' Megabytes are what all clients have sent and received when the metric'
        ' was this good first.'
    )
  return _Table(caption, columns, rows)


def _megabytes_to(target, configuration):
  """Returns the cell of the bytes to a target, if all runs have reached it."""
  megabytes = [run.megabytes_to(target) for run in configuration.runs]
  if None in megabytes:
    return _Cell(_ABSENT, math.nan)
  return _number(megabytes, ',.1f')


def _bytes(configuration):
  """Returns the bytes of each run, up and down."""
  return [
      run.summary['uplink_bytes'] + run.summary['downlink_bytes']
      for run in configuration.runs
  ]


def _bits(configurations):
  """Returns the table of what is sent."""
  directions = ('uplink', 'downlink')
  rows = []
  for configuration in configurations:
    lasts = [run.record.rows[-1] for run in configuration.runs]
    cells = [_name(configuration)]
    for suffix in ('', '_total'):
      for direction in directions:
        key = f'{direction}_bits_per_param{suffix}'
        cells.append(_number(configuration.summary(key), '.4f'))
    for direction in directions:
      key = f'{direction}_bits_per_param'
      cells.append(_number([row[key] for row in lasts], '.4f'))
    for direction in directions:
      cells.append(_number(configuration.summary(f'{direction}_bytes'), ',.0f'))
    cells.append(_number(_bytes(configuration), ',.0f'))
    rows.append(cells)
  caption = (
      'Bits per parameter and bytes. Bits are a client’s mean over the rounds, or'
      ' of the last round: of the compressed kernels, or of all that is sent,'
      ' for each entry of these kernels. Bytes are those of all clients in all'
      ' rounds.'
  )
  columns = (
      'configuration', 'kernels up', 'kernels down', 'all up', 'all down',
      'kernels up, last', 'kernels down, last', 'bytes up', 'bytes down',
      'bytes',
  )
  return _Table(caption, columns, rows)


def _runs(configurations):
  """Returns the section of the single runs."""
  rows = []
  for configuration in configurations:
    for run in configuration.runs:
      done, wanted = len(run.record.rows), run.settings.get('rounds')
      is_done = wanted is None or done >= wanted
      rows.append([
          _Cell(run.name),
          _name(configuration),
          _seed(run),
          _Cell(f'{done}' if is_done else f'{done} of {wanted}', done),
          *_scores(run.record.monitor, [run.summary]),
          _number([run.summary['uplink_bytes']], ',.0f'),
          _number([run.summary['downlink_bytes']], ',.0f'),
          _number([run.summary['seconds']], ',.0f'),
          _Cell(str(run.record.path)),
      ])
  columns = (
      'run', 'configuration', 'seed', 'rounds', 'mean of last 5', 'best',
      'last', 'bytes up', 'bytes down', 'seconds', 'folder',
  )
  caption = 'All runs. Seconds are of training and evaluation.'
  table = _html(_Table(caption, columns, rows))
  return _section(
      'Runs',
      f'<details><summary>{_count(rows, "run")}</summary>\n{table}</details>',
  )


def _seed(run):
  if isinstance(run.seed, int):
    return _Cell(str(run.seed), run.seed)
  return _Cell(_ABSENT, math.nan)


def _settings(configurations):
  """Returns the section of the settings: different ones, then equal ones."""
  settings = [_setting_texts(configuration) for configuration in configurations]
  conflicting, special, equal = [], [], []
  for name in dict.fromkeys(name for texts in settings for name in texts):
    texts = [of_one.get(name) for of_one in settings]
    counts = collections.Counter(text for text in texts if text is not None)
    usual, times = counts.most_common(1)[0]
    row = [_Cell(name)]
    for text in texts:
      if text is None:
        row.append(_Cell(_ABSENT))
        continue
      # Where no value is usual, all are of interest.
      is_unusual = len(counts) > 1 and (text != usual or times == 1)
      row.append(_Cell(text, is_marked=is_unusual))
    if len(counts) > 1:
      conflicting.append(row)
    elif None in texts:
      special.append(row)
    else:
      equal.append(row[:2])
  columns = ['setting', *(c.name for c in configurations)]
  parts = []
  for caption, rows in (
      ('Different settings. Unusual values are marked.', conflicting),
      ('Settings of some configurations alone.', special),
  ):
    if rows:
      table = _Table(caption, columns, rows)
      parts.append(_html(table, is_sortable=False))
  if equal:
    table = _Table('Equal settings', ('setting', 'value'), equal)
    table = _html(table, is_sortable=False)
    parts.append(
        f'<details><summary>{_count(equal, "equal setting")}</summary>\n{table}'
        '</details>'
    )
  return _section('Settings', *parts or ['<p>They are not recorded.</p>'])


def _setting_texts(configuration):
  """Returns settings and versions as text by name."""
  texts = collections.defaultdict(dict)
  for run in configuration.runs:
    for name, value in {**run.settings, **run.environment()}.items():
      text = value if isinstance(value, str) else json.dumps(value)
      texts[name][text] = None
  return {name: ', '.join(values) for name, values in texts.items()}
