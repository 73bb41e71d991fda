# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What holds for all tests: signals, quiet forks, no worker left at the end."""

import os
import signal

import psutil

# Tests start processes while gRPC's threads are at work in their own. Its
# handlers of a fork then write into the standard error of the new process.
os.environ.setdefault('GRPC_ENABLE_FORK_SUPPORT', '0')


# A script's background jobs inherit that SIGINT is ignored, and so would all that
# tests start. TFF ends its workers by it and waits for them, for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
  signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish():
  # The worker that TFF's default context has started.
  for child in psutil.Process().children():
    if child.name() == 'worker_binary':
      child.kill()
