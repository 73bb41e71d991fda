# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The metrics of every round, metrics.csv, and their summary, result.json.

Bytes are summed over the round's clients, bits per parameter averaged over
them, with the compressed kernels' entries as denominator; without suffix they
count the compressed kernels, with `_total` everything sent. Training metrics
are those of the clients' local steps. Seconds are wall-clock time, of training
alone, with compilation in the first round, and of the evaluation, with fetching
the model and keeping it where that is asked for.

Not by `tff.program.CSVFileReleaseManager`, which sorts the columns by name.
"""

import csv
import math
import statistics

from tff_binary import files

# Columns come in this order: those that begin with the same one of these as
# they were measured, and at the end what a method measures of its own.
_ORDER = (
    'round_num',
    'train_loss',
    'train_',
    'test_loss',
    'test_',
    'best_',
    'uplink_bytes',
    'downlink_bytes',
    'uplink_bits_per_param',
    'downlink_bits_per_param',
    'uplink_bits_per_param_total',
    'downlink_bits_per_param_total',
    'round_seconds',
    'eval_seconds',
)

# Columns that `summarize` needs.
SUMMARIZED = _ORDER[_ORDER.index('uplink_bytes') :]

_BEST = 'best_'
_MODES = {'max': max, 'min': min}
_CSV = 'metrics.csv'
_LAST_ROUNDS = 5
_REMEDY = 'the same training, run again, writes it anew from its checkpoint'


def exists(path):
  """Returns whether a run's folder, a `pathlib.Path`, has a metrics.csv."""
  return (path / _CSV).exists()


def read_history(path, rounds=0):
  """Reads the metrics.csv of a run.

  Args:
    path: The run's folder, a `pathlib.Path`.
    rounds: How many rounds there are at least.

  Returns:
    A list of dicts from column to int, float or None, one for each round from 1
    on; empty if there is no file.

  Raises:
    DamagedFileError: If a row is missing or not whole.
  """
  file = path / _CSV
  try:
    rows = _parse_rows(file.read_text(encoding='utf-8'))
    if len(rows) < rounds:
      raise ValueError(f'it has {len(rows)} rounds of {rounds}')
  except FileNotFoundError:
    if not rounds:
      return []
    raise files.DamagedFileError(file, f'it is missing; {_REMEDY}') from None
  except (ValueError, csv.Error) as e:
    raise files.DamagedFileError(file, f'{e}; {_REMEDY}') from e
  return rows


def _parse_rows(text):
  if not text.endswith('\n'):
    raise ValueError('its last line is cut off')
  header, *lines = csv.reader(text.splitlines())
  if not any(name.startswith(_BEST) for name in header):
    raise ValueError('its header is cut off')
  rows = []
  for round_num, cells in enumerate(lines, start=1):
    if len(cells) != len(header):
      raise ValueError(
          f'row {round_num} has {len(cells)} fields of {len(header)}'
      )
    row = dict(zip(header, map(_parse, cells)))
    if row.get('round_num') != round_num:
      raise ValueError(
          f'row {round_num} is of round {row.get("round_num")}'
      )
    rows.append(row)
  return rows


def _parse(text):
  if not text:
    return None
  try:
    return int(text)
  except ValueError:
    return float(text)


