# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of launchers.published and of the tables."""

import fnmatch
import inspect
import json
import pathlib

from absl import flags
from absl.testing import absltest
from absl.testing import parameterized

from launchers import cli
from launchers import published
from launchers import train
from tasks import images
from tasks import models
from tasks import registry

_SIZES = {
    'fedbat_1': 4 * 3 * 2 * 7,
    'fedbat_2': 4 * 6,
    'fedbat_3': 4 * 5,
    'fedbat_5': 3 * 7,
    'fedbat_6': 4 * 3 * 3,
    'fedbif_1': 3 * 3 * 6,
    'fedbif_ablations': 3 * 10,
    'lpt_compression': 3,
    'lpt_fedavg': 4 * 3 * 2 * 3,
}


def setUpModule():
  if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()


def _settings(table, cell):
  (cell,) = published.load(table).select([cell])
  return train.read_settings(cell.flags)


class PublishedTest(parameterized.TestCase):

  def test_there_are_all_tables(self):
    self.assertCountEqual(published.names(), _SIZES)

  @parameterized.parameters(*_SIZES)
  def test_every_cell_can_be_trained(self, name):
    table = published.load(name)
    self.assertLen(table.cells, _SIZES[name])
    self.assertIn(table.score, ('best', 'last', 'mean_of_last_5'))
    commands = set()
    for cell in table.cells:
      with self.subTest(cell.name):
        self.assertLen(cell.name.split('/'), len(table.parts))
        self.assertNotEmpty(cell.notes)
        settings = train.read_settings(cell.flags)
        # Those that are never left to a default.
        given = {flag.lstrip('-').split('=')[0] for flag in cell.flags}
        self.assertContainsSubset(
            {
                'task', 'algorithm', 'partition', 'num_clients',
                'clients_per_round', 'rounds', 'local_epochs', 'batch_size',
                'learning_rate',
            },  # pyformat: disable
            given,
        )
        options = inspect.signature(
            registry._LOADERS[settings['task']]
        ).parameters
        for option, choices in (
            ('model', models.IMAGE_MODELS),
            ('normalization', images.NORMALIZATIONS),
            ('augment', (True,)),
        ):
          if settings[option] is not None:
            self.assertIn(option, options)
            self.assertIn(settings[option], choices)
      commands.add(cell.flags)
    self.assertLen(commands, len(table.cells), 'two cells have the same flags')

  @parameterized.parameters(*_SIZES)
  def test_every_setting_is_used_and_every_number_plausible(self, name):
    path = pathlib.Path(published.__file__).parent / 'tables' / f'{name}.json'
    contents = json.loads(path.read_text())
    for setting in contents['settings']:
      self.assertNotEmpty(
          fnmatch.filter(contents['published'], setting['cells']), setting
      )
    for cell in published.load(name).cells:
      self.assertTrue(cell.accuracy or cell.claim, cell.name)
      self.assertBetween(cell.accuracy or 50.0, 3.0, 93.0)
      self.assertBetween(cell.deviation or 0.1, 0.1, 2.0)
      self.assertBetween(cell.uplink_bits or 32.0, 1.0, 32.0)

  @parameterized.parameters(
      ('fedbat_1', 'fmnist/iid/30/fedavg', 92.5, 0.1),
      ('fedbat_1', 'svhn/niid2/100/stoc_signsgd', 84.8, 0.2),
      ('fedbat_1', 'cifar100/niid2/100/fedbat', 49.2, 0.6),
      ('fedbat_2', 'cifar100/rho=0', 41.2, None),
      ('fedbat_3', 'svhn/phi=0.7', 88.5, None),
      ('fedbat_5', 'cifar10/niid2/bifl', 25.1, None),
      ('fedbat_6', 'cifar100/niid1/signsgd', 34.2, None),
      ('fedbif_1', 'cifar10/dir0.1/signsgd_majority_vote', 52.9, 1.9),
      ('fedbif_ablations', 'cifar100/1of4', 50.2, 0.3),
      ('lpt_fedavg', 'cinic10/0.16/no_average/6', 39.3, None),
  )
  def test_numbers_are_those_of_the_papers(self, table, cell, mean, deviation):
    (cell,) = published.load(table).select([cell])
    self.assertEqual((cell.accuracy, cell.deviation), (mean, deviation))

  def test_ablations_repeat_the_numbers_of_the_tables(self):
    main = {c.name: c.accuracy for c in published.load('fedbat_1').cells}
    for table, default in ('fedbat_2', 'rho=6'), ('fedbat_3', 'phi=0.5'):
      for cell in published.load(table).select([f'*/{default}']):
        data_set = cell.name.split('/')[0]
        self.assertEqual(cell.accuracy, main[f'{data_set}/niid2/100/fedbat'])
        settings = train.read_settings(cell.flags)
        self.assertEqual(
            settings, _settings('fedbat_1', f'{data_set}/niid2/100/fedbat')
        )
    for cell in published.load('fedbat_5').select(
        ['*/fedavg', '*/signsgd', '*/fedbat']
    ):
      data_set, partition, algorithm = cell.name.split('/')
      twin = f'{data_set}/{partition}/100/{algorithm}'
      self.assertEqual(cell.accuracy, main[twin])
      self.assertEqual(
          train.read_settings(cell.flags), _settings('fedbat_1', twin)
      )

  def test_later_settings_override_earlier_ones(self):
    for data_set, beta, labels in ('svhn', 0.3, 3), ('cifar100', 0.1, 10):
      settings = _settings('fedbat_1', f'{data_set}/niid1/100/fedbat')
      self.assertEqual(settings['dirichlet_beta'], beta)
      settings = _settings('fedbat_1', f'{data_set}/niid2/100/fedbat')
      self.assertEqual(settings['labels_per_client'], labels)
    (cell,) = published.load('fedbat_1').select(['cifar100/niid1/30/fedavg'])
    self.assertIn('--dirichlet_beta=0.1', cell.flags)
    self.assertNotIn('--dirichlet_beta=0.3', cell.flags)

  def test_selects_by_patterns_in_the_order_of_the_table(self):
    table = published.load('fedbat_5')
    cells = table.select(['*/niid1/fedbat', '*/iid/fed*'])
    self.assertEqual(
        [cell.name for cell in cells],
        [
            'cifar10/iid/fedavg', 'cifar10/iid/fedpaq_3',
            'cifar10/iid/fedpaq_4', 'cifar10/iid/fedbat',
            'cifar10/niid1/fedbat',
        ],  # pyformat: disable
    )
    with self.assertRaisesRegex(
        cli.UsageError,
        '--cells=fmnist/[*] matches no cell of fedbat_5; they are data set/'
        'partition/algorithm, of cifar10 / iid,niid1,niid2 / fedavg,.*fedbat$',
    ):
      table.select(['*', 'fmnist/*'])


if __name__ == '__main__':
  absltest.main()
