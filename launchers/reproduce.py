# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
r"""Runs the cells of published tables and prints the results beside them.

python -m launchers.reproduce --table=fedbat_1 --cells='fmnist/iid/100/*' \
    --seeds=5 --jobs=2 --output_dir=runs/fedbat_1 -- --data_dir=...

First it says how long that will take: from the rounds that are in --output_dir,
or from two rounds of one run of each kind, which count. What follows -- is given
to all runs, such as --rounds=10; the table says wherever a run is not what was
published. The same command again resumes what was stopped and skips what is
done. The table, of all runs that are there, also unfinished ones, goes to
table.md in --output_dir.

--list shows the cells of all tables and their flags, --report the table alone.
"""

import dataclasses
import math
import pathlib
import statistics
import sys

from absl import flags

from launchers import cli
from launchers import published
from launchers import runs
from launchers import train
from tff_binary import files
from tff_binary.programs import metrics
from tff_binary.programs import run_folder

_TABLE = flags.DEFINE_enum(
    'table', None, published.names(), 'The published table.'
)
_CELLS = flags.DEFINE_list(
    'cells',
    ['*'],
    'Patterns of the names of cells, as of a shell; * matches slashes too.',
)
_SEEDS = flags.DEFINE_integer(
    'seeds', 1, 'Repetitions: seeds 1, 2, ... up to this number.', 1
)
_JOBS = flags.DEFINE_integer(
    'jobs',
    1,
    'Runs at a time, each on its share of the cores. The output of several goes'
    ' to <run>.log in --output_dir.',
    1,
)
# Here it is the folder of many runs.
_OUTPUT_DIR = flags.DEFINE_string(
    'output_dir',
    None,
    "The folder of the runs' folders; runs/TABLE if unset.",
    allow_override=True,
)
_LIST = flags.DEFINE_boolean(
    'list', False, 'Shows cells, what was published, and flags; runs nothing.'
)
_REPORT = flags.DEFINE_boolean(
    'report', False, 'Shows the table of the runs that are there; runs nothing.'
)

_COLUMNS = (
    'cell', 'published', 'ours', 'difference', 'bits up', 'seeds', 'rounds',
    'not as published',
)
# Rounds that are measured: the first has the compilation in it.
_MEASURED_ROUNDS = 2
# Settings that a round's time depends on most. Methods differ by less.
_KIND = (
    'task', 'model', 'train_examples', 'num_clients', 'clients_per_round',
    'local_epochs', 'batch_size', 'compute_dtype',
)


@dataclasses.dataclass(frozen=True)
class _Run:
  """One run of a cell.

  Attributes:
    setting: The cell's `runs.Setting`.
    seed: Its seed.
    wanted: What its flags set, see `train.read_settings`.
    folder: Its `pathlib.Path`.
  """

  setting: runs.Setting
  seed: int
  wanted: dict
  folder: pathlib.Path

  def history(self):
    """Returns its rows, none if they are damaged: it can write them anew."""
    return _read_whole(metrics.read_history, self.folder) or []

  def missing_rounds(self):
    return max(0, self.wanted['rounds'] - len(self.history()))

  def is_done(self):
    """Whether all rounds are done, by these flags."""
    folder = run_folder.RunFolder(self.folder)
    result = _read_whole(folder.read_result)
    settings = _read_whole(folder.read_settings)
    return (
        result is not None
        and result['rounds'] >= self.wanted['rounds']
        and settings is not None
        and not runs.differences(settings['flags'], self.wanted)
        and len(self.history()) >= result['rounds']
    )

  def can_be_measured(self):
    """Whether it was not started for more rounds, which can only go up."""
    try:
      settings = run_folder.RunFolder(self.folder).read_settings()
    except files.DamagedFileError:
      return False
    return settings is None or settings['flags']['rounds'] <= _MEASURED_ROUNDS

  def kind(self):
    return tuple(self.wanted[name] for name in _KIND)


def _read_whole(read, *arguments):
  """Returns what a function reads of a run, None if the file is damaged.

  The run, run again, writes it anew from its checkpoint, or says what to do.
  """
  try:
    return read(*arguments)
  except files.DamagedFileError:
    return None


