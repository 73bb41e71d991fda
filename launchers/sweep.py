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
with --table_only. What was run with other flags, or now has failed, is not in
the table.
"""

import itertools
import os
import pathlib
import statistics
import sys

from absl import flags

from launchers import cli
from launchers import runs
from launchers import train
from tff_binary.programs import metrics
from tff_binary.programs import run_folder

_OUTPUT_DIR = flags.DEFINE_string(
    'output_dir', 'runs/sweep', 'The folder of the runs.', allow_override=True
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
_RESERVED = (*runs.RESERVED, 'flagfile')


def _read_grid():
  """Returns a dict from flags to their values, from --grid."""
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
  return grid


def _settings(flagfiles, grid, common):
  """Returns a `runs.Setting` for each flagfile and combination of the grid."""
  settings = []
  for flagfile in flagfiles or [None]:
    for values in itertools.product(*grid.values()):
      chosen = [f'{name}={value}' for name, value in zip(grid, values)]
      # Last, so that no flagfile changes what the name says.
      parts, arguments = list(chosen), [*common, *(f'--{c}' for c in chosen)]
      if flagfile is not None:
        parts.insert(0, os.path.splitext(os.path.basename(flagfile))[0])
        arguments.insert(0, f'--flagfile={flagfile}')
      settings.append(runs.Setting('_'.join(parts), tuple(arguments)))
  return settings


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
    return metrics.format_values(monitor, [result[key] for result in results])

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


def _done(setting, failed):
  """Returns the folders of a setting's runs that are done, by its flags."""
  folders = [setting.folder(_OUTPUT_DIR.value, seed) for seed in _SEEDS.value]
  done = []
  for folder in folders:
    if folder in failed or not os.path.exists(f'{folder}/result.json'):
      continue
    recorded = run_folder.RunFolder(folder).read_settings() or {'flags': {}}
    differences = runs.differences(
        recorded['flags'], train.read_settings(setting.arguments)
    )
    if differences:
      print(
          f'{folder} is not in the table, it was run with other flags than now:'
          f' {"; ".join(differences)}',
          file=sys.stderr,
      )
    else:
      done.append(folder)
  return done


def _table(settings, failed):
  """Returns the lines of the table of all runs that are done."""
  rows = [_COLUMNS, ['---'] * len(_COLUMNS)]
  for setting in settings:
    done = _done(setting, failed)
    if done:
      rows.append(_row(setting.name, done))
  return [f'| {" | ".join(row)} |' for row in rows]


def main(argv):
  flagfiles = [a for a in argv[1:] if not a.startswith('-')]
  common = [a for a in argv[1:] if a.startswith('-')]
  grid = _read_grid()
  taken = {
      **dict.fromkeys(grid, 'in --grid'),
      **dict.fromkeys(runs.RESERVED, 'set by the sweep'),
  }
  runs.check_flags(common, taken)
  if not (flagfiles or _GRID.value):
    raise cli.UsageError('name at least one flagfile or --grid')
  for flagfile in flagfiles:
    if not os.path.isfile(flagfile):
      raise cli.UsageError(f'{flagfile} is not an existing file')
  settings = _settings(flagfiles, grid, common)
  names = {setting.folder(_OUTPUT_DIR.value, seed=0) for setting in settings}
  if len(names) < len(settings):
    raise cli.UsageError('runs have the same name: rename flagfiles')
  cli.make_output_dir(_OUTPUT_DIR.value)
  failed = []
  if not _TABLE_ONLY.value:
    pairs = list(itertools.product(settings, _SEEDS.value))
    failed = runs.run(pairs, _OUTPUT_DIR.value, _JOBS.value)
  lines = _table(settings, failed)
  print('\n'.join(lines))
  with open(os.path.join(_OUTPUT_DIR.value, 'table.md'), 'w') as file:
    file.write('\n'.join(lines) + '\n')
  if failed:
    sys.exit(f'not finished: {", ".join(failed)}')


if __name__ == '__main__':
  cli.run(main)
