# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for the cifar10 task, with small files."""

import dataclasses
import hashlib
import io
import os
import pickle
import tarfile
import tempfile
import urllib.error
import urllib.request
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

import tasks
from tasks import cifar10
from tasks import images

_IMAGES_PER_BATCH = 3


def _batches():
  """Returns the images, labels and pickles of six small batches, by name."""
  random = np.random.RandomState(0)
  batches = {}
  for name in cifar10._BATCHES.md5:
    images = random.randint(256, size=(_IMAGES_PER_BATCH, 32, 32, 3))
    labels = random.randint(10, size=_IMAGES_PER_BATCH).tolist()
    data = images.astype(np.uint8).transpose(0, 3, 1, 2)
    pickled = pickle.dumps(
        {b'data': data.reshape(_IMAGES_PER_BATCH, -1), b'labels': labels}, 2
    )
    batches[name] = images, labels, pickled
  return batches


def _archive(batches):
  file = io.BytesIO()
  with tarfile.open(fileobj=file, mode='w:gz') as archive:
    for name, (_, _, pickled) in batches.items():
      member = tarfile.TarInfo(f'cifar-10-batches-py/{name}')
      member.size = len(pickled)
      archive.addfile(member, io.BytesIO(pickled))
  return file.getvalue()


class Cifar10Test(tf.test.TestCase, parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.folder = self.enter_context(tempfile.TemporaryDirectory())
    self.batches = _batches()
    self.archive = _archive(self.batches)
    md5 = {
        name: hashlib.md5(pickled).hexdigest()
        for name, (_, _, pickled) in self.batches.items()
    }
    official = dataclasses.replace(
        cifar10._BATCHES,
        md5=md5,
        archive_sha256=hashlib.sha256(self.archive).hexdigest(),
    )
    self.enter_context(mock.patch.object(cifar10, '_BATCHES', official))

  def _write(self, folder='', **changed):
    folder = os.path.join(self.folder, folder)
    os.makedirs(folder, exist_ok=True)
    for name, (_, _, pickled) in self.batches.items():
      with open(os.path.join(folder, name), 'wb') as file:
        file.write(changed.get(name, pickled))

  def _write_archive(self):
    with open(os.path.join(self.folder, 'cifar-10-python.tar.gz'), 'wb') as f:
      f.write(self.archive)

  def _assert_all_read(self, arrays):
    images, labels = zip(*((i, l) for i, l, _ in self.batches.values()))
    self.assertAllEqual(arrays[0], np.concatenate(images[:5]))
    self.assertAllEqual(arrays[1], np.concatenate(labels[:5]))
    self.assertAllEqual(arrays[2], images[5])
    self.assertAllEqual(arrays[3], labels[5])

  @parameterized.parameters('', 'cifar-10-batches-py')
  def test_reads_a_folder(self, folder):
    self._write(folder)
    self._assert_all_read(cifar10.load_arrays(self.folder))

  def test_reads_an_archive(self):
    self._write_archive()
    self._assert_all_read(cifar10.load_arrays(self.folder))

  def test_refuses_other_files_unless_told(self):
    image = np.zeros([1, 3072], np.uint8)
    other = pickle.dumps({b'data': image, b'labels': [3]}, 2)
    self._write(data_batch_2=other)
    with self.assertRaisesRegex(
        ValueError, 'data_batch_2 is not the official file: the MD5.*verify'
    ):
      cifar10.load_arrays(self.folder)
    arrays = cifar10.load_arrays(self.folder, verify=False)
    self.assertLen(arrays[0], 4 * _IMAGES_PER_BATCH + 1)

  def test_never_calls_what_a_pickle_names(self):
    class Attack:

      def __reduce__(self):
        return os.mkdir, (marker,)

    marker = os.path.join(self.folder, 'called')
    self._write(test_batch=pickle.dumps({b'data': Attack()}, 2))
    with self.assertRaisesRegex(
        ValueError, 'test_batch is no batch of CIFAR-10: the pickle refers to'
    ):
      cifar10.load_arrays(self.folder, verify=False)
    self.assertFalse(os.path.exists(marker))

  @parameterized.parameters(
      ({b'data': np.zeros([2, 3072], np.uint8), b'labels': [1]}, 'no batch'),
      ({b'data': np.zeros([1, 3072], np.uint8), b'labels': [10]}, 'labels of'),
      ({b'labels': [1]}, 'no batch'),
      (
          {b'data': np.full([1, 3072], 0.9), b'labels': [1]},
          r'^the pixels of test_batch must be integers in \[0, 256\),',
      ),
      (
          {b'data': np.full([1, 3072], 256), b'labels': [1]},
          r'^the pixels of test_batch must be in \[0, 256\), got 256 to 256$',
      ),
      (
          {b'data': np.full([1, 3072], -1), b'labels': [1]},
          r'^the pixels of test_batch must be in \[0, 256\), got -1 to -1$',
      ),
      (
          {b'data': np.zeros([1, 3072], np.uint8), b'labels': [1.9]},
          r'^the labels of test_batch must be integers in \[0, 10\), got float',
      ),
  )
  def test_refuses_what_is_no_batch(self, batch, message):
    self._write(test_batch=pickle.dumps(batch, 2))
    with self.assertRaisesRegex(ValueError, message):
      cifar10.load_arrays(self.folder, verify=False)

  def test_refuses_what_is_no_archive(self):
    archive = self.archive
    del self.batches['data_batch_3']
    for contents, reason in (
        (archive[:-300], 'ended before'),
        (b'<html>\n<p>Not found', 'could not be opened'),
        (b'', 'could not be opened'),
        (_archive(self.batches), 'data_batch_3.*not found'),
    ):
      self.archive = contents
      self._write_archive()
      with self.assertRaisesRegex(
          ValueError,
          f'^{self.folder}/cifar-10-python.tar.gz is no archive of CIFAR-10:'
          f' [^\n]*{reason}[^\n]*$',
      ):
        cifar10.load_arrays(self.folder, verify=False)

  def test_names_missing_files(self):
    with self.assertRaisesRegex(FileNotFoundError, 'nor all of data_batch_1'):
      cifar10.load_arrays(self.folder)
    with self.assertRaisesRegex(FileNotFoundError, 'not an existing folder'):
      cifar10.load_arrays(os.path.join(self.folder, 'missing'))

  def test_downloads_once(self):
    urlopen = mock.Mock(side_effect=lambda *_, **__: io.BytesIO(self.archive))
    with mock.patch.object(urllib.request, 'urlopen', urlopen):
      for _ in range(2):
        self._assert_all_read(cifar10.load_arrays(cache_dir=self.folder))
    urlopen.assert_called_once()

  def test_says_what_to_do_without_network(self):
    error = urllib.error.URLError('no network')
    with mock.patch.object(urllib.request, 'urlopen', side_effect=error):
      with self.assertRaisesRegex(
          ConnectionError, 'cannot download CIFAR-10.*data_dir'
      ):
        cifar10.load_arrays(cache_dir=self.folder)

  def test_task(self):
    self._write()
    task = tasks.load('cifar10', data_dir=self.folder, seed=1)
    self.assertIsNone(task.augment_train)
    self.assertEqual(task.train_features.dtype, np.uint8)
    self.assertEqual(task.train_labels.dtype, np.int32)
    black = task.preprocess_train(tf.zeros([1, 1, 1, 3], tf.uint8))[0, 0, 0]
    self.assertAllClose(black, [-2.429, -2.418, -2.221], atol=1e-3)
    task = tasks.load(
        'cifar10', data_dir=self.folder, augment=True, normalization='imagenet'
    )
    black = task.preprocess_test(tf.zeros([1, 1, 1, 3], tf.uint8))[0, 0, 0]
    self.assertAllClose(black, [-2.118, -2.036, -1.804], atol=1e-3)
    self.assertIs(task.augment_train, images.shift_and_flip)

  def test_other_tasks_have_no_augmentation(self):
    with self.assertRaisesRegex(
        ValueError, 'augment is no option of the task digits'
    ):
      tasks.load('digits', augment=True)


if __name__ == '__main__':
  tf.test.main()
