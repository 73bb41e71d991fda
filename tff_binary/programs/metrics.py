# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The metrics of every round, metrics.csv, and their summary, result.json.

Not by `tff.program.CSVFileReleaseManager`, which sorts the columns by name.
"""

import csv
import statistics

from tff_binary.programs import run_folder

# Bytes are summed over the round's clients, bits per parameter averaged over
# them, with the compressed kernels' entries as denominator; without suffix they
# count the compressed kernels, with `_total` everything sent. Training metrics
# are those of the clients' local steps. Seconds are wall-clock time, of
# training alone, with compilation in the first round, and of the evaluation.
COLUMNS = (
    'round_num',
    'train_loss',
    'train_accuracy',
    'test_loss',
    'test_accuracy',
    'best_test_accuracy',
    'uplink_bytes',
    'downlink_bytes',
    'uplink_bits_per_param',
    'downlink_bits_per_param',
    'uplink_bits_per_param_total',
    'downlink_bits_per_param_total',
    'round_seconds',
    'eval_seconds',
)

_CSV = 'metrics.csv'
_LAST_ROUNDS = 5


def read_history(path):
  """Reads the metrics.csv of a run.

  Args:
    path: The run's folder, a `pathlib.Path`.

  Returns:
    A list of dicts from column to int, float or None, one for each round; empty
    if there is no file.
  """
  if not (path / _CSV).exists():
    return []
  with open(path / _CSV, newline='') as file:
    return [
        {name: _parse(text) for name, text in row.items()}
        for row in csv.DictReader(file)
    ]


def _parse(text):
  if not text:
    return None
  try:
    return int(text)
  except ValueError:
    return float(text)


class History:
  """The rounds of one run, in memory and in its folder."""

  def __init__(self, path, rounds_done):
    """Initializes the history with the rounds before a resume.

    Args:
      path: The run's folder, a `pathlib.Path`.
      rounds_done: The number of rounds to keep: a process killed between a
        round's row and its checkpoint has left one row too many.
    """
    self._path = path
    self.rows = read_history(path)[:rounds_done]

  def append(self, row):
    """Adds a round and writes metrics.csv.

    Args:
      row: A dict by column, without `best_test_accuracy`; what is missing
        stays empty.

    Returns:
      The complete row.
    """
    row = {**dict.fromkeys(COLUMNS), **row}
    self.rows.append(row)
    row['best_test_accuracy'] = max(_accuracies(self.rows), default=None)
    # Written as a whole: it cannot end in half a row, and never disagrees with
    # the rows in memory.
    with run_folder.atomic_write(self._path / _CSV) as path:
      with open(path, 'w', newline='') as file:
        writer = csv.DictWriter(file, row, lineterminator='\n')
        writer.writeheader()
        writer.writerows(self.rows)
    return row


def _accuracies(rows):
  return [
      row['test_accuracy'] for row in rows if row['test_accuracy'] is not None
  ]


def summarize(history):
  """Summarizes a run.

  Args:
    history: A list of rows as in `History.rows`, at least one.

  Returns:
    A dict of numbers, None where nothing was measured: rounds, the test
    accuracies `best`, `last` and `mean_of_last_5` (evaluated rounds), bytes
    over all rounds, bits per parameter as the mean of the rounds, and seconds.
  """
  accuracies = _accuracies(history)
  return {
      'rounds': len(history),
      'best_test_accuracy': max(accuracies, default=None),
      'last_test_accuracy': accuracies[-1] if accuracies else None,
      'mean_of_last_5_test_accuracy': (
          statistics.fmean(accuracies[-_LAST_ROUNDS:]) if accuracies else None
      ),
      'uplink_bytes': sum(row['uplink_bytes'] for row in history),
      'downlink_bytes': sum(row['downlink_bytes'] for row in history),
      **{
          name: statistics.fmean(row[name] for row in history)
          for name in COLUMNS
          if '_bits_per_param' in name
      },
      'seconds': sum(
          row['round_seconds'] + (row['eval_seconds'] or 0.0)
          for row in history
      ),
  }
