# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The `fmnist` task: Fashion-MNIST with the models of `models`."""

import gzip
import os
import zlib

import numpy as np

from tasks import downloads
from tasks import images
from tasks import registry

_FOLDER = 'fashion-mnist'
_HOME_PAGE = 'https://github.com/zalandoresearch/fashion-mnist'
# Both hold the official release: the authors' repository and their bucket.
_MIRRORS = (
    'https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/'
    'b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/',
    'https://fashion-mnist.s3.eu-central-1.amazonaws.com/',
)
# Of the inflated contents, so that another gzip wrapping is the same file.
_SHA256 = {
    'train-images-idx3-ubyte': (
        'c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888'
    ),
    'train-labels-idx1-ubyte': (
        'bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9'
    ),
    't10k-images-idx3-ubyte': (
        '5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b'
    ),
    't10k-labels-idx1-ubyte': (
        '0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34'
    ),
}
_GZIP_MAGIC = b'\x1f\x8b'


def _official_contents(data, name, origin):
  """Inflates `data` if needed and checks that it is the official file `name`.

  Args:
    data: Bytes of a file, gzip or plain.
    name: A key of `_SHA256`.
    origin: Where `data` comes from, for the message.

  Returns:
    The inflated bytes.

  Raises:
    ValueError: If they are not the official ones.
  """
  if data.startswith(_GZIP_MAGIC):
    try:
      data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
      raise ValueError(f'{origin} is a damaged gzip file: {error}') from error
  downloads.check_official(data, name, _SHA256[name], origin)
  return data


def _parse_idx(data):
  """Returns the uint8 array of an IDX file: magic, dimensions, row-major."""
  rank = data[3]
  shape = np.frombuffer(data, '>u4', count=rank, offset=4)
  return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def _find(name, folders):
  """Returns the first path of file `name`, gzip or inflated; None if none."""
  return downloads.find(folders, f'{name}.gz', name)


def _find_all(data_dir):
  """Returns the path of each official file in `data_dir`.

  Args:
    data_dir: A folder with the files, or with a folder `fashion-mnist` of them.

  Returns:
    A dict from the keys of `_SHA256` to paths.

  Raises:
    FileNotFoundError: If the folder or one of the files is missing.
  """
  folders = downloads.data_folders(data_dir, _FOLDER)
  paths = {name: _find(name, folders) for name in _SHA256}
  missing = [name for name, path in paths.items() if path is None]
  if missing:
    raise FileNotFoundError(
        f'no {", ".join(missing)} (with or without .gz) in'
        f' {" or ".join(folders)}'
    )
  return paths


def _download(name, folder):
  """Downloads one official file into `folder` as gzip; returns its path."""
  path = os.path.join(folder, f'{name}.gz')
  downloads.download(
      [f'{mirror}{name}.gz' for mirror in _MIRRORS],
      path,
      lambda data, url: _official_contents(data, name, url),
      'Fashion-MNIST',
      downloads.advice([f'{n}.gz' for n in _SHA256], _HOME_PAGE, folder),
  )
  return path


def _cached(cache_dir):
  """Returns the path of each official file in the cache, downloading it first.

  Args:
    cache_dir: See `downloads.cache_folder`.

  Returns:
    A dict from the keys of `_SHA256` to paths.

  Raises:
    ConnectionError: If a file is missing and cannot be downloaded.
  """
  folder = downloads.cache_folder(cache_dir, _FOLDER)
  return {
      name: _find(name, [folder]) or _download(name, folder)
      for name in _SHA256
  }


def load_arrays(data_dir=None, cache_dir=None):
  """Reads Fashion-MNIST from its four official IDX files.

  Args:
    data_dir: A folder with the files, or with a folder `fashion-mnist` of them,
      each gzip or inflated. Nothing is downloaded if it is given.
    cache_dir: The folder that keeps the downloads if `data_dir` is None;
      `tff_binary` in `$XDG_CACHE_HOME` or `~/.cache` if None.

  Returns:
    Training images, uint8 of shape `[60000, 28, 28]`, their labels, uint8 of
    shape `[60000]`, and likewise 10,000 test images and labels.

  Raises:
    FileNotFoundError: If `data_dir` is given and files are missing in it.
    ConnectionError: If a file is to be downloaded and cannot be.
    ValueError: If a file's contents are not the official ones.
  """
  paths = _cached(cache_dir) if data_dir is None else _find_all(data_dir)
  arrays = []
  for name, path in paths.items():
    data = _official_contents(downloads.read(path), name, path)
    arrays.append(_parse_idx(data))
  return tuple(arrays)


@registry.register('fmnist')
def load(
    *,
    data_dir,
    cache_dir,
    kernel_initializer,
    seed,
    model='fedbat_cnn',
    normalization=None,
):
  """Loads Fashion-MNIST: 60,000 examples to train, 10,000 to test.

  Features are uint8 of shape `[n, 28, 28, 1]`. As in the experiments of FedBAT,
  training and test pixels are standardized by constants of their own.

  Args:
    data_dir: See `load_arrays`.
    cache_dir: See `load_arrays`.
    kernel_initializer: See `registry.load`.
    seed: See `registry.load`.
    model: One of `models.IMAGE_MODELS`.
    normalization: See `images.build_task`.

  Returns:
    A `registry.Task`.
  """

  def load_with_channels():
    train_images, train_labels, test_images, test_labels = load_arrays(
        data_dir, cache_dir
    )
    return (
        train_images[..., np.newaxis],
        train_labels.astype(np.int32),
        test_images[..., np.newaxis],
        test_labels.astype(np.int32),
    )

  return images.build_task(
      'fmnist',
      load_with_channels,
      10,
      model=model,
      kernel_initializer=kernel_initializer,
      seed=seed,
      train_pixels=images.Pixels(0.2860, 0.3530),
      test_pixels=images.Pixels(0.2868, 0.3524),
      normalization=normalization,
  )
