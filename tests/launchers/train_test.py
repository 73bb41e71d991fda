# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of launchers.train, for every registered algorithm."""

import dataclasses
import functools
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from unittest import mock

from absl import flags
from absl.testing import absltest
from absl.testing import flagsaver
from absl.testing import parameterized
import psutil
import tensorflow as tf

from launchers import cli
from launchers import train
import tasks
from tests.launchers import in_process
from tests.launchers import processes
from tests.tff_binary.runtime import worker_processes
from tff_binary import algorithms
from tff_binary.programs import metrics
from tff_binary.programs import run_folder
from tff_binary.programs import training

_TIMES = ('round_seconds', 'eval_seconds')

_SETTINGS = dict(
    task='digits',
    train_examples=120,
    num_clients=4,
    clients_per_round=2,
    local_epochs=1,
    batch_size=16,
    rounds=2,
    seed=3,
    runtime='local',  # Starts faster than the default.
)


# Three roles that say two lines each.
_PLAY = 'ANNE:\nA rose.\nNo.\n\nROMEO:\nAy me!\nOh.\n\nPUCK:\nI go.\nAha.\n'


# Of runs that several tests look at.
_folder = None


def setUpModule():
  global _folder
  _folder = tempfile.TemporaryDirectory()
  if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()


def tearDownModule():
  _folder.cleanup()


def _main(**settings):
  """Runs the launcher in this process; returns its standard output."""
  return in_process.train(**{**_SETTINGS, **settings})


@functools.lru_cache(maxsize=None)
def _trained(algorithm):
  """Returns the folder and the output of a run with `_SETTINGS`."""
  path = pathlib.Path(_folder.name) / algorithm
  return path, _main(algorithm=algorithm, output_dir=str(path))


def _start(**settings):
  """Starts the launcher with its output piped through `cat`."""
  launcher = processes.start(
      'train',
      *(f'--{k}={v}' for k, v in {**_SETTINGS, **settings}.items()),
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
  )
  cat = subprocess.Popen(
      ['cat'], stdin=launcher.stdout, stdout=subprocess.PIPE, text=True
  )
  launcher.stdout.close()  # Only `cat` reads it.
  return launcher, cat


def _wait_for_round(path, round_num, launcher):
  """Waits for a row of metrics.csv."""
  while len(metrics.read_history(path)) < round_num:
    assert launcher.poll() is None, 'The launcher has ended too early.'
    time.sleep(0.02)


def _outcome(path):
  """Returns all of a run that does not depend on the clock."""
  rows = [
      {k: v for k, v in row.items() if k not in _TIMES}
      for row in metrics.read_history(path)
  ]
  result = json.loads((path / 'result.json').read_text())
  return rows, result['weights_sha256']


class TrainTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.path = pathlib.Path(folder)

  @parameterized.parameters(algorithms.names())
  def test_trains(self, algorithm):
    path, out = _trained(algorithm)
    self.assertIn(algorithms.get(algorithm).title, out)
    self.assertLen(_outcome(path)[0], 2)
    config = json.loads((path / 'config.json').read_text())
    self.assertEqual(config['flags']['algorithm'], algorithm)
    self.assertEqual(config['flags']['learning_rate'], 0.1)

  # Without and with client states; algorithms_test has all algorithms.
  @parameterized.parameters('fedbat', 'fedbif')
  def test_same_seed_same_result(self, algorithm):
    _main(algorithm=algorithm, output_dir=str(self.path))
    self.assertEqual(_outcome(self.path), _outcome(_trained(algorithm)[0]))

  def test_killed_and_resumed_equals_uninterrupted(self):
    settings = dict(algorithm='fedbat', rounds=8, runtime='device')
    killed = self.path / 'killed'
    launcher, cat = _start(output_dir=str(killed), **settings)
    _wait_for_round(killed, 2, launcher)
    launcher.kill()
    # Ends as soon as no process holds the pipe: the worker is gone too.
    out, _ = cat.communicate(timeout=60)
    self.assertIn('round 1/8', out)
    self.assertEqual(launcher.wait(), -signal.SIGKILL)
    self.assertLess(len(metrics.read_history(killed)), 8)
    _main(output_dir=str(killed), **settings)
    _main(output_dir=str(self.path / 'whole'), **settings)
    self.assertEqual(_outcome(killed), _outcome(self.path / 'whole'))
    self.assertFalse((killed / 'client_data').exists())

  def test_ends_in_order_on_sigterm_and_keeps_others_out(self):
    path = self.path / 'run'
    launcher, cat = _start(output_dir=str(path), rounds=1000)
    _wait_for_round(path, 1, launcher)
    children = psutil.Process(launcher.pid).children()
    self.assertNotEmpty(children)
    with self.assertRaisesRegex(
        run_folder.RunFolderError, f'another process is training in {path}'
    ):
      _main(output_dir=str(path), rounds=1000)
    launcher.terminate()
    out, _ = cat.communicate(timeout=60)
    self.assertEqual(launcher.wait(), 128 + signal.SIGTERM)
    # Rounds, and one line at the end: no traceback, no chatter.
    *rounds, last = out.splitlines()
    self.assertTrue(all(line.startswith('round ') for line in rounds), out)
    self.assertRegex(last, r'^stopped after round \d+; run the same again')
    self.assertFalse((path / 'client_data').exists())
    for child in children:
      self.assertFalse(child.is_running())

  def test_refuses_a_changed_flag(self):
    _main(output_dir=str(self.path), rounds=1)
    for change, message in (
        (dict(learning_rate=0.2), r'--learning_rate was 0\.1, now it is 0\.2'),
        (dict(rho=5.0), r'--rho was 6\.0, now it is 5\.0'),
        (dict(algorithm='fedavg'), '--algorithm was "fedbat"'),
    ):
      with self.assertRaisesRegex(run_folder.RunFolderError, message):
        _main(output_dir=str(self.path), **{'rounds': 1, **change})
    # These do not change the result, and a finished run is not repeated.
    _main(output_dir=str(self.path), rounds=1, max_concurrent_clients=1, rho=6)

  def test_resumes_on_other_workers_to_the_same_bits(self):
    _main(output_dir=str(self.path / 'moved'), rounds=1)
    with worker_processes.cpp_workers(2) as workers:
      _main(
          output_dir=str(self.path / 'moved'), runtime='remote', workers=workers
      )
    self.assertEqual(
        _outcome(self.path / 'moved'), _outcome(_trained('fedbat')[0])
    )

  def test_stock_engine_gives_the_same_but_for_the_order_of_sums(self):
    with worker_processes.cpp_workers(2) as workers:
      _main(
          output_dir=str(self.path / 'tff'),
          algorithm='signsgd',
          runtime='remote',
          workers=workers,
          merge='tff',
      )
    rows, _ = _outcome(self.path / 'tff')
    for row, expected in zip(rows, _outcome(_trained('signsgd')[0])[0]):
      self.assertEqual(row.keys(), expected.keys())
      for name, value in row.items():
        self.assertAlmostEqual(value, expected[name], places=4)

  def test_default_folder_tells_runs_apart(self):
    with mock.patch.object(training, 'train', side_effect=NameError) as called:
      with self.assertRaises(NameError):
        _main(algorithm='fedavg')
    self.assertEqual(
        called.call_args.kwargs['output_dir'],
        'runs/digits_iid_4_fedavg_seed3',
    )

  def test_natural_clients_are_the_default_where_there_are_any(self):
    (self.path / 'shakespeare.txt').write_text(_PLAY)
    play = dict(
        task='shakespeare', data_dir=str(self.path), train_examples=None
    )
    for settings, partition, num_clients in (
        (dict(num_clients=None), 'natural', 3),
        (dict(num_clients=2), 'natural', 2),
        (dict(num_clients=3, partition='iid'), 'iid', 3),
        (dict(task='digits', num_clients=None), 'iid', 100),
    ):
      with mock.patch.object(
          training, 'train', side_effect=NameError
      ) as called:
        with self.assertRaises(NameError):
          _main(algorithm='fedavg', **{**play, **settings})
      arguments = called.call_args.kwargs
      task = settings.get('task', 'shakespeare')
      self.assertEqual(
          arguments['output_dir'],
          f'runs/{task}_{partition}_{num_clients}_fedavg_seed3',
      )
      self.assertEqual(arguments['flags']['partition'], partition)
      self.assertEqual(arguments['flags']['num_clients'], num_clients)
      self.assertLen(called.call_args.args[1], num_clients)
    out = _main(print_partition=True, num_clients=None, **play)
    self.assertEqual(
        [line.split()[:2] for line in out.splitlines()[1:4]],
        [['ANNE', '1'], ['ROMEO', '1'], ['PUCK', '1']],
    )
    for settings, message in (
        (dict(num_clients=4), r'^--num_clients must be .* \[1, 3\], got 4$'),
        (
            dict(num_clients=None, clients_per_round=4),
            r'^--clients_per_round must be in \[1, 3\], .* got 4$',
        ),
        (dict(partition='labels'), r'^--partition labels .* shape \[3, 80\]'),
    ):
      with self.assertRaisesRegex(cli.UsageError, message):
        _main(**{**play, **settings})

  def test_sequences_are_scored_without_their_padding(self):
    (self.path / 'shakespeare.txt').write_text(_PLAY)
    run = self.path / 'run'
    play = dict(task='shakespeare', data_dir=str(self.path), lstm_units=3)
    _main(
        algorithm='fedavg',
        output_dir=str(run),
        **{**play, 'train_examples': None, 'num_clients': None},
        learning_rate=1.0,
        kernel_initializer='kaiming',
    )
    task = tasks.load(**{'name': play.pop('task'), **play})
    model = tf.keras.models.load_model(run / 'model.keras')
    logits = model(task.preprocess_test(task.test_features))
    (accuracy,) = task.metrics_fn()
    accuracy.update_state(task.test_labels, logits)
    last = metrics.read_history(run)[-1]
    self.assertAlmostEqual(
        last['test_loss'], float(task.loss_fn()(task.test_labels, logits)), 4
    )
    self.assertAlmostEqual(
        last['test_accuracy'], float(accuracy.result()), places=6
    )
    self.assertIn('train_accuracy', last)

  def test_prints_and_plots_the_partition(self):
    png = self.path / 'partition.png'
    out = _main(print_partition=True, plot_partition=str(png))
    self.assertIn('examples', out)
    self.assertStartsWith(png.read_bytes(), b'\x89PNG')
    self.assertEqual(os.listdir(self.path), ['partition.png'])

  @parameterized.named_parameters(
      (
          'flag_of_another_algorithm',
          dict(algorithm='fedavg', rho=3.0),
          r'^--rho=3\.0 is a flag of fedbat, learned_ternary, not of'
          r' --algorithm=fedavg$',
      ),
      (
          'flag_of_another_partition',
          dict(dirichlet_beta=0.5),
          r'--dirichlet_beta=0\.5 is a flag of --partition=dirichlet',
      ),
      (
          'hyperparameter',
          dict(rho=float('nan')),
          r'^--rho must be a number in \[0, 100\], got nan$',
      ),
      (
          'clients_per_round',
          dict(clients_per_round=5),
          r'^--clients_per_round must be in \[1, 4\], .* got 5$',
      ),
      (
          'learning_rate',
          dict(learning_rate=0.0),
          '^--learning_rate must be a positive number, got 0.0$',
      ),
      (
          'server_learning_rate',
          dict(algorithm='signsgd_majority_vote', server_learning_rate=0.5),
          r'^--server_learning_rate=0\.5 is not for --algorithm=signsgd_maj',
      ),
      (
          'server_optimizer',
          dict(algorithm='fedpm', server_optimizer='adam'),
          r'^--server_optimizer=adam is not for --algorithm=fedpm',
      ),
      (
          'observe_updates',
          dict(algorithm='dadaquant', observe_updates=True),
          '^--observe_updates must be False with .* level schedule, got True: ',
      ),
      (
          'downlink_step_scale',
          dict(downlink_step_scale=0.5),
          r'^--downlink_step_scale=0\.5 needs downlink_bits in \[2, 16\], got',
      ),
      (
          'downlink_coding',
          dict(downlink_coding='differences', downlink_bits=8),
          r"^--downlink_coding='differences' needs downlink_bits in \[2, 4\],",
      ),
      (
          'downlink_difference_bits',
          dict(downlink_difference_bits=0.5),
          r"^--downlink_difference_bits=0\.5 needs downlink_coding='differenc",
      ),
      (
          'local_bits_of_sub_models',
          dict(algorithm='heterofl', local_bits=8),
          '^--local_bits must be 32 with .* sub-models, got 8$',
      ),
      (
          'optimizer_state_of_sub_models',
          dict(algorithm='splitmix', keep_optimizer_state=True),
          '^--keep_optimizer_state must be False with .* sub-models, got True$',
      ),
      (
          'natural_partition',
          dict(partition='natural'),
          r"^--partition \(of data without natural clients\) .*got 'natural'$",
      ),
      (
          'option_of_another_task',
          dict(lstm_units=4),
          '^--lstm_units is no option of the task digits$',
      ),
      ('task', dict(task='x'), "^--task must be one of .*digits, .* got 'x'$"),
      (
          'train_examples',
          dict(train_examples=10**6),
          r'^--train_examples must be .* got 1000000$',
      ),
      (
          'flag_of_another_runtime',
          dict(runtime='local', devices=['GPU:0']),
          '^--devices is for the runtime device, not for local; got',
      ),
      ('workers', dict(runtime='remote'), '^--workers must be at least one'),
      (
          'partition',
          dict(partition='labels', labels_per_client=11),
          r'^--labels_per_client must be .* got 11$',
      ),
  )
  def test_bad_values(self, settings, message):
    with self.assertRaisesRegex(cli.UsageError, message):
      _main(output_dir=str(self.path), **settings)


