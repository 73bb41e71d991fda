# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs as their folders record them, also unfinished ones."""

import collections
import dataclasses
import functools
import itertools
import json
import math
import pathlib
import re
import statistics
from typing import Any, Optional

from tff_binary.programs import metrics
from tff_binary.programs import run_folder

# Settings in which runs of a configuration differ: the seed and what follows.
_OF_SEED = ('seed', 'initial_weights_sha256')


@dataclasses.dataclass(frozen=True)
class Point:
  """The monitored metric after a round, and what had been sent until then.

  Attributes:
    round_num: The round.
    uplink: Megabytes that all clients have sent in all rounds up to it.
    total: Megabytes that they have sent and received.
    value: The metric.
  """

  round_num: int
  uplink: float
  total: float
  value: float


@dataclasses.dataclass(frozen=True)
class RecordedRun:
  """What the folder of a run holds.

  Attributes:
    path: The folder.
    rows: A dict from column to value for each round, see `metrics`.
    monitor: The name of the monitored metric.
    points: A `Point` for each round in which it was measured, at least one.
    settings: A dict of the sections of config.json; empty without that file.
  """

  path: pathlib.Path
  rows: list[dict[str, Any]]
  monitor: str
  points: list[Point]
  settings: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Run:
  """A run of a configuration.

  Attributes:
    name: What it is called.
    record: What its folder holds.
    settings: By name, without those that may differ.
    seed: Its seed, or None if it is not recorded.
  """

  name: str
  record: RecordedRun
  settings: dict[str, Any]
  seed: Optional[int]

  @functools.cached_property
  def summary(self):
    """Its `metrics.summarize`; a `RunFolderError` if it lacks a column."""
    first = self.record.rows[0]
    missing = [name for name in metrics.SUMMARIZED if name not in first]
    if missing:
      raise run_folder.RunFolderError(
          f'{self.record.path} has no {" and no ".join(missing)} (in'
          ' metrics.csv)'
      )
    return metrics.summarize(self.record.rows)

  def megabytes_to(self, target):
    """Returns what was sent and received until the metric was as good as this.

    Args:
      target: A value of the monitored metric.

    Returns:
      The megabytes of all clients, up and down; None if it never was.
    """
    points = [p for p in self.record.points if not math.isnan(p.value)]
    mode = self.record.settings.get('arguments', {}).get('mode')
    mode = mode or metrics.default_mode(self.record.monitor)
    if mode is None:  # A user's metric, and config.json is lost.
      best = self.record.rows[-1][f'best_{self.record.monitor}']
      is_highest = points and best >= max(p.value for p in points)
      mode = 'max' if is_highest else 'min'
    sign = 1 if mode == 'max' else -1
    reached = (p.total for p in points if sign * (p.value - target) >= 0)
    return next(reached, None)

  def environment(self):
    """Returns the versions that it was run with, by name."""
    environment = dict(self.record.settings.get('environment', {}))
    environment.pop('command', None)
    return {**environment.pop('versions', {}), **environment}


@dataclasses.dataclass(frozen=True)
class Configuration:
  """Runs that differ in the seed alone.

  Attributes:
    name: What it is called.
    number: Which of them it is, from 0: says how its line looks.
    runs: A list of `Run`.
  """

  name: str
  number: int
  runs: list[Run]

  def summary(self, key):
    """Returns a list of a value of `metrics.summarize`, one for each run."""
    return [run.summary[key] for run in self.runs]

  def column(self, name):
    """Returns a list of the values of a column, one dict by round a run."""
    return [
        {
            row['round_num']: row[name]
            for row in run.record.rows
            if row.get(name) is not None
        }
        for run in self.runs
    ]

  def points(self, field):
    """Returns the monitored metric against a field of `Point`, see `in_all`."""
    return in_all(
        {p.round_num: (getattr(p, field), p.value) for p in run.record.points}
        for run in self.runs
    )


def in_all(runs):
  """Returns what all of some runs have.

  Args:
    runs: For each run a dict from round to a pair of numbers, x and y.

  Returns:
    A list of pairs, one for each round that all have: the mean of x, and a list
    of each run's y.
  """
  first, *others = runs
  return [
      (
          statistics.fmean(run[r][0] for run in (first, *others)),
          [run[r][1] for run in (first, *others)],
      )
      for r in sorted(set(first).intersection(*others))
  ]


def find(folders):
  """Returns the folders of runs, without repetitions.

  Args:
    folders: Folders of runs, or of many runs such as a sweep's output.

  Returns:
    A list of `pathlib.Path`: the runs of a folder in the order of their names.
    One that holds none is returned as it is: reading it says what is missing.
  """
  found = []
  for folder in map(pathlib.Path, folders):
    within = []
    if not metrics.exists(folder) and folder.is_dir():
      within = sorted(path for path in folder.iterdir() if metrics.exists(path))
    found.extend(within or [folder])
  return list({path.resolve(): path for path in found}.values())


