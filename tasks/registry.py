# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The registry of tasks: a data set, its split, its scaling and a model."""

from collections.abc import Mapping
import dataclasses
import inspect
from typing import Callable, Optional

import numpy as np
import tensorflow as tf

from tasks import checks
from tasks import models


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
  """A data set with the model that learns it.

  Attributes:
    name: The name under which the task is registered.
    train_features: A uint8 array of shape `[n, ...]`, raw.
    train_labels: An int32 array in `[0, num_classes)`, of shape `[n]`, or `[n,
      length]` where each step of a sequence has a label.
    test_features: A uint8 array of shape `[m, ...]`, raw.
    test_labels: An int32 array of shape `[m]` or `[m, length]`.
    num_classes: The number of classes.
    build_model: Takes no argument, returns a new uncompiled `tf.keras.Model`
      with float32 logits, also under a mixed-precision policy.
    preprocess_train: A TF function from a uint8 batch of raw features to the
      batch that the model takes, for training.
    preprocess_test: Likewise, for evaluation.
    augment_train: A TF function from a uint8 batch of raw features and an int32
      seed of shape `[2]` to a changed batch, for training; None for no
      augmentation.
    natural_clients: If the data come from clients, a dict from their names to
      int64 arrays of indices, the training examples of each; else None.
    loss_fn: Takes no argument, returns a new `tf.keras.losses.Loss`; None for
      the cross-entropy of one label for each example.
    metrics_fn: Takes no argument, returns new `tf.keras.metrics.Metric`s, one
      of them `accuracy`; None for the accuracy of one label for each example.
  """

  name: str
  train_features: np.ndarray
  train_labels: np.ndarray
  test_features: np.ndarray
  test_labels: np.ndarray
  num_classes: int
  build_model: Callable[[], tf.keras.Model]
  preprocess_train: Callable[[tf.Tensor], tf.Tensor]
  preprocess_test: Callable[[tf.Tensor], tf.Tensor]
  augment_train: Optional[Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = None
  natural_clients: Optional[Mapping[str, np.ndarray]] = None
  loss_fn: Optional[Callable[[], tf.keras.losses.Loss]] = None
  metrics_fn: Optional[Callable[[], list[tf.keras.metrics.Metric]]] = None


_LOADERS = {}


def register(name):
  """Returns a decorator that registers a loader under `name`.

  Args:
    name: The task's name.

  Returns:
    A decorator of functions that take the keyword arguments `data_dir`,
    `cache_dir`, `kernel_initializer` and `seed` of `load`, and possibly options
    of the task with defaults, and return a `Task`.
  """

  def decorator(loader):
    _LOADERS[name] = loader
    return loader

  return decorator


def names():
  """Returns the names of the registered tasks, sorted."""
  return sorted(_LOADERS)


def load(
    name,
    *,
    data_dir=None,
    cache_dir=None,
    train_examples=None,
    kernel_initializer='paper',
    seed=None,
    **options,
):
  """Loads a task.

  Args:
    name: One of `names()`.
    data_dir: The folder with the task's official files. Nothing is downloaded
      if it is given. Ignored by tasks whose data come with a package.
    cache_dir: The folder that keeps downloads if `data_dir` is not given;
      `tff_binary` in `$XDG_CACHE_HOME` or `~/.cache` if None.
    train_examples: Keeps only so many training examples, the first ones; all of
      them if None. Natural clients that are left without any are left out.
    kernel_initializer: One of `models.KERNEL_INITIALIZERS`.
    seed: The seed of the model's initial weights, an int in `[0, 2**32)`. If
      None, they follow `tf.keras.utils.set_random_seed`.
    **options: Options of the task: `model` and `normalization` of `cifar10`,
      `cifar100`, `cinic10`, `fmnist` and `svhn`; `verify` of these but `fmnist`;
      `augment` of the first three; `label_mode` of `cifar100`; `lstm_units` and
      `min_characters` of `shakespeare`.

  Returns:
    A `Task`.

  Raises:
    ValueError: If an argument is not allowed or a file's contents are not the
      official ones.
    OSError: If the files are neither there nor can be downloaded.
  """
  checks.check_choice('task', name, names())
  checks.check_choice(
      'kernel_initializer', kernel_initializer, models.KERNEL_INITIALIZERS
  )
  if seed is not None:
    checks.check_integer('seed', seed, 0, 2**32 - 1)
  unknown = options.keys() - inspect.signature(_LOADERS[name]).parameters
  if unknown:
    raise ValueError(f'{sorted(unknown)[0]} is no option of the task {name}')
  task = _LOADERS[name](
      data_dir=data_dir,
      cache_dir=cache_dir,
      kernel_initializer=kernel_initializer,
      seed=seed,
      **options,
  )
  if train_examples is None:
    return task
  checks.check_integer(
      'train_examples', train_examples, 1, len(task.train_labels)
  )
  natural_clients = task.natural_clients
  if natural_clients is not None:
    kept = {
        name: indices[indices < train_examples]
        for name, indices in natural_clients.items()
    }
    natural_clients = {name: part for name, part in kept.items() if len(part)}
  return dataclasses.replace(
      task,
      natural_clients=natural_clients,
      train_features=task.train_features[:train_examples],
      train_labels=task.train_labels[:train_examples],
  )
