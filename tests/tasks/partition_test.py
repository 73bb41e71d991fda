# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for the partitions of examples among clients."""

import os
import tempfile
import warnings

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tasks import partition

# Balanced, in an order that does not depend on the class.
_CIFAR10_LABELS = np.tile(np.arange(10), 5000)
_CIFAR100_LABELS = np.tile(np.arange(100), 500)


def _sizes(parts):
  return np.array([len(part) for part in parts])


def _label_sets(labels, parts):
  return [tuple(np.unique(labels[part])) for part in parts]


class PartitionTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(
      name=partition.names(),
      shape=((1797, 1), (1797, 7), (1797, 30), (997, 10), (5000, 100)),
  )
  def test_every_example_belongs_to_one_client(self, name, shape):
    num_examples, num_clients = shape
    labels = np.random.RandomState(5).randint(3, size=num_examples)
    parts = partition.split(name, labels, num_clients, dirichlet_beta=1.0)
    self.assertLen(parts, num_clients)
    for part in parts:
      self.assertEqual(part.dtype, np.int64)
      self.assertEqual(part.ndim, 1)
    self.assertAllEqual(
        np.sort(np.concatenate(parts)), np.arange(num_examples)
    )

  @parameterized.parameters(*partition.names())
  def test_partition_is_a_function_of_the_seed(self, name):
    labels = _CIFAR10_LABELS[:5000]
    first, again, other = (
        partition.split(name, labels, 10, seed=seed) for seed in (1, 1, 2)
    )
    for a, b in zip(first, again):
      self.assertAllEqual(a, b)
    self.assertFalse(all(np.array_equal(a, b) for a, b in zip(first, other)))

  @parameterized.parameters(*partition.names())
  def test_does_not_touch_numpys_global_state(self, name):
    np.random.seed(3)
    expected = np.random.uniform()
    np.random.seed(3)
    partition.split(name, _CIFAR10_LABELS[:1000], 10)
    self.assertEqual(np.random.uniform(), expected)

  def test_natural_clients_are_taken_as_they_come(self):
    clients = {'b': np.array([3, 4]), 'c': np.array([0]), 'a': np.array([1])}
    labels = np.zeros([5, 7], int)
    for num_clients, expected in (
        (None, [[3, 4], [0], [1]]), (3, [[3, 4], [0], [1]]), (1, [[3, 4]])
    ):
      parts = partition.split(
          'natural', labels, num_clients, natural_clients=clients
      )
      self.assertEqual([part.tolist() for part in parts], expected)
    # They may be spread otherwise.
    parts = partition.split('iid', labels, 5, natural_clients=clients)
    self.assertAllEqual(_sizes(parts), [1] * 5)

  def test_natural_partition_needs_natural_clients(self):
    with self.assertRaisesRegex(
        ValueError,
        r"partition \(of data without natural clients\) .*, got 'natural'",
    ):
      partition.split('natural', _CIFAR10_LABELS, 2)
    for num_clients in (0, 2):
      with self.assertRaisesRegex(
          ValueError, rf'num_clients must be .* in \[1, 1\], got {num_clients}'
      ):
        partition.split(
            'natural', _CIFAR10_LABELS, num_clients, natural_clients={'a': [1]}
        )

  @parameterized.parameters(*partition.names())
  def test_only_iid_spreads_examples_of_many_labels(self, name):
    labels = np.random.RandomState(0).randint(3, size=[60, 8])
    if name == 'iid':
      self.assertAllEqual(_sizes(partition.split(name, labels, 3)), [20] * 3)
      return
    with self.assertRaisesRegex(
        ValueError, rf'partition {name} .* one for each.*\[60, 8\]'
    ):
      partition.split(name, labels, 3)

  def test_split_passes_its_options_on(self):
    labels = _CIFAR10_LABELS[:1000]
    for name, function, options in (
        ('iid', partition.iid, []),
        ('dirichlet', partition.dirichlet, [2.0]),
        ('dirichlet_balanced', partition.dirichlet_balanced, [2.0]),
        ('labels', partition.labels, [4]),
        ('labels_random', partition.labels_random, [4]),
    ):
      parts = partition.split(
          name, labels, 10, seed=7, dirichlet_beta=2.0, labels_per_client=4
      )
      for a, b in zip(parts, function(labels, 10, *options, seed=7)):
        self.assertAllEqual(a, b)

  @parameterized.named_parameters(
      ('name', {'name': 'shards'}, "iid, dirichlet, .*, got 'shards'"),
      ('no_clients', {'num_clients': 0}, r'num_clients .*\[1, 200\], got 0'),
      ('clients', {'num_clients': 201}, r'num_clients .*\[1, 200\], got 201'),
      ('seed', {'seed': -1}, 'seed must be an integer in .*, got -1'),
      (
          'dirichlet_clients',
          {'name': 'dirichlet', 'num_clients': 21},
          r'num_clients .*\[1, 20\], got 21',
      ),
      (
          'beta',
          {'name': 'dirichlet', 'dirichlet_beta': 0.0},
          'beta must be positive and finite, got 0.0',
      ),
      (
          'nan_beta',
          {'name': 'dirichlet', 'dirichlet_beta': float('nan')},
          'beta must be positive and finite, got nan',
      ),
      (
          'labels_per_client',
          {'name': 'labels', 'labels_per_client': 11},
          r'labels_per_client .*\[1, 10\], got 11',
      ),
      (
          'no_labels_per_client',
          {'name': 'labels_random', 'labels_per_client': 0},
          r'labels_per_client .*\[1, 10\], got 0',
      ),
      (
          'too_few_holders',
          {'name': 'labels', 'num_clients': 3},
          r'number of labels, 10, .*got 3 \* 3',
      ),
      (
          'too_few_random_holders',
          {'name': 'labels_random', 'num_clients': 3},
          r'number of labels, 10, .*got 3 \* 3',
      ),
  )
  def test_refuses(self, arguments, message):
    arguments = {'name': 'iid', 'num_clients': 10, **arguments}
    with self.assertRaisesRegex(ValueError, message):
      partition.split(labels=_CIFAR10_LABELS[:200], **arguments)


