# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Scalars of every round for TensorBoard."""

import itertools
import os
import socket
import time

import tensorflow as tf

_FILE_NUMBERS = itertools.count()


class ScalarWriter:
  """Writes scalars by step into a new event file.

  As records of protocol buffers: every call of `tf.summary.scalar` leaves about
  a KB of memory behind, for ever.
  """

  def __init__(self, folder):
    """Creates the file in `folder`, a `pathlib.Path`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    # TensorBoard reads files in the order of their names.
    name = (
        f'events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}'
        f'.{os.getpid()}.{next(_FILE_NUMBERS)}'
    )
    self._writer = tf.io.TFRecordWriter(str(folder / name))
    self._add(file_version='brain.Event:2')

  def _add(self, **fields):
    event = tf.compat.v1.Event(wall_time=time.time(), **fields)
    self._writer.write(event.SerializeToString())
    self._writer.flush()

  def write(self, step, values):
    """Writes the numbers of a dict by name, those that are None left out."""
    summary = tf.compat.v1.Summary()
    for name, value in values.items():
      if value is not None:
        summary.value.add(tag=name, simple_value=value)
    self._add(step=step, summary=summary)

  def close(self):
    self._writer.close()
