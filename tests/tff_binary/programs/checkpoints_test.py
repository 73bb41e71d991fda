# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of checkpoints."""

import asyncio
import collections
import pathlib
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf

from tff_binary.programs import checkpoints


def _state(value):
  return collections.OrderedDict(
      weights=[np.full([3], value, np.float32)], round_num=np.int32(value)
  )


class CheckpointsTest(tf.test.TestCase):

  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.path = pathlib.Path(folder) / 'checkpoints'

  def test_starts_with_the_given_state(self):
    initial = _state(0)
    state, rounds = checkpoints.Checkpoints(self.path).load_latest(initial)
    self.assertIs(state, initial)
    self.assertEqual(rounds, 0)

  def test_loads_the_newest_of_few(self):
    saved = checkpoints.Checkpoints(self.path)
    for round_num in range(1, 12):
      saved.save(_state(round_num), round_num)
    self.assertLen(list(self.path.iterdir()), 2)
    state, rounds = checkpoints.Checkpoints(self.path).load_latest(_state(0))
    self.assertEqual(rounds, 11)
    self.assertAllEqual(state['weights'][0], [11.0, 11.0, 11.0])
    self.assertEqual(state['round_num'], 11)

  def test_survives_a_save_that_was_cut_off(self):
    saved = checkpoints.Checkpoints(self.path)
    saved.save(_state(1), 1)
    # The last step makes the checkpoint visible.
    with mock.patch.object(tf.io.gfile, 'rename', side_effect=SystemError):
      with self.assertRaises(SystemError):
        saved.save(_state(2), 2)
    self.assertLen(list(self.path.iterdir()), 2)
    saved = checkpoints.Checkpoints(self.path)
    self.assertEqual([p.name for p in self.path.iterdir()], ['round_1'])
    self.assertEqual(saved.load_latest(_state(0))[1], 1)
    saved.save(_state(2), 2)
    self.assertEqual(saved.load_latest(_state(0))[1], 2)

  def test_waits_inside_a_running_event_loop(self):
    async def notebook():
      return checkpoints.wait_for(asyncio.sleep(0, 'done'))

    self.assertEqual(asyncio.run(notebook()), 'done')


if __name__ == '__main__':
  tf.test.main()