class IidTest(tf.test.TestCase):

  def test_sizes_differ_by_at_most_one(self):
    sizes = _sizes(partition.iid(_CIFAR10_LABELS, 30, seed=1234))
    self.assertAllInSet(sizes, [1666, 1667])

  def test_examples_are_dealt_at_random(self):
    labels = np.repeat(np.arange(10), 1000)
    counts = partition.label_counts(
        labels, partition.iid(labels, 10, seed=1234), 10
    )
    # Hypergeometric with mean 100 and standard deviation 9.
    self.assertAllInRange(counts, 55, 145)


class DirichletTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('cifar10', _CIFAR10_LABELS, 0.3, [89, 508.5, 1648], 8),
      ('cifar100', _CIFAR100_LABELS, 0.1, [162, 510.5, 690], 31),
  )
  def test_reproduces_the_papers_partition(
      self, labels, beta, size_quantiles, median_labels
  ):
    parts = partition.dirichlet(labels, 100, beta, seed=1234)
    self.assertAllEqual(
        np.quantile(_sizes(parts), [0.0, 0.5, 1.0]), size_quantiles
    )
    num_labels = [len(held) for held in _label_sets(labels, parts)]
    self.assertEqual(np.median(num_labels), median_labels)

  def test_redraws_until_every_client_holds_ten_examples(self):
    labels = _CIFAR10_LABELS[:1500]
    redrawn = 0
    for seed in range(10):
      first = partition._draw_dirichlet(
          labels, 50, 0.3, np.random.RandomState(seed)
      )
      redrawn += min(_sizes(first)) < 10
      parts = partition.dirichlet(labels, 50, 0.3, seed)
      self.assertGreaterEqual(min(_sizes(parts)), 10)
    self.assertGreater(redrawn, 0)

  def test_large_beta_approaches_equal_parts(self):
    labels = np.repeat(np.arange(10), 1000)
    counts = partition.label_counts(
        labels, partition.dirichlet(labels, 10, 1e6, seed=1), 10
    )
    self.assertAllInRange(counts, 95, 105)

  def test_clients_examples_are_shuffled(self):
    labels = np.repeat(np.arange(10), 100)
    for part in partition.dirichlet(labels, 5, 1.0, seed=1):
      self.assertNotAllEqual(labels[part], np.sort(labels[part]))

  # Shares of the smaller beta underflow to 0 / 0.
  @parameterized.parameters(0.01, 1e-9)
  def test_gives_up_with_a_clear_error(self, beta):
    self.enter_context(warnings.catch_warnings())
    warnings.simplefilter('error')
    with self.assertRaisesRegex(ValueError, 'larger beta or fewer clients'):
      partition.dirichlet(_CIFAR10_LABELS[:1000], 50, beta, seed=1)

  def test_too_few_examples_for_any_client(self):
    with self.assertRaisesRegex(ValueError, 'at least 10 examples, got 9'):
      partition.dirichlet(np.zeros(9, int), 1, 0.3, seed=1)


