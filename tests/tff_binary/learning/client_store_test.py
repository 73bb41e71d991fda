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
  )
  def test_refuses_clients(self, spoil, message):
    clients = spoil(_clients(np.uint8, np.int32))
    with self.assertRaisesRegex(ValueError, message):
      learning.ClientStore.write(self._folder, clients)
    self.assertEmpty(list(pathlib.Path(self._folder).iterdir()))


if __name__ == '__main__':
  tf.test.main()
