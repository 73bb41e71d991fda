# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs as their folders record them, also unfinished ones."""

import dataclasses
import itertools
import pathlib
from typing import Any

from tff_binary.programs import metrics
from tff_binary.programs import run_folder


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
