# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of training on a user's own data and model."""

import asyncio
import hashlib
import io
import json
import os
import pathlib
import tempfile
from unittest import mock

from absl.testing import parameterized
import numpy as np
import psutil
import tensorflow as tf
import tensorflow_federated as tff

from tests.tff_binary import tiny
from tff_binary import learning
from tff_binary import programs
from tff_binary.programs import checkpoints
from tff_binary.programs import metrics
from tff_binary.programs import training

_ROUNDS = 3
_TIMES = ('round_seconds', 'eval_seconds')


def _train(**kwargs):
  arguments = dict(
      model_fn=tiny.batch_norm_model,
      clients=[tiny.arrays(n, seed=n) for n in (20, 9, 1, 0)],
      test=tiny.arrays(30, seed=99),
      algorithm='fedbat',
      hyperparameters={'rho': 4.0},
      local_training=learning.LocalTraining(batch_size=8),
      rounds=_ROUNDS,
      clients_per_round=3,
      evaluate_every=2,
      progress=False,
  )
  return training.train(**{**arguments, **kwargs})


def _without_times(rows):
  return [{k: v for k, v in r.items() if k not in _TIMES} for r in rows]


def _num_workers():
  return sum(
      'tff_binary.runtime.worker' in child.cmdline()
      for child in psutil.Process().children()
  )


