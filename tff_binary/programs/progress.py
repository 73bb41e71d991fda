# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""A progress bar on a terminal, one line a round elsewhere."""

import time

import tqdm

from tff_binary.programs import metrics


class Progress:
  """Shows rounds as they finish, and where the run has stopped.

  A context manager around the run.
  """

  def __init__(self, stream, rounds, advice):
    """Initializes the display.

    Args:
      stream: A text stream, or None to show nothing.
      rounds: The number of rounds of the whole run.
      advice: What to say when the run stops before its end.
    """
    self._stream = stream
    self._rounds = rounds
    self._advice = advice
    self._first_round = self._rounds_done = 0
    self._start_time = None
    self._bar = None

  def __enter__(self):
    if self._stream is not None and self._stream.isatty():
      self._bar = tqdm.tqdm(
          desc='starting',
          total=self._rounds,
          unit='round',
          file=self._stream,
          dynamic_ncols=True,
      )
    return self

  def __exit__(self, exc_type, unused_exc, unused_traceback):
    if self._bar is not None:
      self._bar.close()
      self._bar = None
    if exc_type is not None and self._start_time is not None:
      self.message(f'stopped after round {self._rounds_done}; {self._advice}')

  def start(self, rounds_done):
    """Starts the clock by which the time left is estimated.

    Args:
      rounds_done: The number of rounds done before.
    """
    self._first_round = self._rounds_done = rounds_done
    self._start_time = time.monotonic()
    if self._bar is not None:
      self._bar.reset()
      self._bar.initial = self._bar.n = rounds_done
      self._bar.set_description()
    if rounds_done:
      self.message(f'resuming after round {rounds_done}')

  def update(self, row):
    """Shows one finished round.

    Args:
      row: The round's metrics, a row of `metrics.History`.
    """
    monitor = metrics.monitored([row])
    columns = {
        'loss': 'train_loss',
        monitor.replace('test_accuracy', 'accuracy'): monitor,
        'best': f'best_{monitor}',
    }
    shown = {
        label: f'{row[name]:.4f}'
        for label, name in columns.items()
        if row.get(name) is not None
    }
    self._rounds_done = row['round_num']
    if self._bar is not None:
      self._bar.set_postfix(shown, refresh=False)
      self._bar.update()
      return
    self.message(
        f'round {row["round_num"]}/{self._rounds}: '
        + ''.join(f'{label} {value}, ' for label, value in shown.items())
        + f'{row["round_seconds"]:.2f} s, {self._time_left()} left'
    )

  def _time_left(self):
    seconds = time.monotonic() - self._start_time
    seconds /= self._rounds_done - self._first_round
    return tqdm.tqdm.format_interval(
        seconds * (self._rounds - self._rounds_done)
    )

  def message(self, text):
    """Shows a line of text, above the bar if there is one."""
    if self._bar is not None:
      self._bar.write(text, file=self._stream)
    elif self._stream is not None:
      print(text, file=self._stream, flush=True)
