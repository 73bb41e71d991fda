# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of training with clients that keep a state."""

import pathlib
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf

from tests.tff_binary import tiny
from tff_binary import learning
from tff_binary import runtime
from tff_binary.programs import checkpoints
from tff_binary.programs import run_folder
from tff_binary.programs import training

_TIMES = ('round_seconds', 'eval_seconds')


class _Killed(Exception):
  pass


def _train(output_dir):
  return training.train(
      tiny.batch_norm_model,
      [tiny.arrays(n, seed=n) for n in (20, 9, 1, 0)],
      test=tiny.arrays(30, seed=99),
      algorithm='fedbif',
      local_training=learning.LocalTraining(batch_size=8),
      rounds=3,
      clients_per_round=2,
      output_dir=str(output_dir),
      progress=False,
      runtime='current',
  )


def _client_states(path):
  """Returns the arrays of the newest file of each client."""
  states = {}
  rounds = {}
  for file in (path / 'client_states').iterdir():
    client_id, round_num, _ = file.name.split('.')
    rounds.setdefault(int(client_id), []).append(int(round_num))
  for client_id, numbers in rounds.items():
    file = path / 'client_states' / f'{client_id}.{max(numbers)}.npz'
    with np.load(file) as arrays:
      states[client_id] = [arrays[name] for name in arrays.files[1:-1]]
  return states


class StatefulTrainingTest(tf.test.TestCase):

  def test_killed_and_resumed_run_equals_an_uninterrupted_one(self):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    # One worker, which imports TensorFlow once, for all.
    self.enter_context(runtime.execution_context(runtime.Runtime('device')))
    whole = _train(folder / 'whole')

    save = checkpoints.Checkpoints.save

    def save_or_die(saved, state, round_num, notes):
      # The clients' new states are on disk, the server's is not.
      if round_num == 2:
        raise _Killed()
      save(saved, state, round_num, notes)

    path = folder / 'killed'
    with mock.patch.object(checkpoints.Checkpoints, 'save', save_or_die):
      with self.assertRaises(_Killed):
        _train(path)
    resumed = _train(path)
    self.assertEqual(
        resumed.summary['weights_sha256'], whole.summary['weights_sha256']
    )
    for row, expected in zip(resumed.history, whole.history):
      for name in row.keys() - set(_TIMES):
        self.assertEqual(row[name], expected[name])
    states = _client_states(path)
    self.assertEqual(states.keys(), _client_states(folder / 'whole').keys())
    for client_id, expected in _client_states(folder / 'whole').items():
      for array, other in zip(states[client_id], expected):
        self.assertAllEqual(array, other)

    # A client's state is lost.
    (path / 'result.json').unlink()
    lost = next((path / 'client_states').glob('*.3.npz'))
    contents = lost.read_bytes()
    lost.unlink()
    with self.assertRaisesRegex(
        run_folder.RunFolderError,
        rf"^the state of client '\d', {lost} is damaged: it is missing;"
        rf' restore it .* move {path}/checkpoints/round_3.npz away to go back'
        ' to round 2$',
    ):
      _train(path)
    # What the message says helps: the checkpoint before is a whole one.
    newest = path / 'checkpoints' / 'round_3.npz'
    newest.rename(folder / 'away')
    again = _train(path)
    self.assertEqual(
        again.summary['weights_sha256'], whole.summary['weights_sha256']
    )
    self.assertEqual(lost.read_bytes(), contents)


if __name__ == '__main__':
  tf.test.main()
