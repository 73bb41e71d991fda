# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The official files of CIFAR-10 and CIFAR-100: batches of pickled arrays."""

from collections.abc import Mapping
import dataclasses
import io
import os
import pickle
import tarfile

import numpy as np

from tasks import downloads

SHAPE = (32, 32, 3)
_HOME_PAGE = 'https://www.cs.toronto.edu/~kriz/cifar.html'
_MIRRORS = (
    'https://www.cs.toronto.edu/~kriz/',
    'https://storage.googleapis.com/tensorflow/tf-keras-datasets/',
)

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


@dataclasses.dataclass(frozen=True)
class Batches:
  """A data set in an archive of batches.

  Attributes:
    data_set: Its name, for messages.
    cache: The name of its folder in the cache.
    folder: The name of the batches' folder, in the archive or unpacked.
    archive: The name of the archive.
    archive_sha256: The archive's checksum.
    md5: The batches' names with their checksums, in the order in which they are
      read; the last one is the test set. Only MD5 sums of them are published.
  """

  data_set: str
  cache: str
  folder: str
  archive: str
  archive_sha256: str
  md5: Mapping[str, str]

  def load_arrays(
      self, label_key, num_classes, data_dir=None, cache_dir=None, verify=True
  ):
    """Reads images and labels.

    Args:
      label_key: The key of the labels in a batch, bytes.
      num_classes: The number of classes.
      data_dir: A folder with the batches, with their folder or with the
        archive. Nothing is downloaded if it is given.
      cache_dir: The folder that keeps the download if `data_dir` is None, see
        `downloads.cache_folder`.
      verify: Whether files must be the official ones, by their checksums.
        Others, such as batches that were written anew, are read with False;
        either way nothing but arrays is unpickled.

    Returns:
      Training images, uint8 of shape `[n, 32, 32, 3]`, their labels, int32 of
      shape `[n]`, and likewise test images and labels.

    Raises:
      FileNotFoundError: If `data_dir` is given and files are missing in it.
      ConnectionError: If the archive is to be downloaded and cannot be.
      ValueError: If a file's contents are not the official ones, no archive of
        all batches or no batch.
    """
    if data_dir is None:
      contents = self._read_archive(self._cached(cache_dir), verify)
    else:
      contents = self._read_folder(data_dir, verify)
    *train, test = [
        self._parse(contents[name], name, label_key, num_classes, verify)
        for name in self.md5
    ]
    return (*map(np.concatenate, zip(*train)), *test)

  def _check_archive(self, data, origin):
    downloads.check_official(data, self.archive, self.archive_sha256, origin)

  def _read_archive(self, path, verify):
    """Returns the contents of the batches in the archive, by name."""
    data = downloads.read(path)
    if verify:
      self._check_archive(data, path)
    with downloads.reading(path, f'archive of {self.data_set}'):
      with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {
            name: archive.extractfile(f'{self.folder}/{name}').read()
            for name in self.md5
        }

  def _read_folder(self, data_dir, verify):
    """Returns the contents of the batches in a folder of files or the archive.

    Args:
      data_dir: See `load_arrays`.
      verify: Whether the archive must be the official one.

    Returns:
      A dict from the keys of `md5` to bytes.

    Raises:
      FileNotFoundError: If the folder or one of the files is missing.
      ValueError: If the archive is not the official one, or none.
    """
    folders = downloads.data_folders(data_dir, self.folder)
    for folder in folders:
      paths = {name: os.path.join(folder, name) for name in self.md5}
      if all(map(os.path.isfile, paths.values())):
        return {name: downloads.read(path) for name, path in paths.items()}
    archive = downloads.find(folders[1:], self.archive)
    if archive is None:
      raise FileNotFoundError(
          f'neither {self.archive} nor all of {", ".join(self.md5)} in'
          f' {folders[1]} or in {folders[0]}'
      )
    return self._read_archive(archive, verify)

  def _cached(self, cache_dir):
    """Returns the archive's path in the cache, downloading it first."""
    folder = downloads.cache_folder(cache_dir, self.cache)
    path = os.path.join(folder, self.archive)
    if not os.path.isfile(path):
      downloads.download(
          [mirror + self.archive for mirror in _MIRRORS],
          path,
          self._check_archive,
          self.data_set,
          downloads.advice([self.archive], _HOME_PAGE, folder),
      )
    return path

  def _parse(self, data, name, label_key, num_classes, verify):
    """Returns images and labels of a batch, see `load_arrays`."""
    if verify:
      downloads.check_official(
          data, 'file', self.md5[name], name, '; verify=False takes others'
      )
    with downloads.reading(name, f'batch of {self.data_set}'):
      batch = _ArrayUnpickler(io.BytesIO(data), encoding='bytes').load()
      images = np.asarray(batch[b'data']).reshape((-1, 3, 32, 32))
      labels = np.asarray(batch[label_key]).reshape(len(images))
    images = downloads.as_pixels(images, name)
    labels = downloads.as_labels(labels, num_classes, name)
    return images.transpose(0, 2, 3, 1), labels
