# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
r"""Runs launchers.train over flagfiles, grids of flags and seeds; tabulates.

python -m launchers.sweep --output_dir=runs/fedbif --seeds=1,2 --jobs=2 \
    launchers/flagfiles/fedbif/*.flags -- --data_dir=...

python -m launchers.sweep --output_dir=runs/signs --jobs=2 \
    --grid=algorithm=signsgd,stoc_signsgd --grid=fixed_step_size=0.1,0.01 \
    -- --task=digits --rounds=20

Every flagfile is run with every combination of the --grid values and every
seed; what follows -- is given to all runs. Every run has its folder in
--output_dir. The same command again resumes what was stopped, skips what is
done, and writes the table of all that is done to table.md in --output_dir, also
with --table_only.
"""

import concurrent.futures
import contextlib
import dataclasses
import itertools
import os
import pathlib
import statistics
import subprocess
import sys
import threading

from absl import flags
import tqdm

from launchers import cli
from tff_binary.programs import metrics
from tff_binary.programs import run_folder

_OUTPUT_DIR = flags.DEFINE_string(
    'output_dir', 'runs/sweep', 'The folder of the runs.'
)
_GRID = flags.DEFINE_multi_string(
    'grid',
    [],
    'A flag of launchers.train and its values, flag=value,value,...; of several'
    ' --grid all combinations are run.',
)
_SEEDS = flags.DEFINE_list('seeds', ['1'], 'Seeds, each for every combination.')
_JOBS = flags.DEFINE_integer(
    'jobs',
    1,
    'Runs at a time, each on its share of the cores. The output of several goes'
    ' to <run>.log in --output_dir.',
    1,
)
_TABLE_ONLY = flags.DEFINE_boolean('table_only', False, 'Runs nothing.')

_COLUMNS = (
    'run', 'rounds', 'last', 'mean of last 5', 'best', 'bits up', 'bits down',
    'up, all', 'down, all', 'zeros', 's/round',
)
# What the sweep itself gives to every run.
_RESERVED = ('seed', 'output_dir', 'flagfile')


@dataclasses.dataclass(frozen=True)
class _Setting:
  """What is run with every seed: a row of the table."""

  name: str
  arguments: tuple[str, ...]

  def folder(self, seed):
    return os.path.join(_OUTPUT_DIR.value, f'{self.name}_seed{seed}')


def _settings(flagfiles, common):
  """Returns a `_Setting` for each flagfile and combination of the grid."""
  grid = {}
  for entry in _GRID.value:
    name, separator, values = entry.partition('=')
    name = name.lstrip('-')
    values = values.split(',')
    if not (name and separator and all(values)):
      raise cli.UsageError(
          f'--grid must be flag=value,value,..., got {entry!r}'
      )
    if name in grid or name in _RESERVED:
      reason = 'is there twice' if name in grid else 'is set by the sweep'
      raise cli.UsageError(f'--grid={entry}: {name} {reason}')
    grid[name] = values
  settings = []
  for flagfile in flagfiles or [None]:
    for values in itertools.product(*grid.values()):
      chosen = [f'{name}={value}' for name, value in zip(grid, values)]
      parts, arguments = list(chosen), [f'--{c}' for c in chosen]
      if flagfile is not None:
        parts.insert(0, os.path.splitext(os.path.basename(flagfile))[0])
        arguments.insert(0, f'--flagfile={flagfile}')
      settings.append(
          _Setting(
              '_'.join(parts).replace(os.sep, '-'), (*arguments, *common)
          )
      )
  return settings


class _Runner:
  """Runs commands, `jobs` at a time, each on its share of the cores."""

  def __init__(self, jobs):
    self._jobs = jobs
    self._processes = set()
    self._lock = threading.Lock()
    self._is_stopped = False
    cores = []
    if hasattr(os, 'sched_getaffinity'):
      cores = sorted(os.sched_getaffinity(0))
    self._shares = [cores[i::jobs] for i in range(jobs)]

  def run_all(self, commands):
    """Runs the commands of `commands`, a dict of them by folder.

    Args:
      commands: For each run's folder the command line.

    Returns:
      The folders of the runs that have failed.
    """
    failed = []
    with contextlib.ExitStack() as stack:
      executor = stack.enter_context(
          concurrent.futures.ThreadPoolExecutor(self._jobs)
      )
      # Also on Ctrl-C, and before the executor waits for its threads.
      stack.callback(self._stop)
      futures = {
          executor.submit(self._run, folder, command): folder
          for folder, command in commands.items()
      }
      done = concurrent.futures.as_completed(futures)
      if self._jobs > 1:
        done = tqdm.tqdm(done, total=len(futures), unit='run')
      for future in done:
        if future.result():
          failed.append(futures[future])
    return [folder for folder in commands if folder in failed]

  def _run(self, folder, command):
    """Returns the exit status of a command."""
    with contextlib.ExitStack() as stack:
      output = None
      if self._jobs > 1:
        share = stack.enter_context(self._share_of_cores())
        if share:
          # Of this thread alone; the process inherits it.
          os.sched_setaffinity(0, share)
        output = stack.enter_context(open(f'{folder}.log', 'w'))
      else:
        print(' '.join(command[1:]), flush=True)
      with self._lock:
        if self._is_stopped:
          return 1  # Not started.
        # Ctrl-C in a terminal reaches it by `_stop` alone.
        process = subprocess.Popen(
            command, stdout=output, stderr=output, start_new_session=True
        )
        self._processes.add(process)
      status = process.wait()
      with self._lock:
        self._processes.remove(process)
      return status

  @contextlib.contextmanager
  def _share_of_cores(self):
    share = self._shares.pop()
    try:
      yield share
    finally:
      self._shares.append(share)

  def _stop(self):
    with self._lock:
      self._is_stopped = True
      for process in self._processes:
        process.terminate()


