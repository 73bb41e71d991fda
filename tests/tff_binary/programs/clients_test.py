# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for clients: runs on clients that are datasets."""

import collections
import pathlib
import tempfile

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tests.tff_binary import tiny
from tests.tff_binary.runtime import worker_processes
from tff_binary import learning
from tff_binary import programs
from tff_binary import runtime
from tff_binary.programs import clients

_SIZES = {'HAMLET': 20, 'OPHELIA': 9, 'First Clown/2': 1, 'GHOST': 0}
_IDS = sorted(_SIZES)
_SPEAKING = [i for i in _IDS if _SIZES[i]]


def _dataset(client_id):
  """Single examples, as TFF's client data have them."""
  size = _SIZES[client_id]
  features, labels = tiny.arrays(size, seed=size)
  return tf.data.Dataset.from_tensor_slices(
      collections.OrderedDict(label=labels, pixels=features)
  )


def _preprocess(dataset):
  return dataset.batch(8).map(
      lambda e: collections.OrderedDict(x=e['pixels'], y=e['label'])
  )


def _python_dataset(client_id):
  """The same from a generator, which no worker can run."""
  dataset = _dataset(client_id)
  return tf.data.Dataset.from_generator(
      lambda: iter(dataset), output_signature=dataset.element_spec
  )


def _client_data():
  """The same as `_dataset`, but for the client without data."""
  return tff.simulation.datasets.TestClientData({
      client_id: next(_dataset(client_id).batch(100).as_numpy_iterator())
      for client_id in _SPEAKING
  })


def _train(data, **kwargs):
  return programs.train(
      tiny.batch_norm_model,
      data,
      **{
          'preprocess': _preprocess,
          'test': tiny.arrays(30, seed=99),
          'algorithm': 'fedbat',
          'rounds': 2,
          'clients_per_round': 3,
          'progress': False,
          'runtime': 'current',
          **kwargs,
      },
  )


class TrainTest(tf.test.TestCase, parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    # One worker, which imports TensorFlow once, for all.
    cls.enter_context(runtime.execution_context(runtime.Runtime('device')))

  def test_client_data_functions_and_runtimes_agree(self):
    # FedBAT is not continuous: the last bits may differ by the runtime only.
    by_function = _train(_dataset, client_ids=_SPEAKING)
    digest = by_function.summary['weights_sha256']
    self.assertTrue(np.isfinite(by_function.history[-1]['train_loss']))
    with self.subTest('ClientData'):
      self.assertEqual(_train(_client_data()).summary['weights_sha256'], digest)
    with self.subTest('Python function'):
      result = _train(_python_dataset, client_ids=_SPEAKING)
      self.assertEqual(result.summary['weights_sha256'], digest)
    with self.subTest('remote'):
      process, address = worker_processes.start_device('--port=0')
      try:
        result = _train(
            _dataset,
            client_ids=_SPEAKING,
            runtime=runtime.Runtime('remote', workers=[address]),
        )
      finally:
        worker_processes.stop(process)
      self.assertEqual(result.summary['weights_sha256'], digest)
    with self.subTest('local'):
      result = _train(
          _dataset, client_ids=_SPEAKING, runtime=runtime.Runtime('local')
      )
      self.assertEqual(
          result.history[-1]['num_examples'],
          by_function.history[-1]['num_examples'],
      )

  def test_client_states_are_kept_by_id(self):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    options = dict(client_ids=_IDS, algorithm='fedbif', clients_per_round=2)
    whole = _train(_dataset, rounds=3, **options)
    _train(_dataset, rounds=2, output_dir=str(folder / 'run'), **options)
    resumed = _train(
        _dataset, rounds=3, output_dir=str(folder / 'run'), **options
    )
    self.assertEqual(
        resumed.summary['weights_sha256'], whole.summary['weights_sha256']
    )

  def test_only_drawn_clients_are_made(self):
    made = []

    def create_dataset(number):
      made.append(number)
      return _dataset('HAMLET').take(3)

    _train(
        create_dataset, client_ids=range(100_000), rounds=2, clients_per_round=2
    )
    # Of the others only the first, for the type of its elements.
    self.assertLessEqual(len(set(made)), 1 + 2 * 2)

  def test_refuses_other_ids_on_resume(self):
    folder = self.enter_context(tempfile.TemporaryDirectory())
    _train(_dataset, client_ids=_IDS, output_dir=folder)
    with self.assertRaisesRegex(programs.RunFolderError, 'client_ids_sha256'):
      _train(_dataset, client_ids=_IDS[::-1], output_dir=folder)


class StoredClientsTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('features', (np.arange(8, dtype=np.int8), np.zeros(8, np.int32))),
      ('labels', (np.arange(8, dtype=np.uint8), np.zeros(8, np.float32))),
      (
          'shape',
          (np.arange(8, dtype=np.uint8)[:, np.newaxis], np.zeros(8, np.int32)),
      ),
      (
          'name',
          ({'x': np.arange(8, dtype=np.uint8)}, np.zeros(8, np.int32)),
      ),
  )
  def test_details_tell_equal_bytes_apart(self, other):
    one = clients.of([(np.arange(8, dtype=np.uint8), np.zeros(8, np.int32))])
    other = clients.of([other])
    self.assertEqual(one.settings(), other.settings())
    self.assertNotEqual(one.details(), other.details())


