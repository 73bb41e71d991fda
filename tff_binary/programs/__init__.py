# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Programs: training with resume, its files and its curves.

Imported at first use: the lock and the checks of a run folder, or a plot, do
not need TensorFlow.
"""

import importlib

_MODULES = {
    'RunFolderError': 'run_folder',
    'TrainingResult': 'training',
    'train': 'training',
}


def __getattr__(name):
  if name in _MODULES:
    module = importlib.import_module(f'{__name__}.{_MODULES[name]}')
    return getattr(module, name)
  raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__():
  return sorted([*globals(), *_MODULES])