class DirichletBalancedTest(tf.test.TestCase, parameterized.TestCase):

  # The same medians with the seeds 1, 2, 3 and 1234.
  @parameterized.parameters((0.01, 2), (0.04, 3), (0.16, 7))
  def test_clients_are_as_large_but_differ_in_their_labels(self, beta, median):
    labels = np.tile(np.arange(10), 6000)
    parts = partition.dirichlet_balanced(labels, 80, beta, seed=4)
    # 750 and, since counts are whole, one for each label at most on the way.
    self.assertAllInRange(_sizes(parts), 740, 760)
    num_labels = [len(held) for held in _label_sets(labels, parts)]
    self.assertEqual(np.median(num_labels), median)

  def test_is_doubly_stochastic_by_hand(self):
    # The shares p of two classes among two clients have the odds ratio of the
    # drawn ones, which scaling keeps, and equal sums: p / (1 - p) is its root.
    shares = np.random.RandomState(5).dirichlet([1.0, 1.0], 2)
    root = np.sqrt(
        shares[0, 0] * shares[1, 1] / (shares[0, 1] * shares[1, 0])
    )
    labels = np.repeat([3, 8], 10_000)
    parts = partition.dirichlet_balanced(labels, 2, 1.0, seed=5)
    counts = [np.sum(labels[part] == 3) for part in parts]
    self.assertAllClose(counts[0], 10_000 * root / (1 + root), atol=2)

  def test_classes_of_other_sizes(self):
    labels = np.repeat(np.arange(4), [4000, 2000, 1000, 1000])
    parts = partition.dirichlet_balanced(labels, 10, 0.3, seed=1)
    self.assertAllInRange(_sizes(parts), 796, 804)

  def test_shares_that_underflow(self):
    self.enter_context(warnings.catch_warnings())
    warnings.simplefilter('error')
    with self.assertRaisesRegex(ValueError, 'underflow with beta 1e-09'):
      partition.dirichlet_balanced(_CIFAR10_LABELS, 50, 1e-9, seed=1)


class LabelsTest(tf.test.TestCase):

  def test_repeats_ten_label_sets_of_equal_size(self):
    parts = partition.labels(_CIFAR10_LABELS, 100, 3, seed=1234)
    sets = _label_sets(_CIFAR10_LABELS, parts)
    self.assertEqual(
        sets[:4], [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 1, 9)]
    )
    self.assertLen(set(sets), 10)
    self.assertEqual(sets, sets[:10] * 10)
    self.assertAllInRange(_sizes(parts), 498, 501)

  def test_cifar100_has_ten_disjoint_blocks(self):
    parts = partition.labels(_CIFAR100_LABELS, 100, 10, seed=1234)
    sets = set(_label_sets(_CIFAR100_LABELS, parts))
    self.assertEqual(
        sets, {tuple(range(i, i + 10)) for i in range(0, 100, 10)}
    )

  def test_class_is_split_at_random_and_equally(self):
    labels = np.zeros(90, int)
    parts = partition.labels(labels, 4, 1, seed=1)
    self.assertAllEqual(_sizes(parts), [23, 23, 22, 22])
    self.assertNotAllEqual(parts[0], np.sort(parts[0]))

  def test_absent_labels_are_not_given_out(self):
    labels = np.repeat([2, 5, 7], 20)
    sets = _label_sets(labels, partition.labels(labels, 3, 2, seed=1))
    self.assertEqual(sets, [(2, 5), (2, 7), (5, 7)])


