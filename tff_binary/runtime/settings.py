# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Where TFF's computations run; checked without importing TensorFlow."""

import dataclasses
import ipaddress
import math
import numbers
import os
import re
import shutil
from typing import Optional

from tff_binary.runtime.worker import sockets

KINDS = ('local', 'device', 'remote')
MERGES = ('in_order', 'tff')

_ADDRESS = r'unix:/.+|(?:[^\s:/,]+|\[[0-9a-fA-F:]+\]):([0-9]+)'
_MAX_PORT = 65535

# The options of each kind; the others' are refused.
_OPTIONS = {
    'local': ('max_concurrent_clients',),
    'device': (
        'devices',
        'clients_per_device',
        'worker_python',
        'in_process',
    ),
    'remote': (
        'workers',
        'merge',
        'allow_lost_workers',
        'certificate',
        'private_key',
        'worker_authority',
        'insecure',
    ),
}


@dataclasses.dataclass(frozen=True)
class Runtime:
  """Where TFF's computations run. It does not decide what they return.

  Attributes:
    kind: `'local'`, TFF's C++ worker as a process on this machine; `'device'`,
      this package's worker, which computes on GPUs, as a process on this
      machine; `'remote'`, workers of either kind that run already.
    max_concurrent_clients: Of `'local'`: how many clients are computed at the
      same time, at least 1; None for the number of available cores.
    devices: Of `'device'`: names such as `'GPU:0'`; empty for all GPUs or, if
      there is none, the CPU.
    clients_per_device: Of `'device'`: how many clients share a device at the
      same time, at least 1; None for the worker's default.
    worker_python: Of `'device'`: the Python of another environment to run the
      worker in, with a newer TensorFlow that finds the GPUs for example; None
      for the Python that runs this.
    in_process: Of `'device'`: the worker is a part of this process instead of
      one of its own. It then cannot be restarted.
    workers: Of `'remote'`: the addresses, `'host:port'` or `'unix:/path'`. The
      clients are spread over them in this order.
    merge: Of `'remote'`: how the workers' sums become one. `'in_order'` goes on
      adding from worker to worker, in the clients' order; `'tff'` is TFF's
      `MergeableCompExecutionContext`: each worker sums up its clients, and the
      sums are added in the order in which they come in.
    worker_deadline: For how many seconds a worker may leave calls unanswered,
      or stay away, before it is given up.
    allow_lost_workers: Of `'remote'`: whether the others take over the clients
      of a worker that is given up.
    certificate: Of `'remote'`: the file with this client's certificate, in PEM
      format, as are the next two. All three are needed for workers that are not
      on this machine, unless `insecure`.
    private_key: Of `'remote'`: the file with the certificate's private key.
    worker_authority: Of `'remote'`: the file with the certificate of the
      authority that has signed the workers' certificates.
    insecure: Of `'remote'`: whether to send everything unencrypted to whoever
      answers, over any network.
  """

  kind: str = 'device'
  max_concurrent_clients: Optional[int] = None
  devices: tuple[str, ...] = ()
  clients_per_device: Optional[int] = None
  worker_python: Optional[str] = None
  in_process: bool = False
  workers: tuple[str, ...] = ()
  merge: str = 'in_order'
  worker_deadline: float = 60.0
  allow_lost_workers: bool = False
  certificate: Optional[str] = None
  private_key: Optional[str] = None
  worker_authority: Optional[str] = None
  insecure: bool = False

  def __post_init__(self):
    if self.kind not in KINDS:
      raise ValueError(
          f'runtime must be one of {", ".join(KINDS)}, got {self.kind!r}'
      )
    if self.merge not in MERGES:
      raise ValueError(
          f'merge must be one of {", ".join(MERGES)}, got {self.merge!r}'
      )
    for name in ('devices', 'workers'):
      if isinstance(getattr(self, name), str):
        raise ValueError(
            f'{name} must be a sequence of strings, got {getattr(self, name)!r}'
        )
      object.__setattr__(self, name, tuple(getattr(self, name)))
    for kind, options in _OPTIONS.items():
      for name in options:
        if kind != self.kind and getattr(self, name) != _default(name):
          raise ValueError(
              f'{name} is for the runtime {kind}, not for {self.kind}; got'
              f' {getattr(self, name)!r}'
          )
    _check_positive_integer(
        'max_concurrent_clients', self.max_concurrent_clients
    )
    _check_positive_integer('clients_per_device', self.clients_per_device)
    if not 0.0 < self.worker_deadline < math.inf:
      raise ValueError(
          'worker_deadline must be a positive number of seconds, got'
          f' {self.worker_deadline}'
      )
    for device in self.devices:
      if not re.fullmatch(r'(CPU|GPU):\d+', device):
        raise ValueError(
            f"devices must be names such as GPU:0 and CPU:0, got {device!r}"
        )
    if self.worker_python is not None:
      if self.in_process:
        raise ValueError(
            'worker_python must not be set for a worker in this process, got'
            f' {self.worker_python!r}'
        )
      if shutil.which(self.worker_python) is None:
        raise ValueError(
            f'worker_python must be a program, got {self.worker_python!r}'
        )
    if self.kind == 'remote':
      self._check_remote()

  def _check_remote(self):
    """Checks the addresses and how they are reached."""
    if not self.workers:
      raise ValueError(
          'workers must be at least one host:port for the runtime remote, got'
          ' none'
      )
    for address in self.workers:
      match = re.fullmatch(_ADDRESS, address)
      if not match:
        raise ValueError(f'workers must be host:port, got {address!r}')
      # gRPC takes the remainder of a larger one.
      if match[1] and not 1 <= int(match[1]) <= _MAX_PORT:
        raise ValueError(
            f'workers must have ports in [1, {_MAX_PORT}], got {address!r}'
        )
      path = address.removeprefix('unix:')
      if path != address and len(os.fsencode(path)) > sockets.MAX_PATH_BYTES:
        raise ValueError(
            f'workers must be sockets of at most {sockets.MAX_PATH_BYTES}'
            f' bytes, got {address!r}'
        )
      if self.workers.count(address) > 1:
        raise ValueError(f'workers must differ, got {address!r} twice')
    if self.allow_lost_workers and self.merge == 'tff':
      raise ValueError(
          "allow_lost_workers must be false with merge='tff', which cannot give"
          ' clients to other workers; got true'
      )
    files = {
        name: getattr(self, name)
        for name in ('certificate', 'private_key', 'worker_authority')
    }
    missing = [name for name, path in files.items() if path is None]
    if not missing:
      if self.insecure:
        raise ValueError(
            'insecure must be false with a certificate, which asks for'
            ' encryption; got true'
        )
      for name, path in files.items():
        if os.path.isdir(path) or not os.access(path, os.R_OK):
          raise ValueError(f'{name} must be a readable file, got {path!r}')
    elif len(missing) < len(files):
      raise ValueError(
          f'{missing[0]} must be set: certificate, private_key and'
          ' worker_authority belong together'
      )
    elif not self.insecure:
      for address in self.workers:
        if not _is_on_this_machine(address):
          raise ValueError(
              f'insecure must be set to reach {address} without certificate,'
              ' private_key and worker_authority: anyone on the way could read'
              ' and change what is sent'
          )

  @property
  def is_encrypted(self) -> bool:
    """Whether there is a certificate, a key and an authority."""
    return self.certificate is not None


def _default(name):
  return Runtime.__dataclass_fields__[name].default


def _check_positive_integer(name, value):
  if value is not None and (
      not isinstance(value, numbers.Integral) or value < 1
  ):
    raise ValueError(f'{name} must be an integer >= 1, got {value!r}')


def _is_on_this_machine(address):
  host = address.rpartition(':')[0].strip('[]')
  if address.startswith('unix:') or host == 'localhost':
    return True
  try:
    return ipaddress.ip_address(host).is_loopback
  except ValueError:
    return False