def _seconds_per_round(all_runs):
  """Returns the median seconds of a round, by cell's name and by kind."""
  seconds = {}
  for run in all_runs:
    rows = run.history()
    for row in rows[1:] or rows:
      second = row['round_seconds'] + (row['eval_seconds'] or 0.0)
      for key in (run.setting.name, run.kind()):
        seconds.setdefault(key, []).append(second)
  return {key: statistics.median(values) for key, values in seconds.items()}


def _measure(pending, seconds, output_dir):
  """Runs two rounds of one run of each kind of which nothing is known.

  Not of what has already been started for more, or is to end as early.
  """
  unknown = {}
  for run in pending:
    if run.kind() not in seconds and run.can_be_measured():
      unknown.setdefault(run.kind(), run)
  # A run of so few rounds is not worth an estimate.
  chosen = [
      (run.setting, run.seed)
      for run in unknown.values()
      if run.wanted['rounds'] > _MEASURED_ROUNDS
  ]
  if not chosen:
    return
  print(f'measuring {_MEASURED_ROUNDS} rounds of {len(chosen)} runs', flush=True)
  failed = runs.run(
      chosen, output_dir, _JOBS.value, f'--rounds={_MEASURED_ROUNDS}'
  )
  if failed:
    sys.exit(f'not measured: {", ".join(failed)}')


def _estimate(pending, seconds):
  """Returns what is to be done and how long it will take, as text."""
  rounds = [run.missing_rounds() for run in pending]
  paces = [
      seconds.get(run.setting.name, seconds.get(run.kind())) for run in pending
  ]
  text = f'{len(pending)} runs, {sum(rounds)} rounds'
  if None in paces:
    return f'{text} (their time is not measured)'
  times = [count * pace for count, pace in zip(rounds, paces)]
  total = max(sum(times) / _JOBS.value, max(times))
  return (
      f'{text} of {min(paces):.2g} to {max(paces):.2g} s, {_JOBS.value} at a'
      f' time: about {_duration(total)}, and what starting takes'
  )


def _duration(seconds):
  hours, minutes = divmod(math.ceil(seconds / 60.0), 60)
  return f'{hours} h {minutes} min' if hours else f'{minutes} min'


def _number(mean, deviation, digits):
  if mean is None:
    return ''
  text = f'{mean:.{digits}f}'
  return text if deviation is None else f'{text} ± {deviation:.{digits}f}'


def _difference(ours, theirs):
  return '' if None in (ours, theirs) else f'{ours - theirs:+.2f}'


def _row(table, cell, output_dir):
  """Returns the columns of a cell, or None if no round of it is there."""
  wanted = train.read_settings(cell.flags)
  histories = {}
  # Every seed that is there.
  pattern = pathlib.Path(_setting(cell).folder('', seed='*')).name
  for folder in sorted(pathlib.Path(output_dir).glob(pattern)):
    if folder.is_dir():  # Not its log.
      history = metrics.read_history(folder)
      if history:
        histories[folder] = history
  if not histories:
    return None
  rounds = max(map(len, histories.values()))
  compared = {f: h for f, h in histories.items() if len(h) == rounds}
  summaries = [metrics.summarize(history) for history in compared.values()]
  scores = [s[f'{table.score}_test_accuracy'] for s in summaries]
  scores = [100.0 * score for score in scores if score is not None]
  ours = statistics.fmean(scores) if scores else None
  deviation = statistics.stdev(scores) if len(scores) > 1 else None
  bits = statistics.fmean(s['uplink_bits_per_param'] for s in summaries)
  marks = {}
  if table.seeds and len(scores) < table.seeds:
    marks[f'{len(scores)} of {table.seeds} seeds'] = None
  if rounds != wanted['rounds']:
    marks[f'{rounds} of {wanted["rounds"]} rounds'] = None
  if len(compared) < len(histories):
    more = len(histories) - len(compared)
    marks[f'{more} runs with fewer rounds left out'] = None
  for folder in compared:
    settings = run_folder.RunFolder(folder).read_settings()
    recorded = {} if settings is None else settings['flags']
    marks.update(dict.fromkeys(runs.differences(recorded, wanted)))
  theirs = _number(cell.accuracy, cell.deviation, 1)
  return (
      cell.name,
      '; '.join(filter(None, [theirs, cell.claim])),
      _number(ours, deviation, 2),
      _difference(ours, cell.accuracy),
      f'{bits:.4f}' + (f' ({cell.uplink_bits:g})' if cell.uplink_bits else ''),
      f'{len(scores)}',
      f'{rounds}',
      '; '.join(marks),
  )


