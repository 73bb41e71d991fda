# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Worker processes on this machine, which end with the process that owns them.

TFF's default execution context starts a worker too, but leaves it behind when
Python exits: it keeps the memory and the standard output, so that a shell
pipeline never ends. `tff_binary` has `end_default_worker` called at exit.
"""

from collections.abc import Mapping, Sequence
import contextlib
import gc
import os
import pathlib
import signal
import subprocess
import sys
from typing import Optional

_LOG_TAIL_LINES = 20

# What owns the worker of TFF's default context, a class within a function.
_DEFAULT_WORKER = 'local_cpp_executor_factory.<locals>.ServiceManager'

# Run by the new process: asks for the kernel's parent-death signal, checks that
# the parent has not died before, and becomes the program. A `preexec_fn` would
# do the same in a fork of this process, which gRPC does not survive.
_DIE_WITH_PARENT = f"""
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, {int(signal.SIGKILL)})  # PR_SET_PDEATHSIG
if os.getppid() == int(sys.argv[1]):
  os.execv(sys.argv[2], sys.argv[2:])
"""


def end_default_worker() -> None:
  """Ends the worker of TFF's default context, if there is one.

  TFF leaves that to `__del__`, which comes too late, when half of Python is
  gone, or never, if an exception or a process still refers to the context.
  """
  for thing in gc.get_objects():
    owner = type(thing)
    if owner.__qualname__ == _DEFAULT_WORKER:
      worker = vars(thing).get('_process')
      if worker is not None:
        worker.kill()
        worker.wait()
      # It would complain that half of Python is gone.
      owner.__del__ = lambda self: None


def dying_with_parent(command: Sequence[str]) -> list[str]:
  """Returns a command whose process is killed when its parent is gone.

  The kernel does it, however this process ends, and already when the *thread*
  that has started the other one ends.

  Args:
    command: The path of the program and its arguments.
  """
  return [
      *(sys.executable, '-I', '-S', '-c', _DIE_WITH_PARENT),
      str(os.getpid()),
      *command,
  ]


class Process:
  """A process that is gone after `stop`, and when this process is.

  If this process is killed, the kernel's parent-death signal kills the other
  one. Create it in the main thread: the kernel sends that signal when the
  *thread* that started the process ends.
  """

  def __init__(
      self,
      command: Sequence[str],
      log_path: Optional[str] = None,
      environment: Optional[Mapping[str, str]] = None,
  ):
    """Starts the process, in a session of its own, which Ctrl-C does not reach.

    Args:
      command: The path of the program and its arguments.
      log_path: The file that the output is appended to; None discards it.
      environment: The environment variables; None for those of this process.
    """
    self._log_path = log_path
    with open(log_path or os.devnull, 'ab') as log:
      self._process = subprocess.Popen(
          dying_with_parent(command),
          stdin=subprocess.DEVNULL,
          stdout=log,
          stderr=log,
          env=environment,
          start_new_session=True,
      )

  def stop(self) -> None:
    """Ends the process without ceremony: workers keep nothing."""
    self._process.kill()
    self._process.wait()

  def is_running(self) -> bool:
    return self._process.poll() is None

  def has_ended(self, seconds: float) -> bool:
    """Whether the process is gone, or will be within some seconds."""
    with contextlib.suppress(subprocess.TimeoutExpired):
      self._process.wait(seconds)
    return not self.is_running()

  def death_notice(self) -> str:
    """Says how the process, which is not running, has ended."""
    code = self._process.poll()
    cause = signal.Signals(-code).name if code < 0 else f'exit status {code}'
    return f'died ({cause}){self.log_tail()}'

  def log_tail(self) -> str:
    """Returns the end of the log, as the continuation of an error message."""
    if self._log_path is None:
      return '; name a log_path to keep its output'
    log = pathlib.Path(self._log_path).read_text(errors='replace')
    lines = log.splitlines()[-_LOG_TAIL_LINES:]
    return '\n'.join([f'; the end of {self._log_path}:', *lines])
