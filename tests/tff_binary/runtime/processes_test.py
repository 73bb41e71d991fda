# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for processes."""

import pathlib
import subprocess
import sys

from absl.testing import absltest
from absl.testing import parameterized
import psutil

_ROOT = pathlib.Path(__file__).parents[3]

# Computes in TFF's default context, to which something refers to the end, as
# the building of a learning process or an exception does.
_SCRIPT = """
import sys
import psutil
import tff_binary.{module}
import numpy as np
import tensorflow_federated as tff

sys.kept = tff.framework.get_context_stack().current
print(tff.tensorflow.computation(lambda x: x + 1, np.int32)(1))
(worker,) = psutil.Process().children()
print(worker.pid)
sys.stdout.flush()
{end}
"""


class DefaultWorkerTest(parameterized.TestCase):

  @parameterized.parameters(
      ('aggregators', ''), ('ops', 'raise ValueError("A failing script.")')
  )
  def test_script_without_execution_context_leaves_no_worker(self, module, end):
    script = _SCRIPT.format(module=module, end=end)
    # The reader waits for the end of all who can write.
    output = subprocess.run(
        ['sh', '-c', '"$0" -c "$1" | cat', sys.executable, script],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        timeout=120,
    ).stdout
    result, pid = map(int, output.split())
    self.assertEqual(result, 2)
    self.assertFalse(psutil.pid_exists(pid))


if __name__ == '__main__':
  absltest.main()
