# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The devices that a worker computes on, and the threads that use them."""

from concurrent import futures
import os
import queue
import threading

import tensorflow as tf


def resolve(names):
  """Returns the full names of devices.

  Args:
    names: Short names such as 'GPU:0'; none for all GPUs, or the CPU if there
      are no GPUs.

  Returns:
    A list of names.

  Raises:
    ValueError: If a device does not exist or is named twice.
  """
  _let_gpu_memory_grow()
  existing = {
      f'{device.device_type}:{device.name.rsplit(":", 1)[1]}': device.name
      for device in tf.config.list_logical_devices()
  }
  if not names:
    gpus = [name for name in existing if name.startswith('GPU:')]
    names = gpus or ['CPU:0']
  for name in names:
    if name not in existing:
      raise ValueError(
          f'no device {name!r}; there are {", ".join(existing)}'
      )
  if len(set(names)) < len(names):
    raise ValueError(f'a device is named twice in {", ".join(names)}')
  return [existing[name] for name in names]


def _let_gpu_memory_grow():
  """Leaves GPU memory that is not needed to other processes."""
  for gpu in tf.config.list_physical_devices('GPU'):
    try:
      tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:  # The GPU is in use, in the way that was chosen then.
      pass


class DevicePool:
  """Threads, some for each device, that serve one first-in-first-out queue.

  A task may wait for tasks that were submitted before it: there is always a
  thread that works on the first one.
  """

  def __init__(self, devices, threads_per_device):
    """Starts the threads.

    Args:
      devices: Full names of devices.
      threads_per_device: How many tasks run on each of them at the same time;
        `None` for the number of cores on a CPU, and 1 on another device.

    Raises:
      ValueError: If `threads_per_device` is less than 1.
    """
    if threads_per_device is not None and threads_per_device < 1:
      raise ValueError(
          f'clients_per_device must be at least 1, got {threads_per_device}'
      )
    self._queue = queue.SimpleQueue()
    self._threads = []
    for device in devices:
      for _ in range(threads_per_device or _default_threads(device)):
        # Daemons: a client's computation may take hours, and be unwanted.
        thread = threading.Thread(
            target=self._work, args=(device,), daemon=True
        )
        thread.start()
        self._threads.append(thread)
    self._first_device = devices[0]
    self.is_on_cpu = all(':CPU:' in device for device in devices)

  @property
  def num_threads(self):
    return len(self._threads)

  def server_device(self):
    """Returns a context manager for what the server computes."""
    return tf.device(self._first_device)

  def submit(self, function, *args):
    """Returns a `Future` of `function(*args)`, called under some device."""
    future = futures.Future()
    self._queue.put((future, function, args))
    return future

  def close(self):
    """Lets the threads end after the tasks that were submitted."""
    for _ in self._threads:
      self._queue.put(None)

  def _work(self, device):
    with tf.device(device):
      while (task := self._queue.get()) is not None:
        future, function, args = task
        try:
          future.set_result(function(*args))
        except BaseException as error:  # pylint: disable=broad-exception-caught
          future.set_exception(error)
        # An idle thread keeps no tensors.
        del task, future, function, args


def _default_threads(device):
  return len(os.sched_getaffinity(0)) if ':CPU:' in device else 1
