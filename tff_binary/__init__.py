# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Binary and low-bit federated learning on TensorFlow Federated.

The subpackages are imported at first use, so that a worker without TensorFlow
Federated can use those that do not need it.
"""

import importlib

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


def __getattr__(name):
  if name in _SUBPACKAGES:
    return importlib.import_module(f'{__name__}.{name}')
  raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__():
  return sorted([*globals(), *_SUBPACKAGES])
