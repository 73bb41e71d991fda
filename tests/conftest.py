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
