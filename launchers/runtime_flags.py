# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Flags of the launchers that train: where clients are trained."""

from absl import flags

from launchers import cli
from tff_binary.runtime import settings

_DEFAULTS = settings.Runtime()

_RUNTIME = flags.DEFINE_enum(
    'runtime',
    _DEFAULTS.kind,
    settings.KINDS,
    "Where clients are trained: device, this package's worker on this machine's"
    " GPUs or CPU; local, TFF's C++ worker on its CPU; remote, --workers.",
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
    'Of --runtime=device: what to train on, such as GPU:0,GPU:1; all GPUs or,'
    ' if there is none, the CPU if unset.',
)
_CLIENTS_PER_DEVICE = flags.DEFINE_integer(
    'clients_per_device',
    None,
    'Of --runtime=device: clients trained on a device at the same time.',
    1,
)
_WORKER_PYTHON = flags.DEFINE_string(
    'worker_python',
    None,
    'Of --runtime=device: the Python of another environment for the worker, with'
    ' a TensorFlow that finds the GPUs; the one that runs this if unset.',
)
_WORKERS = flags.DEFINE_list(
    'workers',
    [],
    'Of --runtime=remote: the addresses host:port,host:port,... of workers that'
    ' run already.',
)
_MERGE = flags.DEFINE_enum(
    'merge',
    _DEFAULTS.merge,
    settings.MERGES,
    "Of --runtime=remote: in_order adds from worker to worker in the clients'"
    " order; tff adds the workers' sums as they come in, by TFF's own engine.",
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
    "Of --runtime=remote: the file of the certificate of the workers' signer.",
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
    _WORKER_PYTHON,
    _WORKERS,
    _MERGE,
    _ALLOW_LOST_WORKERS,
    _WORKER_DEADLINE,
    _CERTIFICATE,
    _PRIVATE_KEY,
    _WORKER_AUTHORITY,
    _INSECURE,
)
NAMES = (_RUNTIME.name, *(flag.name for flag in _OPTIONS))


def read():
  """Returns the `Runtime` that the flags ask for."""
  with cli.errors_named_by_flags():
    return settings.Runtime(
        _RUNTIME.value, **{flag.name: flag.value for flag in _OPTIONS}
    )
