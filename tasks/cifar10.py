# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The `cifar10` task: CIFAR-10 with ResNet-18."""

import hashlib
import io
import os
import pickle
import tarfile

import numpy as np
import tensorflow as tf

from tasks import downloads
from tasks import models
from tasks import registry

_FOLDER = 'cifar-10-batches-py'
_ARCHIVE = 'cifar-10-python.tar.gz'
_HOME_PAGE = 'https://www.cs.toronto.edu/~kriz/cifar.html'
_MIRRORS = (
    'https://www.cs.toronto.edu/~kriz/',
    'https://storage.googleapis.com/tensorflow/tf-keras-datasets/',
)
_ARCHIVE_SHA256 = (
    '6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce'
)
# In the order in which they are read; the last one is the test set. Only MD5
# sums of the single files are published.
_MD5 = {
    'data_batch_1': 'c99cafc152244af753f735de768cd75f',
    'data_batch_2': 'd4bba439e000b95fd0a9bffe97cbabec',
    'data_batch_3': '54ebc095f3ab1f0389bbae665268c751',
    'data_batch_4': '634d18415352ddfa80567beed471001a',
    'data_batch_5': '482c414d41f54cd18b22e5b47cb7c3cb',
    'test_batch': '40351d587109b95175f43aff81a1287e',
}
_SHAPE = (3, 32, 32)
_NUM_CLASSES = 10
_PADDING = 4
_MEAN = (0.4914, 0.4822, 0.4465)
_STDDEV = (0.2023, 0.1994, 0.2010)

# All that a pickled array refers to, in files of older and newer NumPy.
_PICKLED_NAMES = {
    ('__builtin__', 'bytes'),
    ('_codecs', 'encode'),
    ('numpy', 'dtype'),
    ('numpy', 'ndarray'),
    ('numpy.core.multiarray', '_reconstruct'),
    ('numpy._core.multiarray', '_reconstruct'),
}


class _ArrayUnpickler(pickle.Unpickler):
  """Reads containers, numbers, strings and arrays; refuses all else.

  A pickle can name any function and have it called.
  """

  def find_class(self, module, name):
    if (module, name) not in _PICKLED_NAMES:
      raise ValueError(f'the pickle refers to {module}.{name}')
    # NumPy 2 calls its core `_core`.
    return super().find_class(module.replace('numpy._core', 'numpy.core'), name)


def _check_archive(data, origin):
  digest = hashlib.sha256(data).hexdigest()
  if digest != _ARCHIVE_SHA256:
    raise ValueError(
        f'{origin} is not the official {_ARCHIVE}: its SHA-256 is {digest},'
        f' must be {_ARCHIVE_SHA256}'
    )


def _read_archive(path, verify):
  """Returns the contents of the batches in the archive, by name."""
  with open(path, 'rb') as file:
    data = file.read()
  if verify:
    _check_archive(data, path)
  contents = {}
  with tarfile.open(fileobj=io.BytesIO(data)) as archive:
    for name in _MD5:
      contents[name] = archive.extractfile(f'{_FOLDER}/{name}').read()
  return contents


def _read_folder(data_dir, verify):
  """Returns the contents of the batches in a folder of files or the archive.

  Args:
    data_dir: A folder with the files, with a folder `cifar-10-batches-py` of
      them, or with the archive.
    verify: Whether the archive must be the official one.

  Returns:
    A dict from the keys of `_MD5` to bytes.

  Raises:
    FileNotFoundError: If the folder or one of the files is missing.
    ValueError: If the archive is not the official one.
  """
  data_dir = os.path.expanduser(data_dir)
  if not os.path.isdir(data_dir):
    raise FileNotFoundError(f'data_dir {data_dir} is not an existing folder')
  for folder in (os.path.join(data_dir, _FOLDER), data_dir):
    paths = {name: os.path.join(folder, name) for name in _MD5}
    if all(map(os.path.isfile, paths.values())):
      contents = {}
      for name, path in paths.items():
        with open(path, 'rb') as file:
          contents[name] = file.read()
      return contents
  archive = os.path.join(data_dir, _ARCHIVE)
  if os.path.isfile(archive):
    return _read_archive(archive, verify)
  raise FileNotFoundError(
      f'neither {_ARCHIVE} nor all of {", ".join(_MD5)} in {data_dir} or in'
      f' {os.path.join(data_dir, _FOLDER)}'
  )


def _read_cache(cache_dir, verify):
  """Returns the contents of the batches, downloading the archive first."""
  folder = downloads.cache_folder(cache_dir, 'cifar-10')
  path = os.path.join(folder, _ARCHIVE)
  if not os.path.isfile(path):
    downloads.download(
        [mirror + _ARCHIVE for mirror in _MIRRORS],
        path,
        _check_archive,
        'CIFAR-10',
        f'fetch {_ARCHIVE} from {_HOME_PAGE} elsewhere and put it into'
        f' {folder}, or into any folder given as data_dir',
    )
  return _read_archive(path, verify)