class LabelsRandomTest(tf.test.TestCase, parameterized.TestCase):

  def test_every_client_holds_k_labels_drawn_at_random(self):
    parts = partition.labels_random(_CIFAR10_LABELS, 100, 3, seed=1234)
    sets = _label_sets(_CIFAR10_LABELS, parts)
    for held in sets:
      self.assertLen(held, 3)
    # 100 draws out of 120 sets: about 68 distinct ones.
    self.assertGreater(len(set(sets)), 50)

  # Without repair the last one would succeed in 1 of 2,700 draws.
  @parameterized.parameters((5, 3), (4, 3), (10, 1))
  def test_every_label_is_held(self, num_clients, labels_per_client):
    labels = _CIFAR10_LABELS[:1000]
    for seed in range(20):
      parts = partition.labels_random(
          labels, num_clients, labels_per_client, seed
      )
      sets = _label_sets(labels, parts)
      self.assertEqual({len(held) for held in sets}, {labels_per_client})
      self.assertLen(set().union(*sets), 10)

  def test_labels_are_equally_likely(self):
    labels = _CIFAR10_LABELS[:1000]
    holders = np.zeros(10)
    for seed in range(200):
      parts = partition.labels_random(labels, 10, 3, seed)
      holders += (partition.label_counts(labels, parts, 10) > 0).sum(axis=0)
    # Binomial with mean 600 and standard deviation below 21.
    self.assertAllInRange(holders, 500, 700)


class ReportTest(tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.labels = np.array([0, 1, 2, 0, 1, 0])
    self.parts = [np.array([0, 3, 1]), np.array([], int), np.array([2, 4, 5])]

  def test_label_counts(self):
    counts = partition.label_counts(self.labels, self.parts, 4)
    self.assertEqual(counts.dtype, np.int64)
    self.assertAllEqual(counts, [[2, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0]])

  def test_describe_shows_clients_and_their_quantiles(self):
    table = partition.describe(self.labels, self.parts, 3)
    self.assertEqual(
        [line.split() for line in table.splitlines()],
        [
            ['client', 'examples', 'labels', '0', '1', '2'],
            ['0', '3', '2', '2', '1', '0'],
            ['1', '0', '0', '0', '0', '0'],
            ['2', '3', '3', '1', '1', '1'],
            ['min', '0', '0', '0', '0', '0'],
            ['median', '3', '2', '1', '1', '0'],
            ['max', '3', '3', '2', '1', '1'],
        ],
    )
    self.assertLen({len(line) for line in table.splitlines()}, 1)

  def test_describe_is_compact_for_many_clients_and_classes(self):
    parts = partition.iid(_CIFAR100_LABELS, 100, seed=1)
    lines = partition.describe(_CIFAR100_LABELS, parts, 100).splitlines()
    self.assertLen(lines, 1 + 20 + 1 + 3)
    self.assertLess(max(map(len, lines)), 80)
    clients = [line.split()[0] for line in lines]
    self.assertEqual(clients[10:13], ['9', '...', '90'])

  def test_describe_counts_the_labels_of_sequences_and_names_clients(self):
    labels = np.array([[0, 1], [1, 1], [2, 1]])
    parts = [np.array([0, 2]), np.array([1])]
    table = partition.describe(
        labels, parts, 3, names=['Romeo', 'ANNE', 'not taken']
    )
    self.assertEqual(
        [line.split() for line in table.splitlines()[:3]],
        [
            ['client', 'examples', 'labels', '0', '1', '2'],
            ['Romeo', '2', '3', '1', '2', '1'],
            ['ANNE', '1', '1', '0', '2', '0'],
        ],
    )

  def test_plot_writes_a_png(self):
    folder = self.enter_context(tempfile.TemporaryDirectory())
    path = os.path.join(folder, 'clients.png')
    partition.plot(self.labels, self.parts, 3, path)
    with open(path, 'rb') as file:
      image = tf.io.decode_png(file.read())
    self.assertEqual(image.shape, [480, 1200, 4])
    # Three colors beside the white background and the black text.
    colors = np.unique(image.numpy().reshape(-1, 4), axis=0)
    self.assertGreater(len(colors), 5)


if __name__ == '__main__':
  tf.test.main()