class History:
  """The rounds of one run, in memory.

  One metric is monitored: the column `best_<monitor>` holds its best value up
  to each round.

  Attributes:
    rows: A dict for each round, all with the same columns in the same order;
      None where nothing was measured.
  """

  def __init__(self, rows=(), monitor=None, mode=None):
    """Initializes the history.

    Args:
      rows: The rows of the rounds before a resume.
      monitor: The monitored metric; by default `test_accuracy` where the
        clients measure an accuracy, and `test_loss` elsewhere.
      mode: Whether its best value is the `'max'` or the `'min'`; by default
        what is obvious for an accuracy or a loss.

    Raises:
      ValueError: If `mode` is neither or is missing for another metric.
    """
    check_monitor(monitor, mode)
    self.rows = list(rows)
    self._monitor = monitor
    self._mode = mode

  def append(self, row):
    """Adds a round.

    Args:
      row: A dict by column, without `best_<monitor>`.

    Returns:
      The complete row.

    Raises:
      ValueError: If the round was evaluated, but not in the monitored metric.
    """
    monitor = self._monitor
    if monitor is None:
      is_classified = {'train_accuracy', 'test_accuracy'} & row.keys()
      monitor = 'test_accuracy' if is_classified else 'test_loss'
    tested = [name for name in row if name.startswith('test_')]
    if self._monitor is not None and tested and monitor not in row:
      raise ValueError(
          f'monitor must be one of {", ".join(tested)}, got {monitor!r}'
      )
    row = {'test_loss': None, monitor: None, 'eval_seconds': None, **row}
    values = _measured([*self.rows, row], monitor)
    best = _MODES[self._mode or default_mode(monitor)]
    row[_BEST + monitor] = best(
        (v for v in values if not math.isnan(v)), default=None
    )
    columns = {name: None for r in [*self.rows, row] for name in r}
    columns = dict.fromkeys(sorted(columns, key=_place))
    self.rows = [{**columns, **r} for r in [*self.rows, row]]
    return self.rows[-1]

  def write(self, path):
    """Writes metrics.csv into a run's folder, a `pathlib.Path`."""
    # As a whole: it never disagrees with the rows in memory.
    with files.atomic_write(path / _CSV) as temporary:
      with open(temporary, 'w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(self.rows[0])
        writer.writerows(row.values() for row in self.rows)


def check_monitor(monitor, mode):
  """Raises a `ValueError` if `mode` is not for `monitor`, see `History`."""
  if mode not in (None, *_MODES):
    raise ValueError(f"mode must be 'max' or 'min', got {mode!r}")
  if monitor is not None and mode is None and default_mode(monitor) is None:
    raise ValueError(
        f"mode must be 'max' or 'min' for the monitor {monitor!r}, got None"
    )


def default_mode(monitor):
  """Returns what is best of an accuracy or a loss; None for another metric."""
  for ending, mode in (('accuracy', 'max'), ('loss', 'min')):
    if monitor.endswith(ending):
      return mode
  return None


def _place(column):
  """Returns the place of a column among the others."""
  if column in _ORDER:
    return _ORDER.index(column)
  for i, prefix in enumerate(_ORDER):
    if prefix.endswith('_') and column.startswith(prefix):
      return i
  return len(_ORDER)


def monitored(rows):
  """Returns the name of the metric that is monitored in these rows."""
  return next(
      name[len(_BEST) :] for name in rows[-1] if name.startswith(_BEST)
  )


def is_share(name):
  """Returns whether a metric is shown in percent."""
  return name.endswith('accuracy')


def format_values(name, values):
  """Returns the mean of several runs' values as text, an accuracy in percent.

  Args:
    name: The name of the metric.
    values: Its value in each run, or None where it was not measured.

  Returns:
    Such as `91.10 (0.12)`, with the standard deviation of more than one run;
    empty if it was not measured in one.
  """
  if None in values:
    return ''
  scale, digits = (100, 2) if is_share(name) else (1, 4)
  text = f'{scale * statistics.fmean(values):.{digits}f}'
  if len(values) > 1:
    text += f' ({scale * deviation(values):.{digits}f})'
  return text


def deviation(values):
  """Returns the sample standard deviation; NaN with a value not finite."""
  if not all(map(math.isfinite, values)):
    return math.nan
  return statistics.stdev(values)


def _measured(rows, name):
  """Returns the values of the rounds in which it was measured."""
  return [row[name] for row in rows if row.get(name) is not None]


def summarize(history):
  """Summarizes a run.

  Args:
    history: A list of rows as in `History.rows`, at least one.

  Returns:
    A dict of numbers, None where nothing was measured: rounds, of the monitored
    metric the values `best`, `last` and `mean_of_last_5` (evaluated rounds),
    bytes over all rounds, bits per parameter as the mean of the rounds, and
    seconds.
  """
  monitor = monitored(history)
  values = _measured(history, monitor)
  return {
      'rounds': len(history),
      f'best_{monitor}': history[-1][_BEST + monitor],
      f'last_{monitor}': values[-1] if values else None,
      f'mean_of_last_{_LAST_ROUNDS}_{monitor}': (
          statistics.fmean(values[-_LAST_ROUNDS:]) if values else None
      ),
      'uplink_bytes': sum(row['uplink_bytes'] for row in history),
      'downlink_bytes': sum(row['downlink_bytes'] for row in history),
      **{
          name: statistics.fmean(row[name] for row in history)
          for name in _ORDER
          if '_bits_per_param' in name
      },
      'seconds': sum(
          row['round_seconds'] + (row['eval_seconds'] or 0.0)
          for row in history
      ),
  }
