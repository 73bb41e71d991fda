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
"""Where TFF's computations run: on this machine, on GPUs, on other machines.

Imported at first use: the settings and the errors do not need TensorFlow.
"""

import importlib

_MODULES = {
    'Runtime': 'settings',
    'WorkerError': 'errors',
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
