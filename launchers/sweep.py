# Copyright 2026 The tff_binary Authors.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
r"""Runs launchers.train with one flagfile after the other, and tabulates.

python -m launchers.sweep --output_dir=runs/fedbif --data_dir=... --seeds=1,2 \
    launchers/flagfiles/fedbif/*.flags

Every run has its folder in --output_dir. The same command again resumes what
was stopped, skips what is done, and prints the table of all that is done, also
with --table_only.
"""

import csv
import json
import os
import statistics
import subprocess
import sys

from absl import flags

from launchers import cli

_OUTPUT_DIR = flags.DEFINE_string(
    'output_dir', 'runs/sweep', 'The folder of the runs.'
)
_SEEDS = flags.DEFINE_list('seeds', ['1'], 'Seeds, each for every flagfile.')
_DATA_DIR = flags.DEFINE_string(
    'data_dir', None, 'See launchers.train; the downloads if unset.'
)
_ROUNDS = flags.DEFINE_integer(
    'rounds', None, 'Replaces the number of rounds of the flagfiles.', 1
)
_TABLE_ONLY = flags.DEFINE_boolean('table_only', False, 'Runs nothing.')

_COLUMNS = (
    'run', 'rounds', 'last', 'mean of last 5', 'best', 'bits up', 'bits down',
    'up, all', 'down, all', 'zeros', 's/round',
)


def _name(flagfile):
  return os.path.splitext(os.path.basename(flagfile))[0]


def _run(flagfile, seed, folder):
  """Runs one flagfile; returns whether it has come to its end."""
  arguments = [f'--flagfile={flagfile}', f'--seed={seed}']
  arguments += [f'--output_dir={folder}']
  for flag in (_DATA_DIR, _ROUNDS):
    if flag.value is not None:
      arguments.append(f'--{flag.name}={flag.value}')
  command = [sys.executable, '-m', 'launchers.train', *arguments]
  print(' '.join(command[1:]), flush=True)
  return subprocess.run(command, check=False).returncode == 0


def _row(name, folders):
  """Returns the cells of the finished runs of one flagfile: their means."""
  results, last_rows, seconds = [], [], []
  for folder in folders:
    with open(os.path.join(folder, 'result.json')) as file:
      results.append(json.load(file))
    with open(os.path.join(folder, 'metrics.csv'), newline='') as file:
      rows = list(csv.DictReader(file))
    last_rows.append(rows[-1])
    seconds.append(statistics.median(float(r['round_seconds']) for r in rows))

  def mean(key):
    return statistics.fmean(result[key] for result in results)

  def accuracy(key):
    text = f'{100 * mean(key):.2f}'
    if len(results) > 1:
      text += f' ({100 * statistics.stdev(r[key] for r in results):.2f})'
    return text

  zeros = [float(row['sparsity']) for row in last_rows if row.get('sparsity')]
  return (
      f'{name} ({len(results)})' if len(results) > 1 else name,
      f'{mean("rounds"):g}',
      accuracy('last_test_accuracy'),
      accuracy('mean_of_last_5_test_accuracy'),
      accuracy('best_test_accuracy'),
      f'{mean("uplink_bits_per_param"):.4f}',
      f'{mean("downlink_bits_per_param"):.4f}',
      f'{mean("uplink_bits_per_param_total"):.4f}',
      f'{mean("downlink_bits_per_param_total"):.4f}',
      f'{statistics.fmean(zeros):.3f}' if zeros else '',
      f'{statistics.fmean(seconds):.2f}',
  )


def main(argv):
  flagfiles = argv[1:]
  if not flagfiles:
    raise cli.UsageError('name at least one flagfile')
  for flagfile in flagfiles:
    if not os.path.isfile(flagfile):
      raise cli.UsageError(f'{flagfile} is not an existing file')
  failed, rows = [], []
  for flagfile in flagfiles:
    name = _name(flagfile)
    folders = []
    for seed in _SEEDS.value:
      folder = os.path.join(_OUTPUT_DIR.value, f'{name}_seed{seed}')
      if not (_TABLE_ONLY.value or _run(flagfile, seed, folder)):
        failed.append(folder)
      if os.path.exists(os.path.join(folder, 'result.json')):
        folders.append(folder)
    if folders:
      rows.append(_row(name, folders))
  for row in (_COLUMNS, ['---'] * len(_COLUMNS), *rows):
    print('|', ' | '.join(row), '|')
  if failed:
    sys.exit(f'not finished: {", ".join(failed)}')


if __name__ == '__main__':
  cli.run(main)
