# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Many runs of launchers.train: their folders, several at a time."""

import concurrent.futures
import contextlib
import dataclasses
import os
import subprocess
import sys
import threading

from absl import flags
import tqdm

from launchers import cli
from launchers import train
from tff_binary.runtime import processes

# What is given to every run here, so that nobody else may.
RESERVED = ('seed', 'output_dir')

_LOG = '.log'
# Of a file's name, by Linux.
_MAX_NAME_BYTES = 255


@dataclasses.dataclass(frozen=True)
class Setting:
  """What is run with every seed.

  Attributes:
    name: The name that its runs' folders begin with.
    arguments: The flags of launchers.train, without those of `RESERVED`.
  """

  name: str
  arguments: tuple[str, ...]

  def folder(self, output_dir, seed):
    """Returns the folder of the run with this seed."""
    name = self.name.replace(os.sep, '-')
    return os.path.join(output_dir, f'{name}_seed{seed}')

  def command(self, output_dir, seed, *more):
    """Returns the command line of the run with this seed, and more flags."""
    own = [f'--seed={seed}', f'--output_dir={self.folder(output_dir, seed)}']
    program = [sys.executable, '-m', 'launchers.train']
    return [*program, *self.arguments, *more, *own]


def check_flags(common, taken):
  """Checks that flags are in their place, and not set in two places.

  Args:
    common: Flags that are given to all runs.
    taken: Why a flag cannot be given to all runs, by its name.

  Raises:
    cli.UsageError: If a flag of `common` is in `taken`, or one of
      launchers.train is among the program's own.
  """
  for flag in flags.FLAGS.get_key_flags_for_module(train.__name__):
    # The programs have an --output_dir of their own.
    if flag.present and flag.name != 'output_dir':
      raise cli.UsageError(f'--{flag.name} is for the runs: give it after --')
  for argument in common:
    given = argument.lstrip('-').partition('=')[0]
    for name in (given, given.removeprefix('no')):
      if name in taken:
        raise cli.UsageError(f'{argument}: --{name} is {taken[name]}')


def differences(recorded, wanted):
  """Returns how a run's flags differ from those that are wanted, as text.

  Rounds are another matter: they may become more. A flag that the run's version
  did not have was not used, and what follows from the task where it is not set
  is no difference.

  Args:
    recorded: The section `flags` of a run's config.json.
    wanted: What `train.read_settings` returns.

  Returns:
    A list of strings such as `local_epochs 2 (10)`.
  """
  ignored = {*train.MAY_CHANGE, 'seed', 'rounds'}
  ignored |= {n for n in ('partition', 'num_clients') if wanted[n] is None}
  return [
      f'{name} {recorded[name]} ({wanted[name]})'
      for name in wanted
      if name in recorded
      and name not in ignored
      and recorded[name] != wanted[name]
  ]


def run(pairs, output_dir, jobs, *more):
  """Runs settings with seeds, or resumes them; goes on after a failure.

  Args:
    pairs: A list of pairs of a `Setting` and a seed.
    output_dir: The folder of the runs' folders; it must exist.
    jobs: Runs at a time, each on its share of the cores. The output of several
      goes to <run>.log in `output_dir`.
    *more: Further flags for all.

  Returns:
    The folders of the runs that have failed, in the order of `pairs`.

  Raises:
    cli.UsageError: If the name of a run is too long for its files.
  """
  commands = {
      setting.folder(output_dir, seed): setting.command(output_dir, seed, *more)
      for setting, seed in pairs
  }
  for name in map(os.path.basename, commands):
    limit = _MAX_NAME_BYTES - len(_LOG)
    if len(os.fsencode(name)) > limit:
      raise cli.UsageError(
          f'names of runs must have at most {limit} bytes, got'
          f' {len(os.fsencode(name))} in {name}'
      )
  return _Runner(jobs).run_all(commands)


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
        output = stack.enter_context(open(folder + _LOG, 'w'))
      else:
        print(' '.join(command[1:]), flush=True)
      with self._lock:
        if self._is_stopped:
          return 1  # Not started.
        # Ctrl-C in a terminal reaches it by `_stop` alone. If this process is
        # killed, the kernel kills the run, which resumes to the same bit: this
        # thread lasts as long as that.
        process = subprocess.Popen(
            processes.dying_with_parent(command),
            stdout=output,
            stderr=output,
            start_new_session=True,
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