def names(folders):
  """Returns a name for each of different folders: the end of its path.

  It has as many parts of the path as tell all of them apart, in most cases one.
  """
  parts = [pathlib.Path(folder).resolve().parts for folder in folders]
  for count in itertools.count(1):
    ends = ['/'.join(p[-count:]) for p in parts]
    if len(set(ends)) == len(set(parts)):
      return ends


def read(folders):
  """Reads runs that can be compared.

  Args:
    folders: The folders of runs.

  Returns:
    A list of `RecordedRun`, one for each folder.

  Raises:
    DamagedFileError: If a file of a folder is not whole.
    RunFolderError: If a folder holds no round in which a metric was monitored,
      does not count bytes, or monitors another metric than the others.
  """
  runs = [_read(pathlib.Path(folder)) for folder in folders]
  for run in runs:
    if run.monitor != runs[0].monitor:
      raise run_folder.RunFolderError(
          f'runs must monitor the same metric: {runs[0].path} has'
          f' {runs[0].monitor}, {run.path} has {run.monitor}'
      )
  return runs


def _read(path):
  folder = run_folder.RunFolder(path)
  result = folder.read_result() or {}
  rows = metrics.read_history(path, result.get('rounds', 0))
  columns = ('uplink_bytes', 'downlink_bytes')
  missing = [name for name in columns if rows and name not in rows[0]]
  if missing:
    raise run_folder.RunFolderError(
        f'{path} has no {" and no ".join(missing)} (in metrics.csv)'
    )
  monitor = metrics.monitored(rows) if rows else None
  sent, received = (
      list(itertools.accumulate(row[name] / 1e6 for row in rows))
      for name in columns
  )
  points = [
      Point(row['round_num'], uplink, uplink + downlink, row[monitor])
      for row, uplink, downlink in zip(rows, sent, received)
      if row[monitor] is not None
  ]
  if not points:
    raise run_folder.RunFolderError(
        f'{path} holds no round with a test metric (in metrics.csv)'
    )
  return RecordedRun(path, rows, monitor, points, folder.read_settings() or {})


def read_configurations(folders, labels=None, may_differ=()):
  """Reads runs that can be compared, by their settings.

  Args:
    folders: Folders of runs, or of many runs such as a sweep's output.
    labels: A label for each configuration, in the order of its first run; by
      default they are named as their folders.
    may_differ: Names of settings that do not decide the result, such as the
      folder.

  Returns:
    A list of `Configuration`.

  Raises:
    DamagedFileError: If a file of a folder is not whole.
    RunFolderError: See `read`.
    ValueError: If there is not one label for each configuration, or two are
      equal.
  """
  paths = find(folders)
  runs = []
  for name, record in zip(names(paths), read(paths)):
    sections = record.settings
    # What the flags say, the arguments behind them say in other words.
    settings = sections.get('flags') or {
        **sections.get('arguments', {}),
        **sections.get('options', {}),
    }
    decisive = {
        name: value
        for name, value in settings.items()
        if name not in (*may_differ, *_OF_SEED)
    }
    runs.append(Run(name, record, decisive, settings.get('seed')))
  return _configurations(runs, labels)


def _configurations(runs, labels):
  """Returns a list of `Configuration` with these labels, if any."""
  groups = collections.defaultdict(list)
  for run in runs:
    settings = json.dumps(run.settings, sort_keys=True)
    # A seed that is there twice says nothing about the deviation.
    key = settings, 0
    while any(run.seed == other.seed for other in groups[key]):
      key = settings, key[1] + 1
    groups[key].append(run)
  groups = list(groups.values())
  common = [_common_name(group) for group in groups]
  if labels is None:
    labels = common
    if len(set(labels)) < len(labels):
      labels = [', '.join(run.name for run in group) for group in groups]
  if len(labels) != len(groups):
    raise ValueError(
        'labels must be one for each configuration, the runs that differ in the'
        f' seed alone, of which there are {len(groups)} ({", ".join(common)});'
        f' got {len(labels)}'
    )
  if len(set(labels)) < len(labels):
    raise ValueError(
        f'labels must tell configurations apart, got {", ".join(labels)}'
    )
  return [
      Configuration(label, number, group)
      for number, (label, group) in enumerate(zip(labels, groups))
  ]


def _common_name(runs):
  """Returns a name for runs that are named as a sweep names its folders."""
  common = (re.sub(r'_seed[^_/]*$', '', run.name) for run in runs)
  return ', '.join(dict.fromkeys(common))
