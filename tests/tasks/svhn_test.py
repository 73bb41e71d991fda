# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for the svhn task, on small MATLAB files of the official layout."""

import hashlib
import io
import os
import tempfile
from unittest import mock
import urllib.error
import urllib.request

from absl.testing import parameterized
import numpy as np
from scipy import io as scipy_io
import tensorflow as tf

import tasks
from tasks import svhn

_NUM_IMAGES = {'train_32x32.mat': 12, 'test_32x32.mat': 4}


def _mat(**arrays):
  file = io.BytesIO()
  scipy_io.savemat(file, arrays, do_compression=True)
  return file.getvalue()


class SvhnTest(tf.test.TestCase, parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.folder = self.enter_context(tempfile.TemporaryDirectory())
    random = np.random.RandomState(0)
    self.arrays, self.files = [], {}
    for name, n in _NUM_IMAGES.items():
      images = random.randint(256, size=(n, 32, 32, 3)).astype(np.uint8)
      digits = np.arange(n) % 10
      # As published: examples last, and the digit 0 has the label 10.
      labels = np.where(digits == 0, 10, digits).astype(np.uint8)
      self.arrays += [images, digits]
      self.files[name] = _mat(
          X=images.transpose(1, 2, 3, 0), y=labels[:, np.newaxis]
      )
    digests = {n: hashlib.sha256(f).hexdigest() for n, f in self.files.items()}
    self.enter_context(mock.patch.dict(svhn._SHA256, digests))

  def _write(self, folder='', **changed):
    folder = os.path.join(self.folder, folder)
    os.makedirs(folder, exist_ok=True)
    for name, contents in self.files.items():
      with open(os.path.join(folder, name), 'wb') as file:
        file.write(changed.get(name[:-len('_32x32.mat')], contents))

  def _assert_all_read(self, arrays):
    self.assertLen(arrays, 4)
    for array, expected in zip(arrays, self.arrays):
      self.assertAllEqual(array, expected)
      self.assertTrue(array.flags.c_contiguous)

  @parameterized.parameters('', 'svhn')
  def test_reads_the_official_files(self, folder):
    self._write(folder)
    self._assert_all_read(svhn.load_arrays(self.folder))

  def test_downloads_once(self):
    urlopen = mock.Mock(
        side_effect=lambda url, **_: io.BytesIO(
            self.files[url.rsplit('/', 1)[1]]
        )
    )
    with mock.patch.object(urllib.request, 'urlopen', urlopen):
      for _ in range(2):
        self._assert_all_read(svhn.load_arrays(cache_dir=self.folder))
    self.assertEqual(urlopen.call_count, 2)

  def test_says_what_to_do_without_network(self):
    error = urllib.error.URLError('no network')
    with mock.patch.object(urllib.request, 'urlopen', side_effect=error):
      with self.assertRaisesRegex(
          ConnectionError,
          'cannot download SVHN.*train_32x32.mat, test_32x32.mat.*data_dir',
      ):
        svhn.load_arrays(cache_dir=self.folder)

  def test_names_missing_files(self):
    self._write()
    os.remove(os.path.join(self.folder, 'test_32x32.mat'))
    with self.assertRaisesRegex(
        FileNotFoundError, f'^no test_32x32.mat in {self.folder}/svhn or'
    ):
      svhn.load_arrays(self.folder)
    with self.assertRaisesRegex(FileNotFoundError, 'not an existing folder'):
      svhn.load_arrays(os.path.join(self.folder, 'missing'))

  def test_refuses_other_files_unless_told(self):
    pixels, labels = np.zeros([32, 32, 3, 1], np.uint8), np.array([[3]])
    self._write(train=_mat(X=pixels, y=labels))
    with self.assertRaisesRegex(
        ValueError, 'not the official train_32x32.mat: the SHA-256.*verify'
    ):
      svhn.load_arrays(self.folder)
    arrays = svhn.load_arrays(self.folder, verify=False)
    self.assertAllEqual(arrays[1], [3])

  @parameterized.named_parameters(
      ('no_matlab_file', b'some bytes', 'is no file of SVHN'),
      ('no_labels', _mat(X=np.zeros([32, 32, 3, 1])), 'is no file of SVHN'),
      (
          'another_number_of_labels',
          _mat(X=np.zeros([32, 32, 3, 2]), y=[[1]]),
          'is no file of SVHN',
      ),
      (
          'another_shape',
          _mat(X=np.zeros([28, 28, 3, 2]), y=[[1], [2]]),
          r'no file of SVHN: X has the shape \[28, 28, 3, 2\]',
      ),
      (
          'no_digit',
          _mat(X=np.zeros([32, 32, 3, 2], np.uint8), y=[[11], [2]]),
          r'labels of train_32x32.mat must be in \[0, 10\), got 2 to 11',
      ),
      (
          'scaled_pixels',
          _mat(X=np.full([32, 32, 3, 2], 0.9), y=[[1], [2]]),
          r'^the pixels of train_32x32.mat must be integers in \[0, 256\), got'
          ' float64$',
      ),
      (
          'large_pixels',
          _mat(X=np.full([32, 32, 3, 2], 256), y=[[1], [2]]),
          r'^the pixels of train_32x32.mat must be in \[0, 256\), got 256 to',
      ),
      (
          'labels_between_digits',
          _mat(X=np.zeros([32, 32, 3, 2], np.uint8), y=[[1.9], [2.0]]),
          r'^the labels of train_32x32.mat must be integers in \[0, 10\), got',
      ),
  )
  def test_refuses_what_is_no_file_of_digits(self, contents, message):
    self._write(train=contents)
    with self.assertRaisesRegex(ValueError, message):
      svhn.load_arrays(self.folder, verify=False)

  def test_task_has_the_stated_model_and_scaling(self):
    self._write()
    task = tasks.load('svhn', data_dir=self.folder, seed=1)
    self.assertEqual(task.train_labels.dtype, np.int32)
    self.assertIsNone(task.augment_train)
    self.assertEqual(task.build_model().count_params(), 398_176 + 4 * 480)
    extremes = tf.constant([0, 255], tf.uint8)
    self.assertAllClose(
        task.preprocess_train(extremes), [-0.4496 / 0.1995, 0.5504 / 0.1995]
    )
    self.assertAllClose(
        task.preprocess_test(extremes), [-0.4560 / 0.2244, 0.5440 / 0.2244]
    )


if __name__ == '__main__':
  tf.test.main()
