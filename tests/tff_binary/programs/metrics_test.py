# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of metrics.csv and result.json."""

import pathlib
import tempfile

from absl.testing import absltest

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


class MetricsTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))

  def test_columns_have_the_documented_order(self):
    metrics.History(self.path, 0).append({**_row(1), 'num_clients': 3})
    header = (self.path / 'metrics.csv').read_text().splitlines()[0]
    self.assertEqual(header.split(','), [*metrics.COLUMNS, 'num_clients'])

  def test_reads_what_was_written(self):
    history = metrics.History(self.path, 0)
    history.append(_row(1))
    history.append(_row(2, accuracy=0.25))
    self.assertEqual(metrics.read_history(self.path), history.rows)
    self.assertIsNone(history.rows[0]['test_accuracy'])

  def test_best_accuracy_never_falls(self):
    history = metrics.History(self.path, 0)
    best = [
        history.append(_row(i, accuracy))['best_test_accuracy']
        for i, accuracy in enumerate((None, 0.5, 0.25, None, 0.75))
    ]
    self.assertEqual(best, [None, 0.5, 0.5, 0.5, 0.75])

  def test_resume_drops_rows_without_checkpoint(self):
    history = metrics.History(self.path, 0)
    for round_num in (1, 2, 3):
      history.append(_row(round_num))
    expected = (self.path / 'metrics.csv').read_bytes()
    metrics.History(self.path, 2).append(_row(3))
    self.assertEqual((self.path / 'metrics.csv').read_bytes(), expected)

  def test_summary(self):
    history = metrics.History(self.path, 0)
    for i, accuracy in enumerate([0.9, 0.1, 0.2, 0.3, 0.4, 0.5, None], start=1):
      history.append(_row(i, accuracy))
    history.rows[0]['downlink_bits_per_param'] = 25.0
    summary = metrics.summarize(history.rows)
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
    history = metrics.History(self.path, 0)
    history.append(_row(1))
    summary = metrics.summarize(history.rows)
    self.assertIsNone(summary['best_test_accuracy'])
    self.assertIsNone(summary['mean_of_last_5_test_accuracy'])


if __name__ == '__main__':
  absltest.main()
