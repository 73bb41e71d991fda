# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the analysis of run folders."""

import csv
import json
import pathlib
import shutil
import tempfile
from unittest import mock

from matplotlib import figure
import numpy as np
import tensorflow as tf

from tff_binary import analysis
from tff_binary import files
from tff_binary.programs import metrics
from tff_binary.programs import models
from tff_binary.programs import run_folder


def _model(last):
  model = tf.keras.Sequential([
      tf.keras.Input((2,)),
      tf.keras.layers.Dense(2, 'relu', name='first'),
      tf.keras.layers.Dense(2, use_bias=False, name='second'),
  ])
  model.set_weights(
      [np.diag([1.0, 2.0]), np.zeros(2), np.diag([last, 0.0])]
  )
  return model


class QuantitiesTest(tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))

  def _run(self, name, lasts=(), columns=(), model=None):
    """Makes a run of two rounds; models with `lasts` are kept."""
    path = self.path / name
    path.mkdir()
    history = metrics.History()
    for i in (1, 2):
      history.append({
          'round_num': i,
          'train_accuracy': 0.5,
          'test_accuracy': 0.5,
          **{column: value * i for column, value in dict(columns).items()},
      })
    history.write(path)
    (model or _model(4.0)).save(path / 'model.keras')
    for i, last in enumerate(lasts):
      models.KeptModels(path / 'models').save(_model(last), i)
    (path / 'result.json').write_text(
        json.dumps({'rounds': 2, 'model': 'model.keras'})
    )
    return path

  def test_quantities_of_kept_models(self):
    # The one after three rounds is left by a run that was longer once.
    done = analysis.analyze(self._run('a', lasts=(1.0, 0.0, 4.0, 9.0)))
    bounds = done.quantities['lipschitz_bound']
    self.assertAllClose(
        bounds, {(0, 'model'): 2.0, (1, 'model'): 0.0, (2, 'model'): 8.0}, 1e-4
    )
    self.assertEqual(
        done.quantities['sparsity'],
        {
            (i, name): zeros
            for i, second in enumerate((0.75, 1.0, 0.75))
            for name, zeros in (
                ('0 first/kernel', 0.5), ('2 second/kernel', second)
            )
        },
    )
    self.assertEmpty(done.notes)
    for i, last in enumerate((1.0, 0.0, 4.0)):
      edges, counts = done.histograms[i, '2 second/kernel']
      self.assertAllClose((edges[0], edges[-1]), (-4.0, 4.0))
      self.assertEqual(counts.sum(), 4)
      self.assertEqual(counts[50], 4 if last == 0.0 else 3)  # Zeros.
      bar = np.flatnonzero(counts)[-1]
      self.assertBetween(last, edges[bar], edges[bar + 1])

  def test_final_model_alone(self):
    done = analysis.analyze(self._run('a'))
    self.assertAllClose(
        done.quantities['lipschitz_bound'], {(2, 'model'): 8.0}, 1e-4
    )

  def test_columns_of_metrics(self):
    columns = {
        'train_update_error_2': 0.25,
        'train_flipped_bits_0': 0.01,
        'train_step_sizes': 7.0,  # None of ours.
        'sparsity': 0.3,
    }
    done = analysis.analyze(self._run('a', columns=columns))
    self.assertEqual(
        done.quantities['update_error'],
        {(1, '2 second/kernel'): 0.25, (2, '2 second/kernel'): 0.5},
    )
    self.assertEqual(
        done.quantities['flipped_bits'],
        {(1, '0 first/kernel'): 0.01, (2, '0 first/kernel'): 0.02},
    )
    self.assertNotIn('step_size', done.quantities)
    self.assertEqual(done.quantities['downlink_sparsity'][2, 'model'], 0.6)
    rows = {row[1]: row for row in analysis.summarize({'A': done})}
    self.assertEqual(
        rows['update_error'],
        ('A', 'update_error', '1..2', '0.25', '0.5', '0.25', '0.5',
         '2 second/kernel, round 2'),
    )
    self.assertEqual(rows['q'][3:7], ('0.5', '0.7071', '0.5', '0.7071'))

  def test_model_without_a_bound_is_said_and_the_rest_done(self):
    inputs = tf.keras.Input((2, 2))
    model = tf.keras.Model(inputs, tf.keras.layers.LSTM(2)(inputs))
    done = analysis.analyze(self._run('a', model=model))
    self.assertIn('no Lipschitz bound: lstm', done.notes[0])
    self.assertEqual(list(done.quantities), ['sparsity'])

  def test_model_of_unknown_code_is_said_and_the_rest_done(self):
    inputs = tf.keras.Input((2,))
    model = tf.keras.Model(
        inputs, tf.keras.layers.Lambda(lambda x: 2.0 * x)(inputs)
    )
    columns = {'train_step_size_0': 0.5}
    done = analysis.analyze(self._run('a', columns=columns, model=model))
    self.assertIn('no model to analyze: model.keras', done.notes[0])
    self.assertEqual(
        done.quantities, {'step_size': {(1, '0'): 0.5, (2, '0'): 1.0}}
    )

  def test_runs_no_code_that_a_model_holds(self):
    inputs = tf.keras.Input((2,))
    model = tf.keras.Model(
        inputs, tf.keras.layers.Lambda(lambda x: 2.0 * x)(inputs)
    )
    path = self._run('a', columns={'train_step_size_0': 0.5})
    model.save(path / 'model.h5')
    shutil.copy(path / 'model.h5', path / 'model.keras')
    shutil.copy(path / 'model.h5', self.path / 'model.keras')
    for name, reason in (
        ('model.keras', 'model.keras: it is not of the Keras format'),
        (
            'model.h5',
            'model.h5: only model.keras is read, others may hold code',
        ),
        ('../model.keras', '../model.keras: only model.keras'),
        ('model.weights.h5', 'model.weights.h5: only model.keras'),
        (1, '1: only model.keras'),
    ):
      (path / 'result.json').write_text(
          json.dumps({'rounds': 2, 'model': name})
      )
      with mock.patch.object(tf.keras.models, 'load_model') as load:
        done = analysis.analyze(path)
      load.assert_not_called()
      self.assertStartsWith(done.notes[0], f'no model to analyze: {reason}')
      self.assertEqual(list(done.quantities), ['step_size'])

  def test_a_model_without_kernels_has_no_series_of_them(self):
    model = tf.keras.Sequential(
        [tf.keras.Input((2,)), tf.keras.layers.ReLU()]
    )
    done = analysis.analyze(self._run('a', model=model))
    self.assertNotIn('sparsity', done.quantities)
    self.assertTrue(all(done.quantities.values()))
    self.assertEmpty(done.histograms)
    for file in analysis.write_csv({'A': done}, self.path):
      analysis.plot_quantity({'A': done}, file.stem, self.path / 'a.png')
    analysis.summarize({'A': done})

  def test_shows_labels_to_the_letter(self):
    runs = {
        '_a': analysis.analyze(self._run('a')),
        r'$\x$': analysis.analyze(self._run('b')),
    }
    png = self.path / 'a.png'
    with mock.patch.object(figure.Figure, 'savefig', autospec=True) as save:
      analysis.plot_quantity(runs, 'lipschitz_bound', png)
    (axes,) = save.call_args[0][0].axes
    self.assertLen(axes.get_legend().get_texts(), 2)
    for quantity in ('lipschitz_bound', 'sparsity'):
      analysis.plot_quantity(runs, quantity, png)
    analysis.plot_histograms(runs, png)

  def test_writes_files_and_pictures(self):
    done = {
        'A': analysis.analyze(
            self._run('a', (1.0, 2.0), {'train_step_size_0': 0.5})
        ),
        'B': analysis.analyze(self._run('b')),
    }
    written = analysis.write_csv(done, self.path)
    self.assertEqual(
        [file.name for file in written],
        ['lipschitz_bound.csv', 'sparsity.csv', 'step_size.csv',
         'histograms.csv'],
    )
    with open(written[2], newline='') as file:
      self.assertEqual(
          list(csv.reader(file)),
          [['run', 'round', 'tensor', 'step_size'],
           ['A', '1', '0 first/kernel', '0.5'],
           ['A', '2', '0 first/kernel', '1.0']],
      )
    png = self.path / 'a.png'
    for quantity in ('lipschitz_bound', 'sparsity', 'step_size'):
      analysis.plot_quantity(done, quantity, png)
      self.assertStartsWith(png.read_bytes(), b'\x89PNG\r\n')
      png.unlink()
    analysis.plot_histograms(done, png)
    self.assertStartsWith(png.read_bytes(), b'\x89PNG\r\n')

  def test_names_a_folder_without_a_finished_run(self):
    with self.assertRaisesRegex(
        run_folder.RunFolderError, f'{self.path} holds no finished run'
    ):
      analysis.analyze(self.path)

  def test_names_a_damaged_model(self):
    path = self._run('a', lasts=(1.0,))
    inputs = tf.keras.Input((2,))
    other = tf.keras.Model(inputs, tf.keras.layers.Dense(3)(inputs))
    models.KeptModels(path / 'models').save(other, 1)
    with self.assertRaisesRegex(files.DamagedFileError, 'round_1.npz'):
      analysis.analyze(path)
    shutil.copy(path / 'models/round_0.npz', path / 'models/round_1.npz')
    with self.assertRaisesRegex(
        files.DamagedFileError, 'round_1.npz .* it is not of this round'
    ):
      analysis.analyze(path)
    (path / 'model.keras').unlink()
    with self.assertRaisesRegex(files.DamagedFileError, 'keras.* is missing'):
      analysis.analyze(path)


if __name__ == '__main__':
  tf.test.main()
