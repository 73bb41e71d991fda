# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the conversion and the checks of a user's data."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.learning import structures
from tff_binary.programs import inputs


class _Frame:
  """What pandas' data frames and series are to NumPy."""

  def __init__(self, values):
    self._values = values
    self.shape = np.shape(values)

  def __array__(self, dtype=None):
    return np.asarray(self._values, dtype)


def _model(width=2, units=3, activation=None):
  return tf.keras.Sequential([
      tf.keras.Input((width,)),
      tf.keras.layers.Dense(units, activation),
  ])


def _check(clients, model=None, **kwargs):
  ids, examples = inputs.as_clients(clients)
  named = list(zip(map(inputs.client_name, ids), examples))
  inputs.check_examples(model or _model(), named, **kwargs)


_FEATURES = [[0.5, 1.5], [2.5, 3.5], [4.5, np.nan]]
_LABELS = [0, 2, 1]


class InputsTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('lists', lambda x: x),
      ('arrays', np.asarray),
      ('big_endian', lambda x: np.asarray(x, '>f4')),
      ('tensors', tf.constant),
      ('frames', _Frame),
      ('booleans', lambda x: np.asarray(x) > 1),
  )
  def test_takes(self, convert):
    client = convert(_FEATURES), convert(_LABELS)
    ids, examples = inputs.as_clients([client, client])
    self.assertEqual(ids, [0, 1])
    for part, given in zip(examples[1], client):
      self.assertIsInstance(part, np.ndarray)
      self.assertAllEqual(part, np.asarray(given))
    self.assertAllEqual(inputs.as_test(client)[1], np.asarray(client[1]))
    _check([client, client])

  def test_takes_scalars_of_numpy_in_a_list(self):
    labels = [np.int64(label) for label in _LABELS]
    _, [(_, converted)] = inputs.as_clients([(_FEATURES, labels)])
    self.assertAllEqual(converted, _LABELS)

  def test_ids_are_the_keys_of_a_dict(self):
    clients = {key: (_FEATURES, _LABELS) for key in ('b', 'a')}
    ids, examples = inputs.as_clients(clients)
    self.assertEqual(ids, ['b', 'a'])
    self.assertLen(examples, 2)
    self.assertEqual(
        inputs.as_clients({np.int32(7): (_FEATURES, _LABELS)})[0], [7]
    )

  @parameterized.named_parameters(
      ('none', None, 'must be a list of clients or a dict.*got None'),
      ('empty', [], 'at least one client'),
      ('empty_dict', {}, 'at least one client'),
      ('id', {1.5: (_FEATURES, _LABELS)}, 'integers or strings, got 1.5'),
      (
          'array_as_client',
          (np.asarray(_FEATURES), np.asarray(_LABELS)),
          'Client 0 must be .features, labels.',
      ),
      (
          'number_of_labels',
          {'ann': (_FEATURES, _LABELS[:2])},
          r"Client 'ann' has features of shape \(3, 2\) and labels .*\(2,\)",
      ),
      (
          'width',
          {'ann': (_FEATURES, _LABELS), 'bob': ([[1.0]], [1])},
          r"features of client 'bob' are float64\[1\] an example, those of"
          r" client 'ann' float64\[2\]",
      ),
      ('objects', [([[{1}]], [1])], r'features of client 0 must be .*\{1\}'),
      ('nothing', [({}, [1])], 'features of client 0 are an empty structure'),
  )
  def test_refuses_clients(self, clients, message):
    with self.assertRaisesRegex(ValueError, message):
      inputs.as_clients(clients)

  def test_refuses_test(self):
    with self.assertRaisesRegex(ValueError, 'got 0 examples'):
      inputs.as_test((np.zeros([0, 2]), np.zeros([0])))
    with self.assertRaisesRegex(ValueError, 'Test has features of .* labels'):
      inputs.as_test((_FEATURES, [1]))

  @parameterized.named_parameters(
      ('negative', -1, r'in \[0, 3\), got -1 at \[1\]'),
      ('too_large', 3, r'in \[0, 3\), got 3 at \[1\]'),
      ('fraction', 0.5, r'in \[0, 3\), got 0.5 at \[1\]'),
      ('nan', np.nan, r'in \[0, 3\), got nan at \[1\]'),
      ('large_unsigned', np.uint64(2**63), r'in \[0, 3\), got 92233720368547'),
  )
  def test_refuses_label(self, label, message):
    labels = np.asarray([0, label], np.asarray(label).dtype)
    clients = {
        'empty': (np.zeros([0, 2]), labels[:0]),
        'ann': (np.zeros([2, 2]), np.zeros_like(labels)),
        'bob': (np.zeros([2, 2]), labels),
    }
    with self.assertRaisesRegex(
        ValueError, f"labels of client 'bob' must be integers {message}"
    ):
      _check(clients)
    # Other losses take any labels.
    _check(clients, _model(units=1), loss_fn=tf.keras.losses.MeanSquaredError)

  def test_refuses_strings_as_labels(self):
    with self.assertRaisesRegex(ValueError, r"in \[0, 3\), got 'cat'"):
      _check([([[1.0, 2.0]], ['cat'])])

  def test_refuses_features_that_do_not_fit_the_model(self):
    with self.assertRaisesRegex(
        ValueError,
        r'cannot take the examples of client 1 \(features float64\[2\], labels'
        r' int64\[\] an example\): .*expected shape=\(None, 4\), found',
    ):
      _check([(np.zeros([0, 2]), np.zeros([0], int)), (_FEATURES, _LABELS)],
             _model(4))  # pyformat: disable
    _check(
        [(_FEATURES, _LABELS)],
        _model(4),
        preprocess_fn=lambda x: tf.concat([x, x], 1),
    )

  def test_refuses_labels_that_do_not_fit_the_loss(self):
    with self.assertRaisesRegex(
        ValueError, r'cannot take the examples of client 0 .*labels float64\[4'
    ):
      _check(
          [(_FEATURES, np.zeros([3, 4]))],
          loss_fn=tf.keras.losses.MeanSquaredError,
      )

  def test_all_clients_may_be_empty(self):
    _check([(np.zeros([0, 2]), np.zeros([0], int))] * 2)


class StructuresTest(tf.test.TestCase):

  def test_order_is_that_of_nest(self):
    structure = {'b': [np.zeros(1), (np.ones(1),)], 'a': np.full(1, 2.0)}
    normal = structures.map_leaves(np.sum, structure)
    self.assertEqual(normal, {'a': 2.0, 'b': (0.0, (1.0,))})
    self.assertEqual(list(normal), ['a', 'b'])
    names, leaves = zip(*structures.named_leaves('x', structure))
    self.assertEqual(names, ("x['a']", "x['b'][0]", "x['b'][1][0]"))
    self.assertEqual(list(map(np.sum, leaves)), tf.nest.flatten(normal))


if __name__ == '__main__':
  tf.test.main()
