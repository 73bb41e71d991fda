# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Times alternatives in turn, so that all of them see the same machine."""

import math
import os
from statistics import median
import time


def cpu_seconds():
  """Returns the CPU time of this process and of the worker it has started."""
  import psutil  # pylint: disable=g-import-not-at-top  # A worker's has none.

  process = psutil.Process()
  return sum(
      sum(p.cpu_times()[:2]) for p in [process, *process.children()]
  )


def add_flags(parser):
  """Adds the flags that `alternate` takes to an `argparse` parser."""
  parser.add_argument(
      '--repeats', type=int, default=9, help='timed runs of each alternative'
  )
  parser.add_argument(
      '--clock',
      choices=['wall', 'cpu', 'process'],
      default='wall',
      help='cpu: the time of all threads, steadier on a busy machine; process:'
      ' without a worker, finer than some milliseconds',
  )


def alternate(functions, args):
  """Calls every function in turn, again and again.

  A machine that slows down meanwhile slows all of them down: compare the times
  with `ratio`, not with those of another call. The first call of each, which
  builds graphs and fills caches, is not timed.

  Args:
    functions: A dict from names to functions without arguments.
    args: The values of the flags of `add_flags`.

  Returns:
    A dict from names to lists of times, in seconds.
  """
  clock = {
      'wall': time.perf_counter,
      'cpu': cpu_seconds,
      'process': time.process_time,
  }[args.clock]
  seconds = {name: [] for name in functions}
  for repeat in range(args.repeats + 1):
    for name, function in functions.items():
      start = clock()
      function()
      if repeat > 0:
        seconds[name].append(clock() - start)
  return seconds


def ratio(seconds, other_seconds):
  """Returns the median of the ratios of the calls made one after the other."""
  return median(
      a / b if b else math.inf for a, b in zip(seconds, other_seconds)
  )


def print_table(rows, header):
  """Prints rows of texts and numbers, numbers with three digits at the end."""
  rows = [
      [f'{x:.3f}' if isinstance(x, float) else str(x) for x in row]
      for row in [header, *rows]
  ]
  widths = [max(map(len, column)) for column in zip(*rows)]
  for first, *others in rows:
    print(
        first.ljust(widths[0]),
        *(x.rjust(width) for x, width in zip(others, widths[1:])),
        sep='  ',
    )


def print_medians(values, unit):
  """Prints median, minimum and maximum of each list in a dict."""
  print_table(
      [[name, median(xs), min(xs), max(xs)] for name, xs in values.items()],
      [unit, 'median', 'min', 'max'],
  )


def print_machine():
  """Prints what the times depend on besides the code."""
  print(
      f'{len(os.sched_getaffinity(0))} cores, load average of the last minute'
      f' {os.getloadavg()[0]:.1f}'
  )
