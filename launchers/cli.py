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
"""What all launchers share: flags of the runtime, errors, signals, quiet."""

import contextlib
import gc
import os
import re
import signal
import sys
import tempfile

from absl import app
from absl import flags

from tff_binary.programs import logs
from tff_binary.programs import run_folder
from tff_binary.runtime import errors
from tff_binary.runtime import settings

_DEFAULTS = settings.Runtime()

_RUNTIME = flags.DEFINE_enum(
    'runtime',
    _DEFAULTS.kind,
    settings.KINDS,
    "Where clients are trained: local, TFF's C++ worker on this machine's CPU;"
    " device, this package's worker on this machine's GPUs; remote, --workers.",
)
_MAX_CONCURRENT_CLIENTS = flags.DEFINE_integer(
    'max_concurrent_clients',
    None,
    'Of --runtime=local: clients trained at the same time; the number of cores'
    ' if unset.',
    1,
)
_DEVICES = flags.DEFINE_list(
    'devices',
    [],
    'Of --runtime=device: what to train on, such as GPU:0,GPU:1; all GPUs or, if'
    ' there is none, the CPU if unset.',
)
_CLIENTS_PER_DEVICE = flags.DEFINE_integer(
    'clients_per_device',
    None,
    'Of --runtime=device: clients trained on a device at the same time.',
    1,
)
_WORKERS = flags.DEFINE_list(
    'workers',
    [],
    'Of --runtime=remote: the addresses host:port,host:port,... of workers that'
    ' run already.',
)
_ALLOW_LOST_WORKERS = flags.DEFINE_boolean(
    'allow_lost_workers',
    False,
    'Of --runtime=remote: goes on without workers that stay away.',
)
_WORKER_DEADLINE = flags.DEFINE_float(
    'worker_deadline',
    _DEFAULTS.worker_deadline,
    'For how many seconds, > 0, a worker may be silent before it is given up.',
)
_CERTIFICATE = flags.DEFINE_string(
    'certificate',
    None,
    "Of --runtime=remote: the file of this client's certificate (PEM).",
)
_PRIVATE_KEY = flags.DEFINE_string(
    'private_key', None, "Of --runtime=remote: the file of its private key."
)
_WORKER_AUTHORITY = flags.DEFINE_string(
    'worker_authority',
    None,
    "Of --runtime=remote: the file of the certificate of the workers' authority.",
)
_INSECURE = flags.DEFINE_boolean(
    'insecure',
    False,
    'Of --runtime=remote: reaches workers on other machines unencrypted.',
)

_OPTIONS = (
    _MAX_CONCURRENT_CLIENTS,
    _DEVICES,
    _CLIENTS_PER_DEVICE,
    _WORKERS,
    _ALLOW_LOST_WORKERS,
    _WORKER_DEADLINE,
    _CERTIFICATE,
    _PRIVATE_KEY,
    _WORKER_AUTHORITY,
    _INSECURE,
)
RUNTIME_FLAGS = (_RUNTIME.name, *(flag.name for flag in _OPTIONS))


def read_runtime():
  """Returns the `Runtime` that the flags ask for."""
  with errors_named_by_flags():
    return settings.Runtime(
        _RUNTIME.value, **{flag.name: flag.value for flag in _OPTIONS}
    )


class UsageError(Exception):
  """The command line cannot be carried out; the message says why."""


def run(main):
  """Parses the flags and calls `main(argv)`, as `absl.app.run` would.

  What the user can mend is answered by one line instead of a traceback: exit
  status 2 for a command line that cannot be right, 1 for a folder or a worker
  that cannot be used. Ctrl-C and SIGTERM end the process in order, with 130 and 143.

  Args:
    main: A function of the arguments that are not flags.
  """
  # Not absl.app.run: in a main that it calls, importing TensorFlow 2.14 makes
  # an eager context too early, and functional Keras models cannot be built.
  app.define_help_flags()
  try:
    _guard(main, _parse_flags(sys.argv))
  finally:
    # Spares Python a last search for garbage among the traced graphs: seconds.
    gc.freeze()


def _parse_flags(argv):
  try:
    return flags.FLAGS(argv)
  except flags.IllegalFlagValueError as e:
    _exit(_with_allowed_values(str(e)), 2)
  except flags.Error as e:
    _exit(e, 2)
  except SystemExit:  # After --help; absl takes that for a failure.
    sys.exit()


def _with_allowed_values(message):
  """Completes absl's message on a value that is, say, no number at all."""
  flag = re.match(r'flag --(\w+)=', message)
  allowed = flag and flags.FLAGS[flag[1]].parser.syntactic_help
  if not allowed or allowed in message:
    return message
  return f'{message}; it must be {allowed}'


def _guard(main, argv):
  signal.signal(signal.SIGTERM, _raise_terminated)
  try:
    main(argv)
  except UsageError as e:
    _exit(e, 2)
  except (run_folder.RunFolderError, errors.WorkerError) as e:
    _exit(e, 1)
  except _Terminated:
    sys.exit(128 + signal.SIGTERM)
  except KeyboardInterrupt:
    sys.exit(128 + signal.SIGINT)


class _Terminated(KeyboardInterrupt):
  """SIGTERM, handled as Ctrl-C is."""


def _raise_terminated(unused_signal, unused_frame):
  raise _Terminated


def _exit(error, status):
  program = os.path.basename(sys.argv[0])
  print(f'{program}: {error}', file=sys.stderr)
  sys.exit(status)


@contextlib.contextmanager
def quiet_imports():
  """Discards what C++ code prints while modules are imported.

  TensorFlow reports a dozen lines on the absence of GPU libraries.
  """
  with tempfile.TemporaryFile() as file, logs.native_stderr_to(file) as former:
    try:
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
    prefix = '--' if message.split(' ', 1)[0] in flags.FLAGS else ''
    raise UsageError(prefix + message) from e
