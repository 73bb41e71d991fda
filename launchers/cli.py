# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What all launchers do at their edges: errors in one line, signals, quiet."""

import contextlib
import gc
import os
import re
import signal
import sys
import tempfile

from absl import app
from absl import flags

from tff_binary import files
from tff_binary.programs import logs
from tff_binary.programs import recorded_runs
from tff_binary.programs import run_folder
from tff_binary.runtime import errors
from tff_binary.runtime import processes
from tff_binary.runtime.worker import memory


class UsageError(Exception):
  """The command line cannot be carried out; the message says why."""


def run(main):
  """Parses the flags and calls `main(argv)`, as `absl.app.run` would.

  What the user can mend is answered by one line instead of a traceback: exit
  status 2 for a command line that cannot be right, 1 for a folder, a file or a
  worker that cannot be used or an output that cannot be written. Ctrl-C,
  SIGTERM and SIGHUP, unless it is ignored, end the process in order, with 130,
  143 and 129.

  Args:
    main: A function of the arguments that are not flags.
  """
  # Not absl.app.run: in a main that it calls, importing TensorFlow 2.14 makes
  # an eager context too early, and functional Keras models cannot be built.
  _open_standard_streams()
  app.define_help_flags()
  memory.keep_freed_memory()
  try:
    _guard(main)
  finally:
    # What is frozen is not found by it any more.
    processes.end_default_worker()
    # Spares Python a last search for garbage among the traced graphs: seconds.
    gc.freeze()


def _open_standard_streams():
  """Opens what the caller has closed (`2>&-`), so that no file takes its place.

  Native code writes to the descriptors whatever they are.
  """
  for descriptor in range(3):
    try:
      os.fstat(descriptor)
    except OSError:
      os.open(os.devnull, os.O_RDWR)  # Takes the lowest that is free.
  for name in ('stdout', 'stderr'):
    if getattr(sys, name) is None:
      stream = open(os.devnull, 'w')  # pylint: disable=consider-using-with
      setattr(sys, name, stream)
  sys.stdout = _Output(sys.stdout)


def parse_flags(argv):
  """Parses a command line; what is wrong with it ends the process by one line.

  Args:
    argv: The program's name and the arguments.

  Returns:
    Those that are no flags, after the name.
  """
  try:
    return flags.FLAGS(argv)
  except flags.IllegalFlagValueError as e:
    _exit(_with_allowed_values(str(e)), 2)
  except flags.Error as e:
    _exit(e, 2)
  except SystemExit:  # After --help; absl takes that for a failure.
    sys.stdout.flush()
    sys.exit()


def _with_allowed_values(message):
  """Completes absl's message on a value that is, say, no number at all."""
  flag = re.match(r'flag --(\w+)=', message)
  allowed = flag and flags.FLAGS[flag[1]].parser.syntactic_help
  if not allowed or allowed in message:
    return message
  return f'{message}; it must be {allowed}'


def _guard(main):
  signal.signal(signal.SIGTERM, _raise_terminated)
  # Of a terminal that is closed; `nohup` has it ignored.
  if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
    signal.signal(signal.SIGHUP, _raise_terminated)
  try:
    main(parse_flags(sys.argv))
    # What cannot be written is to be known while there is an answer to it.
    sys.stdout.flush()
  except UsageError as e:
    _exit(e, 2)
  except errors.MergeError as e:
    _exit(f'--{e}', 2)
  except (
      run_folder.RunFolderError, files.DamagedFileError, errors.WorkerError
  ) as e:
    _exit(e, 1)
  except _OutputLost as e:
    # What is left would be tried, and reported, once more at the end.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    _exit(f'cannot write to standard output: {e}', 1)
  except _Terminated as e:
    sys.exit(128 + e.signal)
  except KeyboardInterrupt:
    sys.exit(128 + signal.SIGINT)


class _OutputLost(Exception):
  """Standard output cannot be written; the message says why."""


class _Output:
  """Standard output, with an error of its own when it cannot be written."""

  def __init__(self, stream):
    self._stream = stream

  def write(self, text):
    with self._naming_errors():
      return self._stream.write(text)

  def flush(self):
    with self._naming_errors():
      self._stream.flush()

  @contextlib.contextmanager
  def _naming_errors(self):
    try:
      yield
    except OSError as e:
      raise _OutputLost(e.strerror) from e

  def __getattr__(self, name):
    return getattr(self._stream, name)


class _Terminated(KeyboardInterrupt):
  """SIGTERM or SIGHUP, handled as Ctrl-C is."""

  def __init__(self, number):
    super().__init__()
    self.signal = number


def _raise_terminated(number, unused_frame):
  raise _Terminated(number)


def _exit(error, status):
  program = os.path.basename(sys.argv[0])
  print(f'{program}: {error}', file=sys.stderr)
  sys.exit(status)


def labels_of(folders, labels=None):
  """Returns a label for each run.

  Args:
    folders: The folders of the runs.
    labels: The value of --labels; by default the ends of their paths.

  Raises:
    UsageError: If there are no folders, or if the labels are not one for each.
  """
  if not folders:
    raise UsageError('name at least one folder of a run')
  labels = labels or recorded_runs.names(folders)
  if len(labels) != len(folders):
    raise UsageError(
        f'--labels must hold one label for each of the {len(folders)} runs, got'
        f' {len(labels)}'
    )
  if len(set(labels)) != len(labels):
    raise UsageError(
        f'--labels must tell the runs apart, got {", ".join(labels)}'
    )
  return labels


def make_output_dir(path):
  """Makes the folder of --output_dir, before the work of which it keeps files.

  Args:
    path: The folder; it may exist.

  Raises:
    UsageError: If it cannot be made, or files in it cannot be.
  """
  try:
    os.makedirs(path, exist_ok=True)
    with tempfile.TemporaryFile(dir=path):
      pass
  except OSError as e:
    raise UsageError(
        f'--output_dir={path} cannot be written: {e.strerror}'
    ) from e


@contextlib.contextmanager
def quiet_imports():
  """Discards what C++ code prints while modules are imported, quickly.

  TensorFlow reports a dozen lines on the absence of GPU libraries.
  """
  with tempfile.TemporaryFile() as file, logs.native_stderr_to(file) as former:
    try:
      with memory.without_collections():
        yield
    except ImportError:
      os.write(former, os.pread(file.fileno(), 1 << 20, 0))
      raise


@contextlib.contextmanager
def errors_named_by_flags():
  """Turns errors in a library's arguments into errors in the flags behind them.

  Such a message starts with the argument's name, and the flag has the same one.
  """
  try:
    yield
  except (ValueError, OSError) as e:
    message = str(e).rstrip('.')
    name = re.match(r'\w*', message)[0]
    prefix = '--' if name in flags.FLAGS else ''
    raise UsageError(prefix + message) from e
