# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
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
