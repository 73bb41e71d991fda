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
