# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests that memory does not grow with the rounds."""

import subprocess
import sys

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from benchmarks import round_memory


class RoundMemoryTest(parameterized.TestCase):

  def test_slope_is_that_of_the_second_half_without_dips(self):
    rounds = np.arange(100.0)
    start_up = 1e6 * np.minimum(rounds, 30.0)
    dips = np.where(rounds % 20 > 16, -1e8, 0.0)
    rows = np.stack([start_up + 2e3 * rounds, start_up], axis=1) + dips[:, None]
    np.testing.assert_allclose(round_memory.slopes(rows), [2e3, 0.0], atol=1e-3)

  def test_a_round_leaves_no_copy_of_the_kernels(self):
    # FedBiF's clients have states, which launcher and worker pass on. The heap
    # of either goes up and down by 5 MB; half a copy in each of the last 60
    # rounds would be 17.
    output = subprocess.run(
        [sys.executable, '-m', 'benchmarks.round_memory', '--rounds=120',
         '--algorithms=fedbif'],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    _, _, launcher_slope, _, worker_slope, copy = output.splitlines()[1].split()
    self.assertLess(float(launcher_slope), float(copy) / 2)
    self.assertLess(float(worker_slope), float(copy) / 2)


if __name__ == '__main__':
  tf.test.main()
