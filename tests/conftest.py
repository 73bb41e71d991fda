# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What holds for all tests: quiet forks, and no worker left at the end."""

import os

import psutil

# Tests start processes while gRPC's threads are at work in their own. Its
# handlers of a fork then write into the standard error of the new process.
os.environ.setdefault('GRPC_ENABLE_FORK_SUPPORT', '0')


def pytest_sessionfinish():
  # The worker that TFF's default context has started.
  for child in psutil.Process().children():
    if child.name() == 'worker_binary':
      child.kill()
