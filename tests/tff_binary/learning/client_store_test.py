# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for client_store."""

import pathlib
import tempfile

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import learning


def _clients(features_dtype, labels_dtype, shape=(2, 3), sizes=(3, 0, 1)):
  random = np.random.RandomState(0)
  return [
      (
          random.randint(100, size=(n, *shape)).astype(features_dtype),
          random.randint(10, size=n).astype(labels_dtype),
      )
      for n in sizes
  ]


class ClientStoreTest(tf.test.TestCase, parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self._folder = self.enter_context(tempfile.TemporaryDirectory())

  @parameterized.parameters(
      (np.uint8, np.int32), (np.float32, np.int64), (np.int16, np.float32)
  )
  def test_reads_what_was_written(self, features_dtype, labels_dtype):
    clients = _clients(features_dtype, labels_dtype)
    store = learning.ClientStore.write(self._folder, clients)
    self.assertEqual(store.num_clients, 3)
    self.assertEqual(store.num_examples, [3, 0, 1])
    # Runs in TFF's worker, as in training.
    for client_id, (features, labels) in enumerate(clients):
      (element,) = list(store.dataset_computation(client_id))
      self.assertEqual(element['client_id'], client_id)
      self.assertAllEqual(element['features'], features)
      self.assertAllEqual(element['labels'], labels)
      self.assertEqual(element['features'].dtype, features_dtype)
      self.assertEqual(element['labels'].dtype, labels_dtype)

  def test_reads_every_dtype_in_every_byte_order(self):
    # One structure with a leaf for each, so that TFF's worker runs once.
    numbers = np.arange(-3, 3).reshape(3, 2)
    features = {
        f'{order}{kind}': numbers.astype(f'{order}{kind}')
        for order in '<>'
        for kind in ('i2', 'i4', 'i8', 'u2', 'u4', 'u8', 'f2', 'f4', 'f8')
    }
    features['|i1'] = numbers.astype(np.int8)
    features['|u1'] = numbers.astype(np.uint8)
    features['|b1'] = numbers > 0
    features['bfloat16'] = numbers.astype(tf.bfloat16.as_numpy_dtype)
    strings = [['a', 'bcd'], ['', 'ef'], ['\u00e9', ' ']]
    features['|O'] = np.array(strings, object)
    features['<U'] = np.array(strings)
    features['>U'] = np.array(strings, '>U3')
    features['|S'] = np.char.encode(np.array(strings))
    labels = np.arange(3)
    store = learning.ClientStore.write(self._folder, [(features, labels)])
    (stored,) = list(store.dataset_computation(0))
    direct = learning.client_dataset(features, labels, 0).get_single_element()
    encoded = [[text.encode() for text in row] for row in strings]
    for read in (stored, direct):
      self.assertEqual(list(read['features']), sorted(features))
      for name, value in read['features'].items():
        is_string = name[-1] in 'OUS'
        with self.subTest(name):
          self.assertAllEqual(value, encoded if is_string else features[name])
          self.assertEqual(
              value.dtype, tf.string if is_string else features[name].dtype
          )

  def test_reads_structures_with_sample_weights(self):
    def client(n):
      a = np.arange(2 * n, dtype=np.float32).reshape(n, 2)
      return {'b': [a, -a], 'a': a[:, 0]}, (a, a > 1), [a[:, 1]]

    clients = [client(3), client(0)]
    store = learning.ClientStore.write(self._folder, clients)
    self.assertEqual(store.num_examples, [3, 0])
    for client_id, (x, y, w) in enumerate(clients):
      dataset = learning.client_dataset(x, y, client_id, w)
      for name, spec in dataset.element_spec.items():
        tf.nest.map_structure(
            lambda s, t: self.assertTrue(s.is_compatible_with(t)),
            store.element_spec[name],
            spec,
        )
      (stored,) = list(store.dataset_computation(client_id))
      for element in (stored, dataset.get_single_element()):
        self.assertEqual(
            list(element), ['features', 'labels', 'sample_weights', 'client_id']
        )
        self.assertAllEqual(element['features']['a'], x['a'])
        self.assertAllEqual(element['features']['b'][0], x['b'][0])
        self.assertAllEqual(element['features']['b'][1], x['b'][1])
        self.assertAllEqual(element['labels'][0], y[0])
        self.assertAllEqual(element['labels'][1], y[1])
        self.assertAllEqual(element['sample_weights'][0], w[0])

  def test_refuses_client_ids(self):
    for client_id in ('a', 1.5, None, 2**31, True):
      with self.subTest(client_id=client_id):
        with self.assertRaisesRegex(
            ValueError,
            r'client_id must be an integer in \[-2147483648, 2147483647\], got'
            rf' {client_id!r}',
        ):
          learning.client_dataset([[1.0]], [0], client_id)

  def test_element_spec_is_that_of_the_data(self):
    clients = _clients(np.uint8, np.int32)
    store = learning.ClientStore.write(self._folder, clients)
    self.assertEqual(
        list(store.element_spec), ['features', 'labels', 'client_id']
    )
    for client_id, client in enumerate(clients):
      dataset = learning.client_dataset(*client, client_id)
      for name, spec in dataset.element_spec.items():
        self.assertTrue(store.element_spec[name].is_compatible_with(spec))

  def test_files_hold_the_bytes_of_the_arrays_alone(self):
    # In C order, whatever the order of the given array.
    features = np.asfortranarray(np.arange(24, dtype=np.uint8).reshape(4, 6))
    learning.ClientStore.write(
        self._folder, [(features, np.zeros(4, np.int32))]
    )
    files = pathlib.Path(self._folder).iterdir()
    self.assertEqual(
        {path.name: path.read_bytes() for path in files},
        {'0.features': bytes(range(24)), '0.labels': bytes(16)},
    )

  @parameterized.named_parameters(
      ('no_clients', lambda c: [], 'clients must not be empty'),
      (
          'missing_label',
          lambda c: [c[0], (c[2][0], c[2][1][:0])],
          r'Client 1 has features of shape \(1, 2, 3\) and labels of shape'
          r' \(0,\)',
      ),
      (
          'other_shape',
          lambda c: [c[0], (c[2][0][:, :1], c[2][1])],
          r'features of client 1 are uint8\[1, 3\] an example, those of client'
          r' 0 uint8\[2, 3\]',
      ),
      (
          'other_dtype',
          lambda c: [c[0], (c[2][0], c[2][1].astype(np.int64))],
          r'labels of client 1 are int64\[\] an example, those of client 0'
          r' int32\[\]',
      ),
      ('scalar', lambda c: [(np.uint8(1), np.int32(1))], 'first dimensions'),
      (
          'empty_example',
          lambda c: [(c[0][0][:, :0], c[0][1])],
          'example must not be empty',
      ),
      (
          'complex',
          lambda c: [c[0], (c[2][0] * 1j, c[2][1])],
          'features of client 1 must be booleans, integers, .* got complex',
      ),
      (
          'objects',
          lambda c: [c[0], (c[2][0], np.array([None]))],
          'labels of client 1 must be numbers or strings, got None',
      ),
      (
          'dates',
          lambda c: [(c[0][0], c[0][1].astype('M8[s]'))],
          r'labels of client 0 must be .* got datetime64\[s\]',
      ),
      (
          'long_floats',
          lambda c: [(c[0][0].astype(np.longdouble), c[0][1])],
          'features of client 0 must be .* at most 64 bits .* got float',
      ),
      (
          'ragged',
          lambda c: [([[1], [2, 3], [4]], c[0][1])],
          'features of client 0 must be a regular array',
      ),
      (
          'masked',
          lambda c: [(np.ma.array(c[0][0]), c[0][1])],
          'features of client 0 must be a regular array, got a MaskedArray',
      ),
      (
          'other_structure',
          lambda c: [(list(c[0]), c[0][1]), c[2]],
          r'Client 1 has features, labels, client 0 features\[0\], feat',
      ),
      (
          'other_keys',
          lambda c: [({'a': c[0][0]}, c[0][1]), ({'b': c[2][0]}, c[2][1])],
          r"Client 1 has features\['b'\], labels, client 0 features\['a'\]",
      ),
      (
          'missing_weights',
          lambda c: [(*c[0], c[0][1]), c[2]],
          'Client 1 has features, labels, client 0 features, labels, sample_w',
      ),
      (
          'another_number_of_weights',
          lambda c: [(*c[0], c[0][1][:2])],
          r'Client 0 has features of shape \(3, 2, 3\) and sample_weights of',
      ),
      ('one_part', lambda c: [c[0][:1]], 'Client 0 must be .* got .1 of them'),
      ('array', lambda c: [c[0][0]], r'Client 0 must be .* got array\(\['),
      (
          'list_of_examples',
          lambda c: [(list(c[0][0]), c[0][1])],
          'of shape .* A list of arrays is several inputs; np.stack',
      ),
  )
  def test_refuses_clients(self, spoil, message):
    clients = spoil(_clients(np.uint8, np.int32))
    with self.assertRaisesRegex(ValueError, message):
      learning.ClientStore.write(self._folder, clients)
    self.assertEmpty(list(pathlib.Path(self._folder).iterdir()))


if __name__ == '__main__':
  tf.test.main()