class DatasetClientsTest(tf.test.TestCase):

  def test_settings_have_the_names_of_earlier_versions(self):
    # Of `test_clients` they are compared as a whole.
    names = ['num_clients', 'client_ids_sha256']
    self.assertCountEqual(
        clients.of([tiny.arrays(3)]).settings(), [*names, 'clients_sha256']
    )
    source = clients.of(_client_data(), preprocess=_preprocess)
    self.assertCountEqual(
        source.settings(),
        [*names, 'client_element_spec', 'clients', 'preprocess'],
    )
    self.assertIsNone(source.settings()['clients'])

  def test_details_tell_the_objects_of_methods_apart(self):
    class Source:

      def __init__(self, scale):
        self._scale = scale

      def create(self, client_id):
        return _dataset(client_id).map(
            lambda e: dict(e, pixels=self._scale * e['pixels'])
        )

    one, same, other = (
        clients.of(Source(scale).create, _IDS, _preprocess).details()
        for scale in (1.0, 1.0, 2.0)
    )
    self.assertEqual(one, same)
    self.assertNotEqual(one, other)

  def test_details_tell_the_functions_of_client_data_apart(self):
    def scaled(scale):
      return _client_data().preprocess(
          lambda dataset: dataset.map(
              lambda e: dict(e, pixels=scale * e['pixels'])
          )
      )

    def details(client_data):
      return clients.of(client_data, preprocess=_preprocess).details()

    one, same = scaled(1.0), scaled(1.0)
    self.assertIsNotNone(same.dataset_computation)  # It is made and kept.
    self.assertEqual(details(one), details(same))
    self.assertNotEqual(details(one), details(scaled(2.0)))
    self.assertNotEqual(details(one), details(_client_data()))
    concrete = [
        tff.simulation.datasets.ClientData.from_clients_and_tf_fn(
            ['a'],
            lambda _, size=size: tf.data.Dataset.from_tensors(
                dict(pixels=tf.zeros([size, 6]), label=tf.zeros([size]))
            ).unbatch(),
        )
        for size in (1, 2)
    ]
    self.assertNotEqual(details(concrete[0]), details(concrete[1]))

  def test_refuses_what_are_no_batches(self):
    with self.assertRaisesRegex(TypeError, r'must be batches \(x, y\)'):
      clients.DatasetClients(_IDS, _dataset)
    with self.assertRaisesRegex(TypeError, "'First Clown/2' must have a tf"):
      clients.DatasetClients(_IDS, lambda client_id: [1, 2])

  def test_names_the_client_whose_elements_differ(self):
    source = clients.DatasetClients(
        _IDS,
        lambda i: _dataset(i).map(
            lambda e: dict(e, label=tf.cast(e['label'], tf.int64))
        ) if i == 'HAMLET' else _dataset(i),
        _preprocess,
    )
    with self.assertRaisesRegex(TypeError, "client 'HAMLET' has elements .*64"):
      source[_IDS.index('HAMLET')]


if __name__ == '__main__':
  tf.test.main()
