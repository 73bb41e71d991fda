# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for the cifar100 task, on small files of the official layout."""

import dataclasses
import hashlib
import io
import os
import pickle
import tarfile
import tempfile
from unittest import mock
import urllib.error
import urllib.request

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

import tasks
from tasks import cifar100

_NUM_IMAGES = {'train': 5, 'test': 3}


def _batches():
  """Returns images, fine and coarse labels of both batches, and pickles."""
  random = np.random.RandomState(0)
  batches = {}
  for name, n in _NUM_IMAGES.items():
    images = random.randint(256, size=(n, 32, 32, 3)).astype(np.uint8)
    fine, coarse = random.randint(100, size=n), random.randint(20, size=n)
    pickled = pickle.dumps(
        {
            b'filenames': [b'some.png'] * n,
            b'data': images.transpose(0, 3, 1, 2).reshape(n, -1),
            b'fine_labels': fine.tolist(),
            b'coarse_labels': coarse.tolist(),
        },
        2,
    )
    batches[name] = images, fine, coarse, pickled
  return batches


class Cifar100Test(tf.test.TestCase, parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.folder = self.enter_context(tempfile.TemporaryDirectory())
    self.batches = _batches()
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode='w:gz') as archive:
      for name, (*_, pickled) in self.batches.items():
        member = tarfile.TarInfo(f'cifar-100-python/{name}')
        member.size = len(pickled)
        archive.addfile(member, io.BytesIO(pickled))
    self.archive = file.getvalue()
    official = dataclasses.replace(
        cifar100._BATCHES,
        md5={n: hashlib.md5(b[-1]).hexdigest() for n, b in self.batches.items()},
        archive_sha256=hashlib.sha256(self.archive).hexdigest(),
    )
    self.enter_context(mock.patch.object(cifar100, '_BATCHES', official))

  def _write(self, folder=''):
    folder = os.path.join(self.folder, folder)
    os.makedirs(folder, exist_ok=True)
    for name, (*_, pickled) in self.batches.items():
      with open(os.path.join(folder, name), 'wb') as file:
        file.write(pickled)

  def _assert_all_read(self, arrays, label_mode='fine'):
    expected = []
    for images, fine, coarse, _ in self.batches.values():
      expected += [images, fine if label_mode == 'fine' else coarse]
    for array, wanted in zip(arrays, expected):
      self.assertAllEqual(array, wanted)

  @parameterized.product(
      folder=('', 'cifar-100-python'), label_mode=('fine', 'coarse')
  )
  def test_reads_a_folder(self, folder, label_mode):
    self._write(folder)
    arrays = cifar100.load_arrays(self.folder, label_mode=label_mode)
    self._assert_all_read(arrays, label_mode)

  def test_reads_an_archive(self):
    with open(os.path.join(self.folder, 'cifar-100-python.tar.gz'), 'wb') as f:
      f.write(self.archive)
    self._assert_all_read(cifar100.load_arrays(self.folder))

  def test_downloads_once(self):
    urlopen = mock.Mock(side_effect=lambda *_, **__: io.BytesIO(self.archive))
    with mock.patch.object(urllib.request, 'urlopen', urlopen):
      for _ in range(2):
        self._assert_all_read(cifar100.load_arrays(cache_dir=self.folder))
    urlopen.assert_called_once()

  def test_says_what_to_do_without_network(self):
    error = urllib.error.URLError('no network')
    with mock.patch.object(urllib.request, 'urlopen', side_effect=error):
      with self.assertRaisesRegex(
          ConnectionError,
          'cannot download CIFAR-100.*cifar-100-python.tar.gz.*data_dir',
      ):
        cifar100.load_arrays(cache_dir=self.folder)

  def test_task_has_the_classes_of_its_labels(self):
    self._write()
    for label_mode, num_classes in ('fine', 100), ('coarse', 20):
      task = tasks.load(
          'cifar100', data_dir=self.folder, label_mode=label_mode, augment=True
      )
      self.assertEqual(task.num_classes, num_classes)
      self.assertIs(task.augment_train, tasks.images.shift_and_flip)
    # ResNet-10 of the paper's widths, 20 classes.
    kernels = [
        w.shape.num_elements()
        for w in task.build_model().trainable_weights
        if w.shape.rank > 1
    ]
    self.assertEqual(sum(kernels), 1_226_080 + 10 * 256)
    black = task.preprocess_train(tf.zeros([1, 1, 1, 3], tf.uint8))[0, 0, 0]
    self.assertAllClose(black, [-1.897, -1.897, -1.596], atol=1e-3)

  def test_names_the_allowed_labels(self):
    with self.assertRaisesRegex(
        ValueError, "label_mode must be one of fine, coarse, got 'some'"
    ):
      tasks.load('cifar100', data_dir=self.folder, label_mode='some')


if __name__ == '__main__':
  tf.test.main()
