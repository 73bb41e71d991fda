# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for the cinic10 task, on small files of the official layout."""

import hashlib
import io
import os
import tarfile
import tempfile
from unittest import mock
import urllib.error
import urllib.request

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

import tasks
from tasks import cinic10

# Of each class, in the archive's order, which is none.
_FILES = {
    'train': ('n02690373_7.png', 'cifar10-train-3.png'),
    'valid': ('n02690373_1.png',),
    'test': ('n02690373_2.png',),
}


def _png(image):
  return tf.io.encode_png(image).numpy()


class Cinic10Test(tf.test.TestCase, parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.folder = self.enter_context(tempfile.TemporaryDirectory())
    random = np.random.RandomState(0)
    self.images, self.files = {}, {}
    for split, names in _FILES.items():
      for name in cinic10._CLASSES:
        for file in names:
          path = f'{split}/{name}/{file}'
          channels = 1 if name == 'ship' else 3  # Some are gray.
          image = random.randint(256, size=(32, 32, channels)).astype(np.uint8)
          self.files[path] = _png(image)
          self.images[path] = np.broadcast_to(image, [32, 32, 3])
    self.archive = self._pack()
    digest = hashlib.md5(self.archive).hexdigest()
    self.enter_context(mock.patch.object(cinic10, '_ARCHIVE_MD5', digest))

  def _pack(self):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode='w:gz') as archive:
      for path, contents in {'README': b'text', **self.files}.items():
        member = tarfile.TarInfo(f'./{path}')
        member.size = len(contents)
        archive.addfile(member, io.BytesIO(contents))
    return file.getvalue()

  def _write_archive(self, contents):
    with open(os.path.join(self.folder, 'CINIC-10.tar.gz'), 'wb') as file:
      file.write(contents)

  def _unpack(self, folder):
    for path, contents in self.files.items():
      path = os.path.join(self.folder, folder, path)
      os.makedirs(os.path.dirname(path), exist_ok=True)
      with open(path, 'wb') as file:
        file.write(contents)

  def _assert_all_read(self, arrays):
    self.assertAllEqual(arrays[1], [*range(10), *range(10)])
    self.assertAllEqual(arrays[3], range(10))
    for file, images in (
        ('train/{}/cifar10-train-3.png', arrays[0][:10]),
        ('train/{}/n02690373_7.png', arrays[0][10:]),
        ('test/{}/n02690373_2.png', arrays[2]),
    ):
      expected = [self.images[file.format(name)] for name in cinic10._CLASSES]
      self.assertAllEqual(images, expected)

  def test_reads_an_archive(self):
    self._write_archive(self.archive)
    self._assert_all_read(cinic10.load_arrays(self.folder))

  @parameterized.parameters('', 'cinic-10')
  def test_reads_a_folder(self, folder):
    self._unpack(folder)
    self._assert_all_read(cinic10.load_arrays(self.folder))

  def test_downloads_once(self):
    urlopen = mock.Mock(side_effect=lambda *_, **__: io.BytesIO(self.archive))
    with mock.patch.object(urllib.request, 'urlopen', urlopen):
      for _ in range(2):
        self._assert_all_read(cinic10.load_arrays(cache_dir=self.folder))
    urlopen.assert_called_once()

  def test_says_what_to_do_without_network(self):
    error = urllib.error.URLError('no network')
    with mock.patch.object(urllib.request, 'urlopen', side_effect=error):
      with self.assertRaisesRegex(
          ConnectionError, 'cannot download CINIC-10.*CINIC-10.tar.gz.*data_dir'
      ):
        cinic10.load_arrays(cache_dir=self.folder)

  def test_names_missing_files(self):
    with self.assertRaisesRegex(
        FileNotFoundError, 'neither CINIC-10.tar.gz nor its folders train and'
    ):
      cinic10.load_arrays(self.folder)

  def test_refuses_another_archive_unless_told(self):
    del self.files['train/dog/n02690373_7.png']
    self._write_archive(self._pack())
    with self.assertRaisesRegex(
        ValueError, 'not the official CINIC-10.tar.gz: the MD5.*verify'
    ):
      cinic10.load_arrays(self.folder)
    arrays = cinic10.load_arrays(self.folder, verify=False)
    self.assertAllEqual(np.bincount(arrays[1]), [2] * 5 + [1] + [2] * 4)

  @parameterized.parameters(
      b'no image',
      *(
          _png(np.zeros([*shape, 3], np.uint8))
          for shape in ((28, 28), (1, 1), (32, 1), (1, 32))
      ),
  )
  def test_refuses_what_is_no_image(self, contents):
    self.files['train/dog/n02690373_7.png'] = contents
    self._unpack('')
    with self.assertRaisesRegex(
        ValueError, 'train/dog/n02690373_7.png is no 32x32 image of CINIC-10'
    ):
      cinic10.load_arrays(self.folder)

  def test_refuses_what_is_no_archive(self):
    for contents in (self.archive[:-300], b'<html>\n<p>Not found', b''):
      self._write_archive(contents)
      with self.assertRaisesRegex(
          ValueError,
          f'^{self.folder}/CINIC-10.tar.gz is no archive of CINIC-10: [^\n]+$',
      ):
        cinic10.load_arrays(self.folder, verify=False)

  def test_task_has_the_stated_model_and_scaling(self):
    self._write_archive(self.archive)
    task = tasks.load('cinic10', data_dir=self.folder, seed=1)
    self.assertIsNone(task.augment_train)
    self.assertEqual(task.build_model().count_params(), 320_010)
    black = task.preprocess_train(tf.zeros([1, 1, 1, 3], tf.uint8))[0, 0, 0]
    self.assertAllClose(black, [-1.978, -1.982, -1.664], atol=1e-3)


if __name__ == '__main__':
  tf.test.main()
