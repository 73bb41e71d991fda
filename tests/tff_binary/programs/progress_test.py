# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the progress display."""

import io

from absl.testing import absltest

from tff_binary.programs import progress


class _Terminal(io.StringIO):

  def isatty(self):
    return True


_ROW = {
    'round_num': 3,
    'train_loss': 0.5,
    'test_accuracy': 0.25,
    'best_test_accuracy': 0.75,
    'round_seconds': 2.0,
}


def _show(stream, row=_ROW, error=None):
  with progress.Progress(stream, 10, 'more to come') as shown:
    shown.start(2)
    shown.update(row)
    if error is not None:
      raise error
  return stream.getvalue()


class ProgressTest(absltest.TestCase):

  def test_one_line_a_round_without_a_terminal(self):
    self.assertRegex(
        _show(io.StringIO()),
        r'^resuming after round 2\nround 3/10: loss 0\.5000, accuracy 0\.2500,'
        r' best 0\.7500, 2\.00 s, 00:00 left\n$',
    )

  def test_leaves_out_what_was_not_measured(self):
    row = {**_ROW, 'test_accuracy': None, 'best_test_accuracy': None}
    self.assertNotIn('accuracy', _show(io.StringIO(), row))

  def test_shows_the_monitored_metric(self):
    row = {'round_num': 3, 'round_seconds': 2.0, 'train_loss': 0.5}
    row = {**row, 'test_mae': 3.0, 'best_test_mae': 1.0}
    self.assertIn(
        'loss 0.5000, test_mae 3.0000, best 1.0000,',
        _show(io.StringIO(), row),
    )

  def test_bar_on_a_terminal(self):
    shown = _show(_Terminal())
    self.assertIn('3/10', shown)
    self.assertIn('accuracy=0.2500', shown)
    self.assertIn('resuming after round 2', shown)
    self.assertNotIn('round 3/10:', shown)

  def test_says_where_it_stopped(self):
    for stream in (io.StringIO(), _Terminal()):
      with self.assertRaises(KeyboardInterrupt):
        _show(stream, error=KeyboardInterrupt())
      self.assertEndsWith(
          stream.getvalue(), 'stopped after round 3; more to come\n'
      )

  def test_shows_nothing_without_a_stream(self):
    with progress.Progress(None, 10, '') as shown:
      shown.start(0)
      shown.update(_ROW)
      shown.message('text')


if __name__ == '__main__':
  absltest.main()
