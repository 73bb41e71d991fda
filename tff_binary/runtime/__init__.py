# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Where TFF's computations run: on this machine, on GPUs, on other machines.

Imported at first use: the settings and the errors do not need TensorFlow.
"""

import importlib

_MODULES = {
    'Runtime': 'settings',
    'WorkerError': 'errors',
    'distribute_aggregate_form': 'forms',
    'execution_context': 'contexts',
    'keep_freed_memory': 'worker.memory',
}


def __getattr__(name):
  if name in _MODULES:
    module = importlib.import_module(f'{__name__}.{_MODULES[name]}')
    return getattr(module, name)
  raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__():
  return sorted([*globals(), *_MODULES])
