# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of training on a user's own data and model."""

import asyncio
import gc
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import tempfile
from unittest import mock

from absl.testing import parameterized
import numpy as np
import psutil
import tensorflow as tf
import tensorflow_federated as tff

from tensorflow.python.eager import context
from tests.tff_binary import tiny
from tff_binary import learning
from tff_binary import programs
from tff_binary import runtime
from tff_binary.programs import checkpoints
from tff_binary.programs import metrics
from tff_binary.programs import models
from tff_binary.programs import training

_ROUNDS = 3
# TensorFlow takes such names for patterns.
_ODD_NAME = '-lr[0.1] *?{a,b}%20 \u00fc\'"\\$'
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
      runtime='current',
  )
  return training.train(**{**arguments, **kwargs})


def _relu_model():
  """`tiny.batch_norm_model` with another activation and the same weights."""
  return tf.keras.Sequential([
      tf.keras.layers.Activation('relu')
      if isinstance(layer, tf.keras.layers.Activation)
      else layer
      for layer in [tf.keras.Input((tiny.NUM_FEATURES,))]
      + tiny.batch_norm_model().layers
  ])


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
    # The worker of the other tests, so that it imports TensorFlow once.
    cls.enter_context(runtime.execution_context(runtime.Runtime('device')))
    cls.num_workers = _num_workers()
    cls.result = _train(
        output_dir=str(cls.path),
        progress=cls.shown,
        runtime=runtime.Runtime(),
    )

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

  def test_an_analysis_changes_no_bit_and_adds_what_it_says(self):
    path = self.path.parent / 'analyzed'
    assign = tff.learning.models.ModelWeights.assign_weights_to
    with mock.patch.object(
        tff.learning.models.ModelWeights,
        'assign_weights_to',
        autospec=True,
        side_effect=assign,
    ) as fetched:
      result = _train(
          output_dir=str(path), keep_models_every=2, observe_updates=True
      )
    # At the start and the end, and once in a round that keeps and evaluates.
    self.assertEqual(fetched.call_count, 4)
    for rows, others in zip(self.result.history, result.history):
      self.assertEqual(
          {k: v for k, v in rows.items() if k not in _TIMES},
          {k: v for k, v in others.items() if k in rows and k not in _TIMES},
      )
    self.assertEqual(
        self.result.summary['weights_sha256'], result.summary['weights_sha256']
    )
    # Kernels are the tensors 0 and 3.
    self.assertCountEqual(
        result.history[0].keys() - self.result.history[0].keys(),
        [
            f'train_{name}_{i}'
            for name in ('update_error', 'update_cosine', 'step_size')
            for i in (0, 3)
        ],
    )
    for row in result.history:
      for i in (0, 3):
        self.assertBetween(row[f'train_step_size_{i}'], 5e-4, 5e-2)
        self.assertBetween(row[f'train_update_cosine_{i}'], -1.0, 1.0)
    kept = models.KeptModels(path / 'models')
    self.assertEqual(kept.round_nums, [0, 2, 3])
    model = tiny.batch_norm_model()
    kept.load(model, 3)
    for w, v in zip(model.get_weights(), result.model.get_weights()):
      self.assertAllEqual(w, v)
    kept.load(model, 0)
    for w, v in zip(model.get_weights(), tiny.batch_norm_model().get_weights()):
      self.assertAllEqual(w, v)
    self.assertFalse((self.path / 'models').exists())

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
      (
          'labels_type',
          dict(
              clients=[
                  (x, y.view(np.uint32))
                  for x, y in (tiny.arrays(n, seed=n) for n in (20, 9, 1, 0))
              ]
          ),
          'client_element_spec was .*int32.*uint32',
      ),
      ('test_set', dict(test=None), 'test_sha256 was'),
      (
          'test_labels_type',
          dict(
              test=(
                  tiny.arrays(30, seed=99)[0],
                  tiny.arrays(30, seed=99)[1].view(np.uint32),
              )
          ),
          'test_spec was .*int32.*uint32',
      ),
      ('weights', dict(model_fn=tiny.dense_model), 'initial_weights_sha256'),
      ('activation', dict(model_fn=_relu_model), 'model was '),
      (
          'preprocess',
          dict(
              local_training=learning.LocalTraining(
                  batch_size=8, preprocess_fn=lambda x: x + 1.0
              )
          ),
          'preprocess_fn was null, now it is ".*lambda',
      ),
      (
          'augment',
          dict(
              local_training=learning.LocalTraining(
                  batch_size=8, augment_fn=lambda x, seed: x + 1.0
              )
          ),
          'augment_fn was null, now it is ".*lambda',
      ),
      (
          'preprocess_test',
          dict(preprocess_test_fn=lambda x: x + 1.0),
          'preprocess_test_fn was null, now it is ".*lambda',
      ),
      (
          'monitor',
          dict(monitor='test_loss'),
          'monitor was null, now it is "test_loss"',
      ),
      ('mode', dict(mode='min'), 'mode was null, now it is "min"'),
      (
          'loss',
          dict(loss_fn=lambda: 'sparse_categorical_crossentropy'),
          'loss_fn was null, now it is ".*lambda',
      ),
      ('metrics', dict(metrics_fn=list), 'metrics_fn was null, now it is '),
      ('downlink', dict(downlink_bits=8), 'downlink_bits was .* now it is 8;'),
      (
          'server_optimizer',
          dict(server_optimizer=tff.learning.optimizers.build_sgdm(0.5)),
          'server_optimizer was .* 0.5',
      ),
      (
          'wrap_aggregator',
          dict(wrap_aggregator=lambda f: f),
          'wrap_aggregator was .*lambda',
      ),
      (
          'is_compressed',
          dict(is_compressed=lambda spec: True),
          'is_compressed was .*lambda',
      ),
      ('fewer_rounds', dict(rounds=2), 'rounds can only go up'),
  )
  def test_another_run_is_refused(self, change, message):
    with self.assertRaisesRegex(programs.RunFolderError, message):
      _train(output_dir=str(self.path), **change)

  def test_leaves_the_folder_of_another_program_as_it_is(self):
    path = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    contents = {
        'config.json': '{"model_type": "bert"}',
        'checkpoints/mine.pt': 'weights',
        'client_data/patients.csv': 'data',
        'client_states/patients.csv': 'data',
    }
    for name, text in contents.items():
      (path / name).parent.mkdir(exist_ok=True)
      (path / name).write_text(text)
    with self.assertRaisesRegex(programs.RunFolderError, 'holds no run'):
      _train(output_dir=str(path))
    self.assertEqual(
        {
            str(p.relative_to(path)): p.read_text()
            for p in path.rglob('*')
            if p.is_file()
        },
        contents,
    )

  def test_resumes_a_run_of_a_version_with_fewer_settings(self):
    path = self._copy()
    config = json.loads((path / 'config.json').read_text())
    for name in ('client_element_spec', 'test_clients_details', 'test_spec'):
      del config['arguments'][name]
    (path / 'config.json').write_text(json.dumps(config))
    self.assertEqual(_train(output_dir=str(path)).summary, self.result.summary)

  def test_resumes_with_another_evaluation(self):
    path = str(self.path.with_name('evaluations'))
    _train(
        output_dir=path, rounds=1, evaluate_every=1, flags={'evaluate_every': 1}
    )
    result = _train(
        output_dir=path, evaluate_every=3, flags={'evaluate_every': 3}
    )
    for row, other in zip(result.history, self.result.history):
      for name, value in row.items():
        if 'test_' not in name and name not in _TIMES:
          self.assertEqual(value, other[name], name)
    self.assertEqual(
        result.summary['weights_sha256'], self.result.summary['weights_sha256']
    )
    first, none, last = (row['test_accuracy'] for row in result.history)
    self.assertIsNone(none)
    self.assertEqual(last, self.result.summary['last_test_accuracy'])
    self.assertEqual(
        [row['best_test_accuracy'] for row in result.history],
        [first, first, max(first, last)],
    )
    self.assertEqual(
        result.summary['best_test_accuracy'], max(first, last)
    )
    self.assertAlmostEqual(
        result.summary['mean_of_last_5_test_accuracy'], (first + last) / 2
    )

  def test_an_option_at_its_default_is_no_change(self):
    result = _train(
        output_dir=str(self.path),
        downlink_bits=32,
        server_optimizer=None,
    )
    self.assertEqual(result.summary, self.result.summary)

  def test_resumes_from_a_full_disk_in_a_folder_of_any_name(self):
    path = self.path.with_name(_ODD_NAME)
    save = checkpoints.Checkpoints.save

    def save_first(self, state, round_num, notes):
      if round_num > 1:
        raise tf.errors.ResourceExhaustedError(
            None, None, 'x; No space left on device'
        )
      save(self, state, round_num, notes)

    with mock.patch.object(checkpoints.Checkpoints, 'save', save_first):
      with self.assertRaisesRegex(
          programs.RunFolderError, f'disk is full: .* {re.escape(str(path))}'
      ):
        _train(output_dir=str(path))
    self.assertLen(metrics.read_history(path), 1)
    shown = io.StringIO()
    result = _train(output_dir=str(path), progress=shown)
    self.assertStartsWith(shown.getvalue(), 'resuming after round 1\n')
    self.assertEqual(
        _without_times(result.history), _without_times(self.result.history)
    )
    self.assertEqual(
        result.summary['weights_sha256'], self.result.summary['weights_sha256']
    )
    self.assertEqual(
        {p.name for p in path.iterdir()}, {p.name for p in self.path.iterdir()}
    )
    self.assertLen(list((path / 'tensorboard').iterdir()), 2)
    # What is finished is read from there as well.
    self.assertEqual(_train(output_dir=str(path)).summary, result.summary)

  def _copy(self):
    path = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    shutil.copytree(self.path, path, dirs_exist_ok=True)
    return path

  def _assert_like_before(self, result, path):
    self.assertEqual(
        _without_times(result.history), _without_times(self.result.history)
    )
    self.assertEqual(
        result.summary['weights_sha256'], self.result.summary['weights_sha256']
    )
    self.assertEqual(metrics.read_history(path), result.history)
    self.assertEqual(
        json.loads((path / 'result.json').read_text()), result.summary
    )

  def test_trains_a_damaged_folder_from_the_last_good_round(self):
    path = self._copy()
    for name in ('config.json', 'metrics.csv', 'result.json', 'model.keras',
                 'checkpoints/round_3.npz'):
      whole = (path / name).read_bytes()
      (path / name).write_bytes(whole[: len(whole) // 2])
    shown = io.StringIO()
    result = _train(output_dir=str(path), progress=shown)
    *said, resuming, last = shown.getvalue().splitlines()
    self.assertLen(said, 3)
    self.assertRegex(said[0], 'round_3.npz is damaged: .*; going back to round')
    self.assertRegex(said[1], 'config.json is damaged: .* from .*round_2.npz')
    self.assertRegex(said[2], 'result.json is damaged: .* from .*round_2.npz')
    self.assertEqual(resuming, 'resuming after round 2')
    self.assertStartsWith(last, 'round 3/3')
    self._assert_like_before(result, path)
    self.assertEqual(
        json.loads((path / 'config.json').read_text()),
        json.loads((self.path / 'config.json').read_text()),
    )

  def test_makes_the_result_again_from_the_last_checkpoint(self):
    path = self._copy()
    (path / 'model.keras').write_bytes(b'PK garbage')
    (path / 'metrics.csv').unlink()
    shown = io.StringIO()
    result = _train(output_dir=str(path), progress=shown)
    self.assertRegex(
        shown.getvalue(),
        'model.keras is damaged: .* it is made again from .*round_3.npz\n'
        'resuming after round 3\n$',
    )
    self.assertEqual(result.summary, self.result.summary)
    self._assert_like_before(result, path)
    # By the other tests it is whole and has the result's weights.
    self.assertEqual(_train(output_dir=str(path)).summary, result.summary)

  @parameterized.parameters(
      ('metrics.csv', 'cut', 'metrics.csv is damaged: '),
      ('metrics.csv', 'missing', 'metrics.csv is damaged: it is missing'),
      ('result.json', 'cut', 'result.json is damaged: .*restore it from a'),
      ('result.json', '"rounds": 3|"rounds": 3, "uplink_bytes": 1', None),
      ('result.json', '"uplink_bytes": |"uplink_bytes": 1', 'by the rounds'),
      ('model.keras', 'cut', 'model.keras is damaged: '),
      ('model.keras', 'missing', 'model.keras is damaged: '),
  )
  def test_never_believes_what_is_damaged(self, name, damage, message):
    path = self._copy()
    whole = (path / name).read_bytes()
    if damage == 'missing':
      (path / name).unlink()
    elif damage == 'cut':
      (path / name).write_bytes(whole[: len(whole) // 2])
    else:
      old, new = damage.encode().split(b'|')
      self.assertIn(old, whole)
      (path / name).write_bytes(whole.replace(old, new))
    # There is nothing to make it again from.
    shutil.rmtree(path / 'checkpoints')
    if message is None:  # The last of two equal names counts in JSON.
      self.assertEqual(
          _train(output_dir=str(path)).summary, self.result.summary
      )
      return
    with self.assertRaisesRegex(programs.RunFolderError, message) as caught:
      _train(output_dir=str(path))
    self.assertNotIn('\n', str(caught.exception))
    self.assertNotIn('delete', str(caught.exception))

  def test_writes_metrics_of_a_finished_run_from_its_checkpoint(self):
    path = self._copy()
    whole = (path / 'metrics.csv').read_text()
    with mock.patch.object(training, '_train_rounds') as train_rounds:
      for contents in ('', whole[: len(whole) // 2], whole.replace('3', '4')):
        (path / 'metrics.csv').write_text(contents)
        result = _train(output_dir=str(path))
        self.assertEqual((path / 'metrics.csv').read_text(), whole)
        self.assertEqual(result.history, self.result.history)
    train_rounds.assert_not_called()

  def test_leaves_neither_descriptor_nor_thread_nor_graph(self):
    def left():
      gc.collect()
      process = psutil.Process()
      return process.num_fds(), process.num_threads()

    def graphs():
      return {
          name for name in context.context().list_function_names()
          if not name.startswith('__wrapped__')  # Operations, eagerly.
      }

    before, graphs_before = left(), graphs()
    _train(rounds=1, clients_per_round=1, runtime=runtime.Runtime())
    self.assertEqual(left(), before)
    # A training has some 50. The evaluation's one waits for the next training.
    self.assertLessEqual(len(graphs() - graphs_before), 1)

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
    # A mean over nothing is no number.
    for row in result.history:
      self.assertIsNone(row['train_loss'])
      self.assertIsNone(row['train_accuracy'])
    self.assertNotIn('loss 0', shown.getvalue().split('accuracy')[0])
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
          _train(runtime=runtime.Runtime())
    self.assertIn('The end of ', shown.getvalue())

  @parameterized.named_parameters(
      ('rounds', dict(rounds=0), 'rounds must be an integer >= 1, got 0'),
      ('round_type', dict(rounds=1.5), 'rounds .* got 1.5'),
      (
          'clients_per_round',
          dict(clients_per_round=5),
          r'clients_per_round must be an integer in \[1, 4\], got 5',
      ),
      ('no_clients', dict(clients=[]), 'clients must hold at least one client'),
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

  def test_unknown_arguments(self):
    # One is a method's, which is no choice of the user's.
    for name in ('codec', 'downlinkbits'):
      with self.assertRaisesRegex(TypeError, f"unexpected .* '{name}'"):
        _train(**{name: 8})


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
