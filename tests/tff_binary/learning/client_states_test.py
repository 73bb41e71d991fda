# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for client_states."""

import collections
import os
import tempfile

from absl.testing import absltest
import numpy as np

from tff_binary import learning


def _state(value):
  return [collections.OrderedDict(b=np.float32([value]), a=np.int32(7)), ()]


class ClientStatesTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.folder = self.enter_context(tempfile.TemporaryDirectory())

  def _open(self, rounds_done=0):
    return learning.ClientStates(
        self.folder, lambda client_id: _state(-client_id), rounds_done
    )

  def _values(self, states, ids):
    return [float(states.load(i)[0]['b'][0]) for i in ids]

  def _files(self):
    return sorted(os.listdir(self.folder))

  def test_keeps_what_was_saved_and_nothing_else(self):
    states = self._open()
    states.save({2: _state(0.5), 7: _state(1.5)}, round_num=1)
    states.save({7: _state(2.5)}, round_num=2)
    self.assertEqual(self._values(states, [2, 7, 5]), [0.5, 2.5, -5.0])
    loaded = states.load(7)
    self.assertIsInstance(loaded[0], collections.OrderedDict)
    self.assertEqual(list(loaded[0]), ['b', 'a'])
    self.assertEqual(loaded[0]['a'], 7)
    self.assertEqual(loaded[0]['a'].dtype, np.int32)
    self.assertEqual(loaded[1], ())
    self.assertEqual(
        self._values(self._open(2), [2, 7, 5]), [0.5, 2.5, -5.0]
    )

  def test_takes_up_the_states_of_the_checkpoint(self):
    states = self._open()
    states.save({2: _state(0.5), 7: _state(1.5)}, round_num=1)
    states.forget()
    # Killed before the checkpoint of round 2: that round is run again.
    states.save({2: _state(9.5), 3: _state(9.5)}, round_num=2)
    states = self._open(rounds_done=1)
    self.assertEqual(self._values(states, [2, 3, 7]), [0.5, -3.0, 1.5])
    self.assertEqual(self._files(), ['2.1.npz', '7.1.npz'])

  def test_forgets_all_but_the_newest_after_the_checkpoint(self):
    states = self._open()
    states.save({2: _state(0.5), 7: _state(1.5)}, round_num=1)
    states.save({2: _state(2.5)}, round_num=2)
    self.assertEqual(self._files(), ['2.1.npz', '2.2.npz', '7.1.npz'])
    # Killed after the checkpoint: the next start has both.
    states = self._open(rounds_done=2)
    states.forget()
    self.assertEqual(self._files(), ['2.2.npz', '7.1.npz'])
    self.assertEqual(self._values(states, [2, 7]), [2.5, 1.5])

  def test_a_killed_write_leaves_nothing(self):
    self._open().save({2: _state(0.5)}, round_num=1)
    with open(os.path.join(self.folder, '2.2.tmp'), 'wb') as file:
      file.write(b'PK half')
    states = self._open(rounds_done=2)
    self.assertEqual(self._values(states, [2]), [0.5])
    self.assertEqual(self._files(), ['2.1.npz'])


if __name__ == '__main__':
  absltest.main()