def _row(name, folders):
  """Returns the cells of the finished runs of one setting: their means."""
  results, last_rows, seconds = [], [], []
  for folder in folders:
    result = run_folder.RunFolder(folder).read_result()
    rows = metrics.read_history(pathlib.Path(folder), result['rounds'])
    results.append(result)
    last_rows.append(rows[-1])
    seconds.append(statistics.median(row['round_seconds'] for row in rows))
  monitor = metrics.monitored(last_rows)

  def mean(key):
    return statistics.fmean(result[key] for result in results)

  def of_monitor(which):
    key = f'{which}_{monitor}'
    if any(result[key] is None for result in results):
      return ''  # Never evaluated.
    scale, digits = (100, 2) if monitor.endswith('accuracy') else (1, 4)
    text = f'{scale * mean(key):.{digits}f}'
    if len(results) > 1:
      deviation = scale * statistics.stdev(r[key] for r in results)
      text += f' ({deviation:.{digits}f})'
    return text

  zeros = [row['sparsity'] for row in last_rows if row.get('sparsity')]
  return (
      f'{name} ({len(results)})' if len(results) > 1 else name,
      f'{mean("rounds"):g}',
      of_monitor('last'),
      of_monitor('mean_of_last_5'),
      of_monitor('best'),
      f'{mean("uplink_bits_per_param"):.4f}',
      f'{mean("downlink_bits_per_param"):.4f}',
      f'{mean("uplink_bits_per_param_total"):.4f}',
      f'{mean("downlink_bits_per_param_total"):.4f}',
      f'{statistics.fmean(zeros):.3f}' if zeros else '',
      f'{statistics.fmean(seconds):.2f}',
  )


def _table(settings):
  """Returns the lines of the table of all runs that are done."""
  rows = [_COLUMNS, ['---'] * len(_COLUMNS)]
  for setting in settings:
    folders = [setting.folder(seed) for seed in _SEEDS.value]
    done = [f for f in folders if os.path.exists(f'{f}/result.json')]
    if done:
      rows.append(_row(setting.name, done))
  return [f'| {" | ".join(row)} |' for row in rows]


def main(argv):
  flagfiles = [a for a in argv[1:] if not a.startswith('-')]
  common = [a for a in argv[1:] if a.startswith('-')]
  if not (flagfiles or _GRID.value):
    raise cli.UsageError('name at least one flagfile or --grid')
  for flagfile in flagfiles:
    if not os.path.isfile(flagfile):
      raise cli.UsageError(f'{flagfile} is not an existing file')
  settings = _settings(flagfiles, common)
  names = [setting.name for setting in settings]
  if len(set(names)) < len(names):
    raise cli.UsageError('runs have the same name: rename flagfiles')
  os.makedirs(_OUTPUT_DIR.value, exist_ok=True)
  failed = []
  if not _TABLE_ONLY.value:
    commands = {}
    for setting, seed in itertools.product(settings, _SEEDS.value):
      folder = setting.folder(seed)
      own = [f'--seed={seed}', f'--output_dir={folder}']
      commands[folder] = [
          sys.executable, '-m', 'launchers.train', *setting.arguments, *own
      ]
    failed = _Runner(_JOBS.value).run_all(commands)
  lines = _table(settings)
  print('\n'.join(lines))
  with open(os.path.join(_OUTPUT_DIR.value, 'table.md'), 'w') as file:
    file.write('\n'.join(lines) + '\n')
  if failed:
    sys.exit(f'not finished: {", ".join(failed)}')


if __name__ == '__main__':
  cli.run(main)
