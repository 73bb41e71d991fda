# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The `cifar10` task: CIFAR-10 with ResNet-18."""

import functools

from tasks import cifar
from tasks import images
from tasks import registry

_BATCHES = cifar.Batches(
    data_set='CIFAR-10',
    cache='cifar-10',
    folder='cifar-10-batches-py',
    archive='cifar-10-python.tar.gz',
    archive_sha256=(
        '6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce'
    ),
    md5={
        'data_batch_1': 'c99cafc152244af753f735de768cd75f',
        'data_batch_2': 'd4bba439e000b95fd0a9bffe97cbabec',
        'data_batch_3': '54ebc095f3ab1f0389bbae665268c751',
        'data_batch_4': '634d18415352ddfa80567beed471001a',
        'data_batch_5': '482c414d41f54cd18b22e5b47cb7c3cb',
        'test_batch': '40351d587109b95175f43aff81a1287e',
    },
)
_NUM_CLASSES = 10


def load_arrays(data_dir=None, cache_dir=None, verify=True):
  """Reads CIFAR-10 from its six official batches of pickled arrays.

  Args:
    data_dir: A folder with the batches, with a folder `cifar-10-batches-py` of
      them, or with the archive. Nothing is downloaded if it is given.
    cache_dir: See `cifar.Batches.load_arrays`.
    verify: See `cifar.Batches.load_arrays`.

  Returns:
    Training images, uint8 of shape `[50000, 32, 32, 3]`, their labels, int32 of
    shape `[50000]`, and likewise 10,000 test images and labels.

  Raises:
    FileNotFoundError: If `data_dir` is given and files are missing in it.
    ConnectionError: If the archive is to be downloaded and cannot be.
    ValueError: If a file's contents are not the official ones or no batch.
  """
  return _BATCHES.load_arrays(
      b'labels', _NUM_CLASSES, data_dir, cache_dir, verify
  )


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
    normalization=None,
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
    normalization: See `images.build_task`; FedBAT's experiments take
      `'imagenet'`.

  Returns:
    A `registry.Task`.
  """
  return images.build_task(
      'cifar10',
      functools.partial(load_arrays, data_dir, cache_dir, verify),
      _NUM_CLASSES,
      model=model,
      kernel_initializer=kernel_initializer,
      seed=seed,
      train_pixels=images.NORMALIZATIONS['cifar10'],
      normalization=normalization,
      augment=augment,
  )
