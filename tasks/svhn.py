# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The `svhn` task: the cropped digits of Street View House Numbers."""

import functools
import io
import os

import numpy as np
from scipy import io as scipy_io

from tasks import downloads
from tasks import images
from tasks import registry

_FOLDER = 'svhn'
_URL = 'http://ufldl.stanford.edu/housenumbers/'
# In the order in which they are read. None are published with the files; these
# are the ones of torchvision's loader.
_SHA256 = {
    'train_32x32.mat': (
        '435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8'
    ),
    'test_32x32.mat': (
        'cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b'
    ),
}
_NUM_CLASSES = 10


def _check(data, name, origin, remedy=''):
  downloads.check_official(data, name, _SHA256[name], origin, remedy)


def _find_all(data_dir):
  """Returns the path of each official file in `data_dir`, see `load_arrays`."""
  folders = downloads.data_folders(data_dir, _FOLDER)
  paths = {name: downloads.find(folders, name) for name in _SHA256}
  missing = [name for name, path in paths.items() if path is None]
  if missing:
    raise FileNotFoundError(
        f'no {", ".join(missing)} in {" or ".join(folders)}'
    )
  return paths


def _cached(cache_dir):
  """Returns the path of each official file in the cache, downloading it."""
  folder = downloads.cache_folder(cache_dir, _FOLDER)
  paths = {name: os.path.join(folder, name) for name in _SHA256}
  for name, path in paths.items():
    if not os.path.isfile(path):
      downloads.download(
          [_URL + name],
          path,
          lambda data, url, name=name: _check(data, name, url),
          'SVHN',
          downloads.advice(list(_SHA256), _URL, folder),
      )
  return paths


def _parse(data, path):
  """Returns the images and labels of a MATLAB file, see `load_arrays`."""
  name = os.path.basename(path)
  with downloads.reading(name, 'file of SVHN'):
    arrays = scipy_io.loadmat(io.BytesIO(data), variable_names=['X', 'y'])
    # [32, 32, 3, n] in the file.
    features, labels = np.asarray(arrays['X']), np.asarray(arrays['y'])
    height, width, channels, num_images = features.shape
    if (height, width, channels) != (32, 32, 3):
      raise ValueError(f'X has the shape {list(features.shape)}')
    labels = labels.reshape(num_images)
  features = downloads.as_pixels(features, name)
  # MATLAB counts from 1: the digit 0 has the label 10.
  labels = np.where(labels == 10, 0, labels)
  labels = downloads.as_labels(labels, _NUM_CLASSES, name)
  # Contiguous, since clients take rows of it.
  return np.ascontiguousarray(features.transpose(3, 0, 1, 2)), labels


def load_arrays(data_dir=None, cache_dir=None, verify=True):
  """Reads the cropped digits from their two official MATLAB files.

  The further 531,131 digits of `extra_32x32.mat` are left out, as in FedBAT's
  experiments.

  Args:
    data_dir: A folder with the files, or with a folder `svhn` of them. Nothing
      is downloaded if it is given.
    cache_dir: The folder that keeps the downloads if `data_dir` is None, see
      `downloads.cache_folder`.
    verify: Whether files must be the official ones, by their checksums.

  Returns:
    Training images, uint8 of shape `[73257, 32, 32, 3]`, their labels, the
    digits, int32 of shape `[73257]`, and likewise 26,032 test images and
    labels.

  Raises:
    FileNotFoundError: If `data_dir` is given and files are missing in it.
    ConnectionError: If a file is to be downloaded and cannot be.
    ValueError: If a file's contents are not the official ones, or no digits.
  """
  paths = _cached(cache_dir) if data_dir is None else _find_all(data_dir)
  arrays = []
  for name, path in paths.items():
    data = downloads.read(path)
    if verify:
      _check(data, name, path, '; verify=False takes others')
    arrays += _parse(data, path)
  return tuple(arrays)


@registry.register('svhn')
def load(
    *,
    data_dir,
    cache_dir,
    kernel_initializer,
    seed,
    verify=True,
    model='fedbat_cnn',
    normalization=None,
):
  """Loads SVHN: 73,257 examples to train, 26,032 to test.

  Features are uint8 of shape `[n, 32, 32, 3]`. As in the experiments of FedBAT,
  training and test pixels are standardized by constants of their own, one for
  all channels, and digits are neither shifted nor flipped.

  Args:
    data_dir: See `load_arrays`.
    cache_dir: See `load_arrays`.
    kernel_initializer: See `registry.load`.
    seed: See `registry.load`.
    verify: See `load_arrays`.
    model: One of `models.IMAGE_MODELS`.
    normalization: See `images.build_task`.

  Returns:
    A `registry.Task`.
  """
  return images.build_task(
      'svhn',
      functools.partial(load_arrays, data_dir, cache_dir, verify),
      _NUM_CLASSES,
      model=model,
      kernel_initializer=kernel_initializer,
      seed=seed,
      train_pixels=images.Pixels(0.4496, 0.1995),
      test_pixels=images.Pixels(0.4560, 0.2244),
      normalization=normalization,
  )
