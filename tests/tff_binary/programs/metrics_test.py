# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of metrics.csv and result.json."""

import csv
import math
import pathlib
import tempfile

from absl.testing import absltest
from absl.testing import parameterized

from tff_binary import files
from tff_binary.programs import metrics


def _row(round_num, accuracy=None):
  row = {
      'round_num': round_num,
      'train_loss': 0.1 + 0.2,  # All 17 digits are needed.
      'uplink_bytes': 10 * round_num,
      'downlink_bytes': 100,
      'uplink_bits_per_param': 1.5,
      'downlink_bits_per_param': 32.0,
      'uplink_bits_per_param_total': 2.5,
      'downlink_bits_per_param_total': 33.0,
      'round_seconds': 2.0,
  }
  if accuracy is not None:
    row.update(test_loss=1.0, test_accuracy=accuracy, eval_seconds=0.5)
  return row


class MetricsTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))

  def _append(self, new_rows, **kwargs):
    """Returns a history of these rows, written to the folder."""
    history = metrics.History(**kwargs)
    for row in new_rows:
      history.append(row)
    history.write(self.path)
    return history

  def test_columns_of_a_classification(self):
    row = {**_row(1, accuracy=0.5), 'num_clients': 3}
    # As the process measures them.
    row = {'train_accuracy': 0.5, 'train_step_size': 0.1, **row}
    self._append([row])
    header = (self.path / 'metrics.csv').read_text().splitlines()[0]
    self.assertEqual(
        header,
        'round_num,train_loss,train_accuracy,train_step_size,test_loss,'
        'test_accuracy,best_test_accuracy,uplink_bytes,downlink_bytes,'
        'uplink_bits_per_param,downlink_bits_per_param,'
        'uplink_bits_per_param_total,downlink_bits_per_param_total,'
        'round_seconds,eval_seconds,num_clients',
    )

  def test_classification_without_test_set_has_the_same_columns(self):
    rows = [{**_row(1), 'train_accuracy': 0.5}]
    self._append(rows)
    (row,) = metrics.read_history(self.path)
    self.assertEqual(
        [name for name in row if 'test' in name],
        ['test_loss', 'test_accuracy', 'best_test_accuracy'],
    )
    self.assertIsNone(row['best_test_accuracy'])

  def test_columns_of_any_other_task_come_as_they_are_measured(self):
    rows = [
        {**_row(1), 'train_mae': 3.0},
        {**_row(2), 'train_mae': 2.0, 'test_loss': 5.0, 'test_mae': 1.0},
        {**_row(3), 'train_mae': 1.0, 'entropy': 0.5},
    ]
    history = self._append(rows)
    self.assertEqual(
        list(history.rows[0]),
        [
            'round_num', 'train_loss', 'train_mae', 'test_loss', 'test_mae',
            'best_test_loss', 'uplink_bytes', 'downlink_bytes',
            'uplink_bits_per_param', 'downlink_bits_per_param',
            'uplink_bits_per_param_total', 'downlink_bits_per_param_total',
            'round_seconds', 'eval_seconds', 'entropy',
        ],
    )
    self.assertEqual(metrics.read_history(self.path), history.rows)
    self.assertIsNone(history.rows[0]['test_mae'])
    self.assertEqual(
        [row['best_test_loss'] for row in history.rows], [None, 5.0, 5.0]
    )
    summary = metrics.summarize(history.rows)
    self.assertEqual(summary['last_test_loss'], 5.0)
    self.assertNotIn('best_test_accuracy', summary)

  def test_reads_what_was_written(self):
    history = self._append([_row(1), _row(2, accuracy=0.25)])
    self.assertEqual(metrics.read_history(self.path), history.rows)
    self.assertIsNone(history.rows[0]['test_accuracy'])

  @parameterized.named_parameters(
      ('default', {}, [None, 0.5, 0.5, 0.5, 0.75]),
      (
          'min',
          dict(monitor='test_accuracy', mode='min'),
          [None, 0.5, 0.25, 0.25, 0.25],
      ),
  )
  def test_best_is_the_best_so_far(self, kwargs, expected):
    rows = []
    for i, accuracy in enumerate((None, 0.5, 0.25, None, 0.75), start=1):
      rows.append({**_row(i, accuracy), 'train_accuracy': 0.0})
    rows.insert(3, {**_row(4, float('nan')), 'train_accuracy': 0.0})
    history = self._append(rows, **kwargs)
    best = [row['best_test_accuracy'] for row in history.rows]
    self.assertEqual(best[:3] + best[4:], expected)
    self.assertEqual(best[3], best[2])

  def test_goes_on_after_the_rows_of_a_checkpoint(self):
    rows = [_row(1), _row(2, 0.5), _row(3, 0.25)]
    self._append(rows)
    expected = (self.path / 'metrics.csv').read_bytes()
    before = self._append(rows[:2]).rows
    self._append(rows[2:], rows=before)
    self.assertEqual((self.path / 'metrics.csv').read_bytes(), expected)

  def test_refuses_a_file_that_is_not_whole(self):
    self._append([_row(i, 0.125 * i) for i in (1, 2, 3)])
    file = self.path / 'metrics.csv'
    whole = file.read_text()
    lines = whole.splitlines(keepends=True)
    damaged = [
        '',
        whole[:10],
        whole[: len(whole) // 2],
        whole[:-2],  # The last field is another number now.
        ''.join(lines[:2] + lines[3:]),
        ''.join([*lines[:2], '2,0.5\n', lines[3]]),
        whole.replace('0.25', '0.x'),
        # What csv has errors of its own for, NUL bytes before Python 3.11.
        whole.replace('0.25', '\0'),
        whole.replace('0.25', (csv.field_size_limit() + 1) * '0'),
        ''.join(lines[:3]),  # Of 3 rounds.
    ]
    for contents in damaged:
      file.write_text(contents)
      with self.assertRaisesRegex(
          files.DamagedFileError, f'^{file} is damaged: .*writes it anew'
      ):
        metrics.read_history(self.path, rounds=3)
    file.unlink()
    with self.assertRaisesRegex(files.DamagedFileError, 'it is missing'):
      metrics.read_history(self.path, rounds=3)
    self.assertEqual(metrics.read_history(self.path), [])

  @parameterized.parameters(
      ('test_mae', None, "mode must be 'max' or 'min' for .* 'test_mae'"),
      ('test_loss', 'best', "mode must be 'max' or 'min', got 'best'"),
  )
  def test_refuses_a_direction_that_is_not_known(self, monitor, mode, message):
    with self.assertRaisesRegex(ValueError, message):
      metrics.History(monitor=monitor, mode=mode)

  def test_names_the_metrics_that_can_be_monitored(self):
    history = metrics.History(monitor='test_acc', mode='max')
    history.append(_row(1))
    with self.assertRaisesRegex(
        ValueError,
        'monitor must be one of test_loss, test_accuracy, got .test_acc.',
    ):
      history.append(_row(2, 0.5))

  def test_summary(self):
    accuracies = [0.9, 0.1, 0.2, 0.3, 0.4, 0.5, None]
    rows = [_row(i, accuracy) for i, accuracy in enumerate(accuracies, 1)]
    rows[0]['downlink_bits_per_param'] = 25.0
    rows[-1]['train_accuracy'] = 0.5
    summary = metrics.summarize(self._append(rows).rows)
    self.assertEqual(summary['downlink_bits_per_param'], 31.0)
    self.assertEqual(summary['rounds'], 7)
    self.assertEqual(summary['best_test_accuracy'], 0.9)
    self.assertEqual(summary['last_test_accuracy'], 0.5)
    self.assertAlmostEqual(summary['mean_of_last_5_test_accuracy'], 0.3)
    self.assertEqual(summary['uplink_bytes'], 10 * sum(range(8)))
    self.assertEqual(summary['downlink_bytes'], 700)
    self.assertEqual(summary['uplink_bits_per_param_total'], 2.5)
    self.assertEqual(summary['seconds'], 7 * 2.0 + 6 * 0.5)

  def test_summary_without_test_set(self):
    rows = [{**_row(1), 'train_accuracy': 0.5}]
    summary = metrics.summarize(self._append(rows).rows)
    self.assertIsNone(summary['best_test_accuracy'])
    self.assertIsNone(summary['mean_of_last_5_test_accuracy'])

  @parameterized.parameters(
      ('test_accuracy', [0.5], '50.00'),
      ('test_accuracy', [0.5, 0.7], '60.00 (14.14)'),
      ('test_accuracy', [0.5, None], ''),
      ('test_loss', [0.5, 0.5], '0.5000 (0.0000)'),
      ('test_loss', [math.inf], 'inf'),
      ('test_loss', [0.5, math.inf], 'inf (nan)'),
      ('test_loss', [0.5, math.nan], 'nan (nan)'),
  )
  def test_formats_values_of_several_runs(self, name, values, expected):
    self.assertEqual(metrics.format_values(name, values), expected)


if __name__ == '__main__':
  absltest.main()