def _parse(data, name, verify):
  """Returns the images, uint8 `[n, 32, 32, 3]`, and int32 labels of a batch."""
  digest = hashlib.md5(data).hexdigest()
  if verify and digest != _MD5[name]:
    raise ValueError(
        f'{name} is not the official file: the MD5 of its contents is {digest},'
        f' must be {_MD5[name]}; verify=False takes others'
    )
  try:
    batch = _ArrayUnpickler(io.BytesIO(data), encoding='bytes').load()
    images = np.asarray(batch[b'data'], np.uint8).reshape((-1, *_SHAPE))
    labels = np.asarray(batch[b'labels'], np.int32).reshape(len(images))
  except Exception as error:
    raise ValueError(f'{name} is no batch of CIFAR-10: {error}') from error
  if labels.size and not (
      0 <= labels.min() and labels.max() < _NUM_CLASSES
  ):
    raise ValueError(
        f'the labels of {name} must be in [0, {_NUM_CLASSES}), got'
        f' {labels.min()} to {labels.max()}'
    )
  return images.transpose(0, 2, 3, 1), labels


def load_arrays(data_dir=None, cache_dir=None, verify=True):
  """Reads CIFAR-10 from its six official batches of pickled arrays.

  Args:
    data_dir: A folder with the batches, with a folder `cifar-10-batches-py` of
      them, or with the archive. Nothing is downloaded if it is given.
    cache_dir: The folder that keeps the download if `data_dir` is None, see
      `downloads.cache_folder`.
    verify: Whether files must be the official ones, by their checksums. Others,
      such as batches that were written anew, are read with False; either way
      nothing but arrays is unpickled.

  Returns:
    Training images, uint8 of shape `[50000, 32, 32, 3]`, their labels, int32 of
    shape `[50000]`, and likewise 10,000 test images and labels.

  Raises:
    FileNotFoundError: If `data_dir` is given and files are missing in it.
    ConnectionError: If the archive is to be downloaded and cannot be.
    ValueError: If a file's contents are not the official ones or no batch.
  """
  if data_dir is None:
    contents = _read_cache(cache_dir, verify)
  else:
    contents = _read_folder(data_dir, verify)
  *train, test = [_parse(contents[name], name, verify) for name in _MD5]
  return (*map(np.concatenate, zip(*train)), *test)


def normalize(features):
  """Standardizes pixels, by channel; uint8 to float32."""
  return (tf.cast(features, tf.float32) / 255.0 - _MEAN) / _STDDEV


def shift_and_flip(features, seed):
  """Shifts every image by up to 4 pixels each way and flips half of them.

  Zero padding by 4 pixels, a random crop of the original size and a random
  horizontal flip, on raw pixels: what comes in is black.

  Args:
    features: A uint8 tensor of shape `[n, height, width, channels]`.
    seed: An int32 tensor of shape `[2]`.

  Returns:
    A tensor like `features`.
  """
  num_images = tf.shape(features)[0]
  height, width = features.shape[1:3]
  draws = tf.random.stateless_uniform([3, num_images], seed, alg='philox')
  shifts = tf.cast(draws[:2] * (2 * _PADDING + 1), tf.int32)
  is_flipped = tf.reshape(draws[2] < 0.5, [-1, 1, 1, 1])
  margin = [_PADDING, _PADDING]
  padded = tf.pad(features, [[0, 0], margin, margin, [0, 0]])
  rows = shifts[0][:, tf.newaxis] + tf.range(height)
  columns = shifts[1][:, tf.newaxis] + tf.range(width)
  cropped = tf.gather(padded, rows, axis=1, batch_dims=1)
  cropped = tf.gather(cropped, columns, axis=2, batch_dims=1)
  return tf.where(is_flipped, cropped[:, :, ::-1], cropped)


@registry.register('cifar10')
def load(
    *,
    data_dir,
    cache_dir,
    kernel_initializer,
    seed,
    augment=False,
    verify=True,
    model='resnet18',
):
  """Loads CIFAR-10: 50,000 examples to train, 10,000 to test.

  Features are uint8 of shape `[n, 32, 32, 3]`, standardized by channel with the
  constants of the training set.

  Args:
    data_dir: See `load_arrays`.
    cache_dir: See `load_arrays`.
    kernel_initializer: See `registry.load`.
    seed: See `registry.load`.
    augment: Whether clients train on shifted and flipped images.
    verify: See `load_arrays`.
    model: One of `models.IMAGE_MODELS`.

  Returns:
    A `registry.Task`.
  """
  train_images, train_labels, test_images, test_labels = load_arrays(
      data_dir, cache_dir, verify
  )
  return registry.Task(
      name='cifar10',
      train_features=train_images,
      train_labels=train_labels,
      test_features=test_images,
      test_labels=test_labels,
      num_classes=_NUM_CLASSES,
      build_model=models.image_model(
          model,
          _SHAPE[1:] + _SHAPE[:1],
          _NUM_CLASSES,
          kernel_initializer,
          seed,
      ),
      preprocess_train=normalize,
      preprocess_test=normalize,
      augment_train=shift_and_flip if augment else None,
  )
