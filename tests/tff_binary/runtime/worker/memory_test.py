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
"""Tests for memory."""

import subprocess
import sys
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

from tff_binary.runtime.worker import memory

# Prints by how many bytes a process has grown after a vector of 64 MB is gone,
# which a thread of its own has made.
_SCRIPT = """
import sys, threading
import psutil
from tff_binary.runtime.worker import memory
if sys.argv[1] == 'keep':
  memory.keep_freed_memory()
process = psutil.Process()
before = process.memory_info().rss
thread = threading.Thread(target=lambda: len(bytearray(b'x') * 2**26))
thread.start()
thread.join()
print(process.memory_info().rss - before)
"""


class MemoryTest(parameterized.TestCase):

  @parameterized.parameters(('keep', True), ('return', False))
  def test_freed_memory_is_kept_only_if_asked_for(self, argument, is_kept):
    growth = subprocess.run(
        [sys.executable, '-c', _SCRIPT, argument],
        check=True,
        capture_output=True,
    ).stdout
    self.assertEqual(int(growth) > 2**25, is_kept)

  def test_other_c_libraries_are_left_alone(self):
    with mock.patch.object(memory.ctypes, 'CDLL', lambda _: object()):
      memory.keep_freed_memory()


if __name__ == '__main__':
  absltest.main()