class TrainTest(tf.test.TestCase, parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls._folder = tempfile.TemporaryDirectory()
    cls.path = pathlib.Path(cls._folder.name) / 'run'
    cls.shown = io.StringIO()
    cls.num_workers = _num_workers()
    cls.result = _train(output_dir=str(cls.path), progress=cls.shown)

  @classmethod
  def tearDownClass(cls):
    cls._folder.cleanup()
    super().tearDownClass()

  def test_is_exported(self):
    self.assertIs(programs.train, training.train)

  def test_learns(self):
    self.assertLess(
        self.result.history[-1]['train_loss'],
        self.result.history[0]['train_loss'],
    )

  def test_returns_what_it_writes(self):
    self.assertEqual(metrics.read_history(self.path), self.result.history)
    summary = json.loads((self.path / 'result.json').read_text())
    self.assertEqual(summary, self.result.summary)
    self.assertEqual(summary['rounds'], _ROUNDS)
    features, _ = tiny.arrays(5)
    model = tf.keras.models.load_model(self.path / summary['model'])
    self.assertAllEqual(model(features), self.result.model(features))

  def test_digest_is_of_the_model_s_tensors_in_order(self):
    tensors = b''.join(w.tobytes() for w in self.result.model.get_weights())
    self.assertEqual(
        self.result.summary['weights_sha256'],
        hashlib.sha256(tensors).hexdigest(),
    )

  def test_evaluates_the_returned_model(self):
    features, labels = tiny.arrays(30, seed=99)
    predicted = np.argmax(self.result.model.predict(features, verbose=0), 1)
    self.assertAllClose(
        self.result.history[-1]['test_accuracy'], np.mean(predicted == labels)
    )

  def test_evaluates_as_often_as_asked_and_at_the_end(self):
    self.assertEqual(
        [row['test_accuracy'] is not None for row in self.result.history],
        [False, True, True],
    )

  def test_draws_the_clients_asked_for(self):
    for row in self.result.history:
      self.assertEqual(row['num_clients'], 3)

  def test_leaves_neither_worker_nor_client_data(self):
    self.assertEqual(_num_workers(), self.num_workers)
    self.assertFalse((self.path / 'client_data').exists())

  def test_writes_tensorboard_events(self):
    events = [
        tf.compat.v1.Event.FromString(record.numpy())
        for file in (self.path / 'tensorboard').iterdir()
        for record in tf.data.TFRecordDataset(str(file))
    ]
    tags = {(v.tag, e.step) for e in events for v in e.summary.value}
    self.assertIn(('train_loss', 1), tags)
    self.assertIn(('test_accuracy', _ROUNDS), tags)

  def test_shows_only_progress(self):
    lines = self.shown.getvalue().splitlines()
    self.assertLen(lines, _ROUNDS)
    self.assertTrue(all(line.startswith('round ') for line in lines))
    self.assertGreater((self.path / 'worker.log').stat().st_size, 0)

  def test_a_finished_run_is_not_repeated(self):
    shown = io.StringIO()
    with mock.patch.object(training, '_train_rounds') as train_rounds:
      result = _train(output_dir=str(self.path), progress=shown)
    train_rounds.assert_not_called()
    self.assertIn('all 3 rounds are done', shown.getvalue())
    self.assertEqual(result.summary, self.result.summary)
    self.assertEqual(result.history, self.result.history)
    self.assertAllEqual(
        result.model.get_weights()[0], self.result.model.get_weights()[0]
    )

  @parameterized.named_parameters(
      ('seed', dict(seed=7), 'seed was 0, now it is 7'),
      ('hyperparameter', dict(hyperparameters={'rho': 5}), 'rho was 4.0'),
      (
          'optimizer',
          dict(
              local_training=learning.LocalTraining(
                  batch_size=8,
                  optimizer=tff.learning.optimizers.build_sgdm(0.2),
              )
          ),
          'optimizer was .*0.1.*0.2',
      ),
      (
          'data',
          dict(clients=[tiny.arrays(n) for n in (20, 9, 1, 0)]),
          'clients_sha256 was',
      ),
      ('test_set', dict(test=None), 'test_sha256 was'),
      ('model', dict(model_fn=tiny.dense_model), 'initial_weights_sha256'),
      ('fewer_rounds', dict(rounds=2), 'rounds can only go up'),
  )
  def test_another_run_is_refused(self, change, message):
    with self.assertRaisesRegex(programs.RunFolderError, message):
      _train(output_dir=str(self.path), **change)

  def test_resumes_from_a_full_disk_between_row_and_checkpoint(self):
    path = self.path.with_name('full')
    save = checkpoints.Checkpoints.save

    def save_first(self, state, round_num):
      if round_num > 1:
        raise tf.errors.ResourceExhaustedError(
            None, None, 'x; No space left on device'
        )
      save(self, state, round_num)

    with mock.patch.object(checkpoints.Checkpoints, 'save', save_first):
      with self.assertRaisesRegex(
          programs.RunFolderError, f'disk is full: .* {path}'
      ):
        _train(output_dir=str(path))
    self.assertLen(metrics.read_history(path), 2)
    shown = io.StringIO()
    result = _train(output_dir=str(path), progress=shown)
    self.assertStartsWith(shown.getvalue(), 'resuming after round 1\n')
    self.assertEqual(
        _without_times(result.history), _without_times(self.result.history)
    )
    self.assertEqual(
        result.summary['weights_sha256'], self.result.summary['weights_sha256']
    )

  def test_counts_rounds_without_usable_clients_and_keeps_nothing(self):
    shown = io.StringIO()
    folder = self.enter_context(tempfile.TemporaryDirectory())

    async def notebook():  # Has an event loop that runs already.
      return _train(
          clients=[tiny.arrays(0)] * 3, rounds=2, progress=shown, seed=3
      )

    with mock.patch.object(tempfile, 'tempdir', folder):
      result = asyncio.run(notebook())
    self.assertEqual(os.listdir(folder), [])
    self.assertLen(result.history, 2)
    self.assertIn('warning: no client of round 2', shown.getvalue())
    for weights, initial in zip(
        result.model.get_weights(), tiny.batch_norm_model().get_weights()
    ):
      self.assertAllEqual(weights, initial)

  def test_shows_the_end_of_the_log_when_it_fails(self):
    shown = io.StringIO()

    def fail(*unused_args, **unused_kwargs):
      raise RuntimeError('failure')

    with mock.patch.object(training, '_train_rounds', fail):
      with mock.patch('sys.stderr', shown):
        with self.assertRaisesRegex(RuntimeError, 'failure'):
          _train()
    self.assertIn('The end of ', shown.getvalue())

  @parameterized.named_parameters(
      ('rounds', dict(rounds=0), 'rounds must be an integer >= 1, got 0'),
      ('round_type', dict(rounds=1.5), 'rounds .* got 1.5'),
      (
          'clients_per_round',
          dict(clients_per_round=5),
          r'clients_per_round must be an integer in \[1, 4\], got 5',
      ),
      ('no_clients', dict(clients=[]), 'number of clients .* got 0'),
      ('evaluate_every', dict(evaluate_every=0), 'evaluate_every .* got 0'),
      ('seed', dict(seed=-1), r'seed must be .* in \[0, 2147483647\], got -1'),
      ('runtime', dict(runtime='local'), "runtime must be a .* got 'local'"),
      ('algorithm', dict(algorithm='fed'), "algorithm must be .* got 'fed'"),
      (
          'hyperparameter',
          dict(hyperparameters={'rho': -1.0}),
          r'rho must be .* in \[0, 100\], got -1',
      ),
  )
  def test_bad_arguments(self, change, message):
    with self.assertRaisesRegex(ValueError, message):
      _train(**change)


class SaveModelTest(tf.test.TestCase):

  def test_keeps_at_least_the_weights(self):
    class Scale(tf.keras.layers.Layer):  # Without get_config.

      def __init__(self, factor):
        super().__init__()
        self.kernel = self.add_weight('kernel', [2])
        self.factor = factor

      def call(self, inputs):
        return inputs * self.factor * self.kernel

    build = lambda: tf.keras.Sequential([tf.keras.Input((2,)), Scale(2.0)])
    path = pathlib.Path(self.get_temp_dir())
    model, restored = build(), build()
    name = training._save_model(model, path)
    self.assertEqual([p.name for p in path.iterdir()], [name])
    restored.load_weights(path / name)
    self.assertAllEqual(restored.get_weights()[0], model.get_weights()[0])


if __name__ == '__main__':
  tf.test.main()
