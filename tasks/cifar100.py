# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The `cifar100` task: CIFAR-100 with ResNet-10."""

import functools

from tasks import checks
from tasks import cifar
from tasks import images
from tasks import registry

_BATCHES = cifar.Batches(
    data_set='CIFAR-100',
    cache='cifar-100',
    folder='cifar-100-python',
    archive='cifar-100-python.tar.gz',
    # Keras' and torchvision's loaders have it. Its MD5 on the home page,
    # eb9058c3a382ffc7106e4002c42a8d85, is of the same file.
    archive_sha256=(
        '85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7'
    ),
    md5={  # Of torchvision's loader.
        'train': '16019d7e3df5f24257cddd939b257f8d',
        'test': 'f0ef6b0ae62326f3e7ffdfab6717acfc',
    },
)
_NUM_CLASSES = {'fine': 100, 'coarse': 20}


def load_arrays(data_dir=None, cache_dir=None, verify=True, label_mode='fine'):
  """Reads CIFAR-100 from its two official batches of pickled arrays.

  Args:
    data_dir: A folder with the batches `train` and `test`, with a folder
      `cifar-100-python` of them, or with the archive. Nothing is downloaded if
      it is given.
    cache_dir: See `cifar.Batches.load_arrays`.
    verify: See `cifar.Batches.load_arrays`.
    label_mode: `'fine'` for the 100 classes, `'coarse'` for the 20 groups of
      five of them.

  Returns:
    Training images, uint8 of shape `[50000, 32, 32, 3]`, their labels, int32 of
    shape `[50000]`, and likewise 10,000 test images and labels.

  Raises:
    FileNotFoundError: If `data_dir` is given and files are missing in it.
    ConnectionError: If the archive is to be downloaded and cannot be.
    ValueError: If `label_mode` is not allowed, or if a file's contents are not
      the official ones or no batch.
  """
  checks.check_choice('label_mode', label_mode, list(_NUM_CLASSES))
  return _BATCHES.load_arrays(
      f'{label_mode}_labels'.encode(),
      _NUM_CLASSES[label_mode],
      data_dir,
      cache_dir,
      verify,
  )


@registry.register('cifar100')
def load(
    *,
    data_dir,
    cache_dir,
    kernel_initializer,
    seed,
    augment=False,
    verify=True,
    model='resnet10',
    normalization=None,
    label_mode='fine',
):
  """Loads CIFAR-100: 50,000 examples to train, 10,000 to test.

  Features are uint8 of shape `[n, 32, 32, 3]`, standardized by channel with the
  constants of FedBAT's code, those of the training set.

  Args:
    data_dir: See `load_arrays`.
    cache_dir: See `load_arrays`.
    kernel_initializer: See `registry.load`.
    seed: See `registry.load`.
    augment: Whether clients train on shifted and flipped images.
    verify: See `load_arrays`.
    model: One of `models.IMAGE_MODELS`.
    normalization: See `images.build_task`; LPT's experiments take `'cifar10'`.
    label_mode: See `load_arrays`.

  Returns:
    A `registry.Task`.
  """
  checks.check_choice('label_mode', label_mode, list(_NUM_CLASSES))
  return images.build_task(
      'cifar100',
      functools.partial(load_arrays, data_dir, cache_dir, verify, label_mode),
      _NUM_CLASSES[label_mode],
      model=model,
      kernel_initializer=kernel_initializer,
      seed=seed,
      train_pixels=images.Pixels(
          (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)
      ),
      normalization=normalization,
      augment=augment,
  )
