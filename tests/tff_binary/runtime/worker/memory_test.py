# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for memory."""

import gc
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

  def test_collections_go_on_after_the_block_as_before_it(self):
    with self.assertRaises(ImportError):
      with memory.without_collections():
        self.assertFalse(gc.isenabled())
        raise ImportError
    self.assertTrue(gc.isenabled())
    gc.disable()
    self.addCleanup(gc.enable)
    with memory.without_collections():
      pass
    self.assertFalse(gc.isenabled())


if __name__ == '__main__':
  absltest.main()
