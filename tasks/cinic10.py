# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The `cinic10` task: CINIC-10 with LPT's ConvNet.

Source: Darlow et al., "CINIC-10 Is Not ImageNet or CIFAR-10", 2018.
"""

import functools
import io
import os
import posixpath
import tarfile

import numpy as np
import tensorflow as tf

from tasks import downloads
from tasks import images
from tasks import registry

_FOLDER = 'cinic-10'
_ARCHIVE = 'CINIC-10.tar.gz'
_HOME_PAGE = 'https://datashare.ed.ac.uk/handle/10283/3192'
_URLS = (
    f'https://datashare.ed.ac.uk/bitstream/handle/10283/3192/{_ARCHIVE}',
    'https://datashare.ed.ac.uk/server/api/core/bitstreams/'
    'e8e186cc-2688-48f1-aa5a-3fda1a43f8b6/content',
)
# The home page has none; this MD5 is the one of the loaders in public
# repositories.
_ARCHIVE_MD5 = '6ee4d0c996905fe93221de577967a372'
_SPLITS = ('train', 'test')
# The order of the labels, which is CIFAR-10's.
_CLASSES = (
    'airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse',
    'ship', 'truck',
)  # pyformat: disable
_SHAPE = (32, 32, 3)
_MEAN = (0.47889522, 0.47227842, 0.43047404)
_STDDEV = (0.24205776, 0.23828046, 0.25874835)


def _check_archive(data, origin, remedy=''):
  downloads.check_official(data, _ARCHIVE, _ARCHIVE_MD5, origin, remedy)


def _read_archive(path, verify):
  """Returns the contents of the images in the archive.

  Args:
    path: The archive.
    verify: Whether it must be the official one.

  Returns:
    A dict from a split and a class to a dict from names of files to bytes.

  Raises:
    ValueError: If it is not the official one, or no archive.
  """
  data = downloads.read(path)
  if verify:
    _check_archive(data, path, '; verify=False takes others')
  contents = {(s, c): {} for s in _SPLITS for c in _CLASSES}
  with downloads.reading(path, 'archive of CINIC-10'):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
      for member in archive:
        parts = posixpath.normpath(member.name).split('/')
        if member.isfile() and tuple(parts[:-1]) in contents:
          image = archive.extractfile(member).read()
          contents[tuple(parts[:-1])][parts[-1]] = image
  return contents


def _read_folder(folder):
  """Returns what `_read_archive` does from the unpacked archive."""
  contents = {}
  for split in _SPLITS:
    for name in _CLASSES:
      path = os.path.join(folder, split, name)
      contents[split, name] = {
          file: downloads.read(os.path.join(path, file))
          for file in os.listdir(path)
      }
  return contents


def _read(data_dir, verify):
  """Returns what `_read_archive` does, from the user's folder."""
  folders = downloads.data_folders(data_dir, _FOLDER)
  for folder in folders:
    if all(
        os.path.isdir(os.path.join(folder, split, name))
        for split in _SPLITS
        for name in _CLASSES
    ):
      return _read_folder(folder)
  archive = downloads.find(folders, _ARCHIVE)
  if archive is None:
    raise FileNotFoundError(
        f'neither {_ARCHIVE} nor its folders train and test, with a folder for'
        f' each of {", ".join(_CLASSES)}, in {" or ".join(folders)}'
    )
  return _read_archive(archive, verify)


def _cached(cache_dir):
  """Returns the archive's path in the cache, downloading it first."""
  folder = downloads.cache_folder(cache_dir, _FOLDER)
  path = os.path.join(folder, _ARCHIVE)
  if not os.path.isfile(path):
    downloads.download(
        _URLS,
        path,
        _check_archive,
        'CINIC-10',
        downloads.advice([_ARCHIVE], _HOME_PAGE, folder),
    )
  return path


def _decode(names, contents):
  """Returns uint8 images of PNG files, a list of bytes; `names` for errors."""
  decoded = np.empty([len(contents), *_SHAPE], np.uint8)
  for i, (name, data) in enumerate(zip(names, contents)):
    with downloads.reading(name, '32x32 image of CINIC-10'):
      # Three channels also of the few images that are gray.
      image = tf.io.decode_png(data, channels=3).numpy()
      if image.shape != _SHAPE:  # NumPy would repeat one pixel, or a line.
        raise ValueError(f'it has the shape {list(image.shape)}')
      decoded[i] = image
  return decoded


def _parse(contents, split):
  """Returns the images and labels of a split, see `load_arrays`."""
  examples = [
      (rank, label, f'{split}/{name}/{file}', data)
      for label, name in enumerate(_CLASSES)
      for rank, (file, data) in enumerate(sorted(contents[split, name].items()))
  ]
  if not examples:
    raise ValueError(f'there are no images of CINIC-10 in the folder {split}')
  # One of each class in turn.
  _, labels, names, data = zip(*sorted(examples, key=lambda e: e[:2]))
  return _decode(names, data), np.array(labels, np.int32)


def load_arrays(data_dir=None, cache_dir=None, verify=True):
  """Reads CINIC-10 from its official archive of PNG files, or its folders.

  The validation set is left out, as in LPT's experiments. The images of a class
  are in the order of their names, and the classes take turns, so that leading
  parts have as many of each. Unpacking takes the better part of a minute.

  Args:
    data_dir: A folder with the archive or what is in it, or with a folder
      `cinic-10` of that. Nothing is downloaded if it is given.
    cache_dir: The folder that keeps the download, 656 MB, if `data_dir` is
      None, see `downloads.cache_folder`.
    verify: Whether the archive must be the official one, by its checksum.

  Returns:
    Training images, uint8 of shape `[90000, 32, 32, 3]`, their labels, int32 of
    shape `[90000]`, and likewise 90,000 test images and labels.

  Raises:
    FileNotFoundError: If `data_dir` is given and files are missing in it.
    ConnectionError: If the archive is to be downloaded and cannot be.
    ValueError: If the archive is not the official one, or none, or a file no
      image.
  """
  if data_dir is None:
    contents = _read_archive(_cached(cache_dir), verify)
  else:
    contents = _read(data_dir, verify)
  return (*_parse(contents, 'train'), *_parse(contents, 'test'))


@registry.register('cinic10')
def load(
    *,
    data_dir,
    cache_dir,
    kernel_initializer,
    seed,
    augment=False,
    verify=True,
    model='convnet',
    normalization=None,
):
  """Loads CINIC-10: 90,000 examples to train, 90,000 to test.

  Features are uint8 of shape `[n, 32, 32, 3]`, standardized by channel with the
  constants of the data set's authors.

  Args:
    data_dir: See `load_arrays`.
    cache_dir: See `load_arrays`.
    kernel_initializer: See `registry.load`.
    seed: See `registry.load`.
    augment: Whether clients train on shifted and flipped images.
    verify: See `load_arrays`.
    model: One of `models.IMAGE_MODELS`.
    normalization: See `images.build_task`.

  Returns:
    A `registry.Task`.
  """
  return images.build_task(
      'cinic10',
      functools.partial(load_arrays, data_dir, cache_dir, verify),
      len(_CLASSES),
      model=model,
      kernel_initializer=kernel_initializer,
      seed=seed,
      train_pixels=images.Pixels(_MEAN, _STDDEV),
      normalization=normalization,
      augment=augment,
  )
