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
"""A worker for TFF that runs TensorFlow on GPUs, and does not need TFF.

It serves TFF's `ExecutorGroup` protocol, as TFF's own C++ worker does, with the
TensorFlow that is installed. In this process:

  with worker.start(devices=['GPU:0']) as server:
    channel = grpc.insecure_channel(server.address)

or as a process, here or on another machine:

  python -m tff_binary.runtime.worker --help
"""

import importlib


def __getattr__(name):
  # Lazily: it takes TensorFlow, which bad flags should not have to wait for.
  if name in ('start', 'Server'):
    return getattr(importlib.import_module(f'{__name__}.server'), name)
  raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