def _report(table, cells, output_dir):
  """Returns the lines of the table of the cells of which rounds are there."""
  rows, notes = [], {}
  for cell in cells:
    row = _row(table, cell, output_dir)
    if row is not None:
      rows.append(row)
      notes.update(dict.fromkeys(cell.notes))
  lines = [f'{table.title}. {table.source}.', '']
  for row in (_COLUMNS, ['---'] * len(_COLUMNS), *rows):
    lines.append(f'| {" | ".join(row)} |')
  lines += [
      '',
      f'{len(rows)} of {len(cells)} cells. Accuracy in percent ±'
      f' deviation over seeds, {table.score.replace("_", " ")}.'
      f' {table.score_source}',
      *(f'* {note}' for note in notes),
  ]
  return lines


def _setting(cell, extra=()):
  return runs.Setting(cell.name, (*cell.flags, *extra))


def _list_cells(table, cells):
  """Prints cells with what was published and their flags."""
  print(f'{table.name}: {table.title}. {table.source}. {"/".join(table.parts)}')
  for cell in cells:
    number = _number(cell.accuracy, cell.deviation, 1)
    text = '; '.join(filter(None, [number, cell.claim]))
    print(f'{cell.name}  {text}  {" ".join(cell.flags)}')
  for note in dict.fromkeys(note for cell in cells for note in cell.notes):
    print(f'* {note}')


def main(argv):
  extra = argv[1:]
  runs.check_flags(
      extra, dict.fromkeys(runs.RESERVED, 'set by launchers.reproduce')
  )
  if _LIST.value:
    if _TABLE.value is None and _CELLS.value != _CELLS.default:
      raise cli.UsageError('--cells is for the cells of one --table, name it')
    chosen = [_TABLE.value] if _TABLE.value else published.names()
    for table in map(published.load, chosen):
      _list_cells(table, table.select(_CELLS.value))
    return
  if _TABLE.value is None:
    raise cli.UsageError(
        f'--table must be one of {", ".join(published.names())}'
    )
  table = published.load(_TABLE.value)
  cells = table.select(_CELLS.value)
  output_dir = _OUTPUT_DIR.value or f'runs/{table.name}'
  failed = []
  if not _REPORT.value:
    cli.make_output_dir(output_dir)
    failed = _run(cells, extra, output_dir)
  lines = _report(table, cells, output_dir)
  print('\n'.join(lines))
  if not _REPORT.value:
    path = pathlib.Path(output_dir) / 'table.md'
    path.write_text('\n'.join(lines) + '\n', encoding='utf-8')
  if failed:
    sys.exit(f'not finished: {", ".join(failed)}')


def _run(cells, extra, output_dir):
  """Runs what is not done; returns the folders of the runs that have failed."""
  all_runs = []
  for cell in cells:
    setting = _setting(cell, extra)
    wanted = train.read_settings(setting.arguments)
    for seed in range(1, _SEEDS.value + 1):
      folder = pathlib.Path(setting.folder(output_dir, seed))
      all_runs.append(_Run(setting, seed, wanted, folder))
  pending = [run for run in all_runs if not run.is_done()]
  print(f'{len(all_runs) - len(pending)} of {len(all_runs)} runs are done')
  if not pending:
    return []
  _measure(pending, _seconds_per_round(all_runs), output_dir)
  print(_estimate(pending, _seconds_per_round(all_runs)), flush=True)
  pairs = [(run.setting, run.seed) for run in pending]
  return runs.run(pairs, output_dir, _JOBS.value)


if __name__ == '__main__':
  cli.run(main)
