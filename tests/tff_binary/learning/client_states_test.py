# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for client_states."""

import collections
import os
import shutil
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

  def _open(self, rounds=(), rounds_done=0):
    return learning.ClientStates(
        self.folder, lambda client_id: _state(-1.0), rounds, rounds_done
    )

  def _values(self, states, ids):
    return [float(states.load(i)[0]['b'][0]) for i in ids]

  def _files(self):
    return sorted(os.listdir(self.folder))

  def test_keeps_what_was_saved_and_nothing_else(self):
    states = self._open()
    states.save({2: _state(0.5), 7: _state(1.5)}, round_num=1)
    states.save({7: _state(2.5)}, round_num=2)
    self.assertEqual(self._values(states, [2, 7, 5]), [0.5, 2.5, -1.0])
    self.assertEqual(states.rounds, {'2': 1, '7': 2})
    loaded = states.load(7)
    self.assertIsInstance(loaded[0], collections.OrderedDict)
    self.assertEqual(list(loaded[0]), ['b', 'a'])
    self.assertEqual(loaded[0]['a'], 7)
    self.assertEqual(loaded[0]['a'].dtype, np.int32)
    self.assertEqual(loaded[1], ())
    self.assertEqual(
        self._values(self._open(states.rounds, 2), [2, 7, 5]), [0.5, 2.5, -1.0]
    )

  def test_takes_up_the_states_of_the_checkpoint(self):
    states = self._open()
    states.save({2: _state(0.5), 7: _state(1.5)}, round_num=1)
    rounds = dict(states.rounds)
    # Killed before the checkpoint of round 2: that round is run again.
    states.save({2: _state(9.5), 3: _state(9.5)}, round_num=2)
    states = self._open(rounds, rounds_done=1)
    self.assertEqual(self._values(states, [2, 3, 7]), [0.5, -1.0, 1.5])
    self.assertEqual(self._files(), ['2.1.npz', '7.1.npz'])

  def test_keeps_what_the_older_checkpoint_needs(self):
    states = self._open()
    rounds = {}
    for round_num, ids in enumerate([(2, 7), (2,), (7,), (2, 3)], start=1):
      states.save({i: _state(10 * round_num + i) for i in ids}, round_num)
      rounds[round_num] = dict(states.rounds)
      states.forget(oldest_round=max(1, round_num - 1))
      for start_again in (False, True):
        if start_again:
          # Killed between checkpoint and `forget`, or a moment later.
          states = self._open(rounds[round_num], round_num)
          states.forget(oldest_round=max(1, round_num - 1))
        # Either checkpoint can be gone on from.
        for kept in range(max(1, round_num - 1), round_num + 1):
          with tempfile.TemporaryDirectory() as copy:
            shutil.copytree(self.folder, copy, dirs_exist_ok=True)
            older = learning.ClientStates(
                copy, lambda i: _state(-1.0), rounds[kept], kept
            )
            for client, of_round in rounds[kept].items():
              self.assertEqual(
                  self._values(older, [client]), [10 * of_round + int(client)]
              )
    # Nothing that no checkpoint needs has stayed.
    self.assertEqual(
        self._files(), ['2.2.npz', '2.4.npz', '3.4.npz', '7.3.npz']
    )

  def test_a_killed_write_leaves_nothing(self):
    states = self._open()
    states.save({2: _state(0.5)}, round_num=1)
    with open(os.path.join(self.folder, '.tmp_2.2.npz'), 'wb') as file:
      file.write(b'PK half')
    states = self._open(states.rounds, rounds_done=2)
    self.assertEqual(self._values(states, [2]), [0.5])
    self.assertEqual(self._files(), ['2.1.npz'])

  def test_leaves_the_files_of_others(self):
    names = [
        'patients.csv', 'Ward.9.npz', 'a.b.9.npz', '2.npz', '.tmp_notes',
        '%1.9.npz',
    ]  # pyformat: disable
    for name in names:
      open(os.path.join(self.folder, name), 'w').close()
    os.mkdir(os.path.join(self.folder, 'more'))
    self._open()
    self.assertCountEqual(self._files(), [*names, 'more'])

  def test_a_lost_state_names_client_and_file(self):
    states = self._open()
    states.save({2: _state(0.5), 'Ä/b': _state(1.5)}, round_num=1)
    lost = {os.path.join(self.folder, f): None for f in self._files()}
    for path in lost:
      with open(path, 'rb') as file:
        lost[path] = file.read()
    messages = []
    for path, whole in lost.items():
      os.unlink(path)
      for read in (
          lambda: [states.load(i) for i in (2, 'Ä/b')],
          lambda: self._open(states.rounds, 1),
      ):
        with self.assertRaises(learning.ClientStateError) as caught:
          read()
        self.assertEqual(caught.exception.round_num, 1)
        messages.append(str(caught.exception))
        self.assertIn(path, messages[-1])
        self.assertEndsWith(messages[-1], 'it is missing')
      for contents in (b'', whole[:100], b'garbage'):
        with open(path, 'wb') as file:
          file.write(contents)
        with self.assertRaisesRegex(
            learning.ClientStateError, f'the state of client .*, {path} is dam'
        ):
          [states.load(i) for i in (2, 'Ä/b')]  # pylint: disable=expression-not-assigned
      with open(path, 'wb') as file:
        file.write(whole)
    self.assertEqual({m.split(',')[0] for m in messages}, {
        "the state of client '2'", "the state of client 'Ä/b'"})

  def test_a_state_in_the_place_of_another_is_damage(self):
    states = self._open()
    states.save({2: _state(0.5), 3: _state(1.5)}, round_num=1)
    shutil.copy(f'{self.folder}/2.1.npz', f'{self.folder}/3.1.npz')
    with self.assertRaisesRegex(
        learning.ClientStateError, "client '3', .* it is of client '2', round 1"
    ):
      states.load(3)

  def test_any_string_is_an_id(self):
    ids = [
        'a', 'A', 'a.1', 'a.1.npz', '..', '.', '', '/', 'a/b', '../a', 'ä', '%',
        'a\0b', 'a\nb', '*', '[a]', '\udc80', 300 * 'x', 300 * 'x' + 'y', '-1',
        'ROMEO', 'Romeo', 'ＲＯＭＥＯ', '.tmp_a',
    ]
    states = self._open()
    states.save({name: _state(i) for i, name in enumerate(ids)}, round_num=1)
    states.save({'a': _state(0)}, round_num=2)
    states = self._open(states.rounds, 2)
    self.assertEqual(self._values(states, ids), list(range(len(ids))))
    names = {name.lower() for name in self._files()}
    self.assertLen(names, len(ids) + 1)
    states.forget(2)
    self.assertLen(self._files(), len(ids))


if __name__ == '__main__':
  absltest.main()
