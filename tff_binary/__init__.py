# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Binary and low-bit federated learning on TensorFlow Federated.

The subpackages are imported at first use, so that a worker without TensorFlow
Federated can use those that do not need it.

Whatever of it is imported, the worker that TFF's default context may start is
ended when Python exits.
"""

import atexit
import importlib

from tff_binary.runtime import processes

__version__ = '0.1.0'

_SUBPACKAGES = (
    'aggregators',
    'algorithms',
    'distributors',
    'layers',
    'learning',
    'ops',
    'programs',
    'runtime',
    'wire',
)

atexit.register(processes.end_default_worker)


def __getattr__(name):
  if name in _SUBPACKAGES:
    return importlib.import_module(f'{__name__}.{name}')
  raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__():
  return sorted([*globals(), *_SUBPACKAGES])
