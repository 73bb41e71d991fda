# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for the Fashion-MNIST task, on small files of the official layout."""

import gzip
import hashlib
import io
import os
import struct
import tempfile
from unittest import mock
import urllib.error
import urllib.request

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

import tasks
from tasks import fmnist

_NUM_TRAIN = 7
_NUM_TEST = 3


def _idx(array):
  header = struct.pack(f'>HBB{array.ndim}I', 0, 8, array.ndim, *array.shape)
  return header + array.tobytes()


class FmnistTest(tf.test.TestCase, parameterized.TestCase):

  def setUp(self):
    super().setUp()
    random = np.random.RandomState(0)
    self.arrays = (
        random.randint(256, size=[_NUM_TRAIN, 28, 28]).astype(np.uint8),
        random.randint(10, size=_NUM_TRAIN).astype(np.uint8),
        random.randint(256, size=[_NUM_TEST, 28, 28]).astype(np.uint8),
        random.randint(10, size=_NUM_TEST).astype(np.uint8),
    )
    names = list(fmnist._SHA256)
    self.files = dict(zip(names, map(_idx, self.arrays)))
    digests = {n: hashlib.sha256(f).hexdigest() for n, f in self.files.items()}
    self.enter_context(mock.patch.dict(fmnist._SHA256, digests))
    self.requests = []
    self.served = {f'{n}.gz': gzip.compress(f) for n, f in self.files.items()}
    self.enter_context(
        mock.patch.object(urllib.request, 'urlopen', self._urlopen)
    )
    self.folder = self.enter_context(tempfile.TemporaryDirectory())

  def _urlopen(self, url, timeout):
    self.assertStartsWith(url, 'https://')
    self.assertGreater(timeout, 0)
    self.requests.append(url)
    name = url.rsplit('/', 1)[1]
    if name not in self.served:
      raise urllib.error.URLError('no route to host')
    return io.BytesIO(self.served[name])

  def _write(self, subfolder='', suffix='.gz', level=9, without=None):
    folder = os.path.join(self.folder, subfolder)
    os.makedirs(folder, exist_ok=True)
    for name, contents in self.files.items():
      if name == without:
        continue
      if suffix:
        contents = gzip.compress(contents, level)
      with open(os.path.join(folder, name + suffix), 'wb') as file:
        file.write(contents)

  def _assert_official(self, arrays):
    self.assertLen(arrays, 4)
    for array, expected in zip(arrays, self.arrays):
      self.assertEqual(array.dtype, np.uint8)
      self.assertAllEqual(array, expected)

  @parameterized.product(
      subfolder=('', 'fashion-mnist'), suffix=('', '.gz'), level=(0, 9)
  )
  def test_reads_the_official_files(self, subfolder, suffix, level):
    self._write(subfolder, suffix, level)
    self._assert_official(fmnist.load_arrays(data_dir=self.folder))
    self.assertEmpty(self.requests)

  def test_task_has_the_stated_arrays_and_scaling(self):
    self._write()
    task = tasks.load('fmnist', data_dir=self.folder, train_examples=5)
    self.assertEqual(task.train_features.shape, (5, 28, 28, 1))
    self.assertEqual(task.train_features.dtype, np.uint8)
    self.assertEqual(task.train_labels.dtype, np.int32)
    self.assertAllEqual(task.train_labels, self.arrays[1][:5])
    self.assertEqual(task.test_features.shape, (_NUM_TEST, 28, 28, 1))
    self.assertAllEqual(task.test_labels, self.arrays[3])
    extremes = tf.constant([0, 255], tf.uint8)
    self.assertAllClose(
        task.preprocess_train(extremes), [-0.2860 / 0.3530, 0.7140 / 0.3530]
    )
    self.assertAllClose(
        task.preprocess_test(extremes), [-0.2868 / 0.3524, 0.7132 / 0.3524]
    )
    logits = task.build_model()(task.preprocess_test(task.test_features))
    self.assertEqual(logits.shape, [_NUM_TEST, task.num_classes])

  def test_takes_the_model_that_is_named(self):
    self._write()
    load = lambda model: tasks.load(
        'fmnist', data_dir=self.folder, train_examples=5, model=model
    )
    self.assertEqual(load('convnet').build_model().count_params(), 317_706)
    self.assertEqual(
        load('convnet_narrow').build_model().count_params(), 24_138
    )
    with self.assertRaisesRegex(
        ValueError, "model must be .*convnet, .*fedbat_cnn.*got 'resnet'"
    ):
      load('resnet')

  def test_missing_data_dir_is_an_error_and_no_download(self):
    missing = os.path.join(self.folder, 'absent')
    with self.assertRaisesRegex(FileNotFoundError, missing):
      tasks.load('fmnist', data_dir=missing)
    self.assertEmpty(self.requests)

  def test_missing_file_is_named_and_not_downloaded(self):
    self._write(without='t10k-labels-idx1-ubyte')
    with self.assertRaisesRegex(
        FileNotFoundError, f'^no t10k-labels-idx1-ubyte .*{self.folder}'
    ):
      fmnist.load_arrays(data_dir=self.folder)
    self.assertEmpty(self.requests)

  @parameterized.parameters('', '.gz')
  def test_other_contents_are_refused(self, suffix):
    name = 'train-labels-idx1-ubyte'
    self.files[name] = self.files[name][:-1] + b'\x0a'
    self._write(suffix=suffix)
    with self.assertRaisesRegex(
        ValueError, f'{name}{suffix} is not the official {name}.*SHA-256'
    ):
      fmnist.load_arrays(data_dir=self.folder)

  def test_truncated_gzip_is_refused(self):
    self._write()
    path = os.path.join(self.folder, 'train-images-idx3-ubyte.gz')
    os.truncate(path, os.path.getsize(path) - 20)
    with self.assertRaisesRegex(ValueError, f'{path} is a damaged gzip file'):
      fmnist.load_arrays(data_dir=self.folder)

  def test_downloads_once_into_the_cache(self):
    self._assert_official(fmnist.load_arrays(cache_dir=self.folder))
    self.assertLen(self.requests, 4)
    self._assert_official(fmnist.load_arrays(cache_dir=self.folder))
    self.assertLen(self.requests, 4)
    self.assertCountEqual(
        os.listdir(os.path.join(self.folder, 'fashion-mnist')), self.served
    )
    # The cache is a data_dir for machines without network access.
    self._assert_official(fmnist.load_arrays(data_dir=self.folder))

  def test_files_put_into_the_cache_are_not_downloaded(self):
    self._write('fashion-mnist', suffix='')
    self._assert_official(fmnist.load_arrays(cache_dir=self.folder))
    self.assertEmpty(self.requests)

  @parameterized.parameters('XDG_CACHE_HOME', 'HOME')
  def test_default_cache_is_in_the_users_cache_folder(self, variable):
    environment = {'XDG_CACHE_HOME': '', variable: self.folder}
    with mock.patch.dict(os.environ, environment):
      fmnist.load_arrays()
    cache = '.cache' if variable == 'HOME' else ''
    self.assertTrue(
        os.path.isfile(
            os.path.join(
                self.folder,
                cache,
                'tff_binary/fashion-mnist/train-images-idx3-ubyte.gz',
            )
        )
    )

  def test_second_mirror_serves_what_the_first_does_not(self):
    first, second = fmnist._MIRRORS
    urlopen = self._urlopen

    def fails_first(url, timeout):
      response = urlopen(url, timeout)
      # A proxy's log-in page, say.
      return io.BytesIO(b'<html>') if url.startswith(first) else response

    with mock.patch.object(urllib.request, 'urlopen', fails_first):
      self._assert_official(fmnist.load_arrays(cache_dir=self.folder))
    self.assertLen([r for r in self.requests if r.startswith(second)], 4)

  def test_offline_says_which_files_go_where(self):
    self.served = {}
    with self.assertRaises(ConnectionError) as context:
      tasks.load('fmnist', cache_dir=self.folder)
    message = str(context.exception)
    self.assertNotIn('\n', message)
    self.assertIn('no route to host', message)
    self.assertIn(os.path.join(self.folder, 'fashion-mnist'), message)
    for name in self.files:
      self.assertIn(f'{name}.gz', message)

  def test_wrong_download_is_not_kept(self):
    self.served['t10k-images-idx3-ubyte.gz'] = gzip.compress(b'other')
    with self.assertRaisesRegex(ConnectionError, 'SHA-256'):
      fmnist.load_arrays(cache_dir=self.folder)
    kept = os.listdir(os.path.join(self.folder, 'fashion-mnist'))
    self.assertCountEqual(
        kept, ['train-images-idx3-ubyte.gz', 'train-labels-idx1-ubyte.gz']
    )

  def test_interrupted_write_leaves_nothing(self):
    with mock.patch.object(os, 'replace', side_effect=OSError('disk full')):
      with self.assertRaisesRegex(OSError, 'disk full'):
        fmnist.load_arrays(cache_dir=self.folder)
    self.assertEmpty(os.listdir(os.path.join(self.folder, 'fashion-mnist')))


if __name__ == '__main__':
  tf.test.main()