class CommandLineTest(parameterized.TestCase):

  @parameterized.parameters(
      ('--rho=-1', r'--rho=-1: it must be a number in \[0, 100\]'),
      ('--rho=abc', r'--rho=abc: it must be a number in \[0, 100\]'),
      ('--keep_models_every=-1', 'it must be an integer >= 0'),
      ('--rounds=0', '--rounds=0: it must be an integer >= 1'),
      ('--partition=x', '--partition=x: .*<iid|dirichlet'),
      ('--step_size=x', '--step_size=x: .*<learned|max_norm>'),
      ('--algorithm=x', '--algorithm=x: .*fedavg'),
      ('--round=3', "Unknown command line flag 'round'.*rounds"),
      ('--flagfile=/missing.flags', '/missing.flags'),
      ('--downlink_bits=20', r'it must be 32 or an integer in \[2, 16\]'),
      ('--downlink_step_scale=-1', r'it must be a number in \[0, 10000\]'),
      ('--downlink_coding=x', '--downlink_coding=x: .*packed'),
      ('x', "all arguments are flags, got 'x'"),
  )
  def test_answers_by_one_line(self, argument, message):
    status, out, err = processes.run('train', argument)
    self.assertEqual((status, out, err.count('\n')), (2, '', 1), err)
    self.assertRegex(err, message)

  def test_unreachable_worker_is_one_line(self):
    folder = self.enter_context(tempfile.TemporaryDirectory())
    status, out, err = processes.run(
        'train',
        *('--task=digits', '--algorithm=fedavg', f'--output_dir={folder}'),
        *('--runtime=remote', '--workers=localhost:1', '--worker_deadline=1'),
    )
    self.assertEqual((status, out, err.count('\n')), (1, '', 1), err)
    self.assertRegex(err, 'the worker localhost:1 cannot be reached')

  def test_what_the_stock_engine_cannot_run_is_one_line(self):
    folder = self.enter_context(tempfile.TemporaryDirectory())
    status, out, err = processes.run(
        'train',
        *('--task=digits', '--algorithm=ef_signsgd', f'--output_dir={folder}'),
        *('--runtime=remote', '--workers=localhost:1', '--merge=tff'),
    )
    self.assertEqual((status, out, err.count('\n')), (2, '', 1), err)
    self.assertRegex(err, '--merge must be in_order for ef_signsgd, whose cli')

  def test_checks_flags_before_it_imports_tensorflow(self):
    program = 'import sys, launchers.train; print("tensorflow" in sys.modules)'
    done = subprocess.run(
        [sys.executable, '-c', program],
        cwd=pathlib.Path(train.__file__).parents[1],
        capture_output=True,
        text=True,
    )
    self.assertEqual(done.stdout, 'False\n', done.stderr)

  def test_help_explains_every_hyperparameter(self):
    status, out, _ = processes.run('train', '--help')
    self.assertEqual(status, 0)
    self.assertIn('Trains a task by a federated algorithm.', out)
    text = ' '.join(out.split())
    self.assertIn('--rho: fedbat: pace at which', text)
    self.assertIn('6.0 if unset (eq. 10;', text)
    self.assertIn('(a number in [0, 100])', text)

  def test_flags_take_all_choices_of_every_algorithm(self):
    for name in algorithms.names():
      hyperparameters = algorithms.get(name).hyperparameters
      for field in dataclasses.fields(hyperparameters):
        for choice in field.metadata['constraint'].choices or ():
          with self.subTest(f'{name}: --{field.name}={choice}'):
            parse = flags.FLAGS[field.name].parser.parse
            self.assertEqual(parse(choice), choice)

  def test_settings_of_a_command_line_leave_the_flags_alone(self):
    before = flags.FLAGS.flag_values_dict()
    arguments = ['--algorithm=fedbat', '--rho=2', '--partition=labels']
    settings = train.read_settings(arguments)
    self.assertEqual(flags.FLAGS.flag_values_dict(), before)
    self.assertEqual(settings['rho'], 2.0)
    # What is not given has its default, if it is used at all.
    self.assertEqual(settings['warmup_ratio'], 0.5)
    self.assertEqual(settings['labels_per_client'], 3)
    self.assertNotIn('sigma', settings)
    with self.assertRaisesRegex(cli.UsageError, '--rho=2.0 is a flag of fedb'):
      train.read_settings(['--algorithm=fedavg', '--rho=2'])

  def test_settings_of_a_command_line_are_those_of_its_run(self):
    folder = self.enter_context(tempfile.TemporaryDirectory())
    _main(output_dir=folder, algorithm='fedpaq', bits=3, partition='labels')
    recorded = json.loads((pathlib.Path(folder) / 'config.json').read_text())
    arguments = [f'--{name}={value}' for name, value in _SETTINGS.items()]
    settings = train.read_settings([
        *arguments,
        *('--algorithm=fedpaq', '--bits=3', '--partition=labels'),
        f'--output_dir={folder}',
    ])
    self.assertEqual(settings, recorded['flags'])

  def test_flagfiles_of_baselines_differ_in_their_partition(self):
    folder = pathlib.Path(train.__file__).parent / 'flagfiles' / 'baselines'
    partitions, others = {}, []
    for file in sorted(folder.glob('*.flags')):
      with flagsaver.flagsaver():
        flags.FLAGS(['train', f'--flagfile={file}', '--algorithm=signsgd'])
        values = {f: flags.FLAGS[f].value for f in flags.FLAGS}
        train._read_partition_options()
      partitions[file.stem] = values.pop('partition')
      for name in ('dirichlet_beta', 'labels_per_client'):
        values.pop(name)
      others.append(values)
    self.assertEqual(
        partitions, {'iid': 'iid', 'niid1': 'dirichlet', 'niid2': 'labels'}
    )
    self.assertEqual(others[0]['rounds'], 25)
    for values in others[1:]:
      self.assertEqual(values, others[0])

  def test_flagfiles_of_fedbif_differ_in_what_their_names_say(self):
    folder = pathlib.Path(train.__file__).parent / 'flagfiles' / 'fedbif'
    partitions = {'iid': None, 'dir05': 0.5, 'dir01': 0.1}
    for file in sorted(folder.glob('*.flags')):
      with flagsaver.flagsaver():
        flags.FLAGS(['train', f'--flagfile={file}'])
        values = {f: flags.FLAGS[f].value for f in flags.FLAGS}
        train._read_hyperparameters()
        train._read_partition_options()
      algorithm, partition, *_ = file.stem.split('_')
      self.assertEqual(values['algorithm'], algorithm)
      self.assertEqual(values['dirichlet_beta'], partitions[partition])
      has_small_weights = algorithm == 'fedbif' and file.stem.endswith(
          ('later_code', 'small_weights')
      )
      self.assertEqual(
          values['kernel_initializer'],
          'paper' if has_small_weights else 'kaiming',
      )
      self.assertEqual(values['clients_per_round'], values['num_clients'])
      self.assertEqual(values['rounds'], 40)

  def test_flagfiles_of_shakespeare_differ_in_their_algorithm(self):
    folder = pathlib.Path(train.__file__).parent / 'flagfiles' / 'shakespeare'
    others = {}
    for file in sorted(folder.glob('*.flags')):
      with flagsaver.flagsaver():
        flags.FLAGS(['train', f'--flagfile={file}'])
        values = {f: flags.FLAGS[f].value for f in flags.FLAGS}
        train._read_hyperparameters()
      self.assertEqual(values.pop('algorithm'), file.stem)
      others[file.stem] = {
          name: value
          for name, value in values.items()
          if name not in train._HYPERPARAMETERS
      }
    self.assertEqual(
        sorted(others), ['ef_signsgd', 'fedavg', 'fedbat', 'fedbif']
    )
    self.assertEqual(others['fedavg']['task'], 'shakespeare')
    self.assertEqual(others['fedavg']['kernel_initializer'], 'kaiming')
    for values in others.values():
      self.assertEqual(values, others['fedavg'])


if __name__ == '__main__':
  absltest.main()
