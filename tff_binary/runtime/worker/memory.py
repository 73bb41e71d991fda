# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""How a process keeps its memory, and looks for garbage in it."""

import contextlib
import ctypes
import gc

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_M_ARENA_MAX = -8


def keep_freed_memory(num_arenas=1):
  """Has this process use freed memory again instead of returning it.

  The C library asks the operating system for every large tensor and message
  anew, and each of their pages is then cleared at its first use. In virtual
  machines that can take longer than filling them: FedBiF's round trip of its
  clients' states to the worker is several times as fast with this.

  It concerns the whole process, so it is for programs, not for libraries; call
  it before there are threads. The process then never gets smaller. Without
  glibc it does nothing.

  Args:
    num_arenas: Into how many parts memory is divided, so that threads wait less
      for each other. All but the first are of 64 MB at most and are given back
      when they are empty.
  """
  mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
  if mallopt is not None:
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, -1)
    mallopt(_M_ARENA_MAX, num_arenas)


@contextlib.contextmanager
def without_collections():
  """Has Python not search for garbage in the block, which is one of imports.

  What they make stays, and every search goes through all of it: a sixth of the
  CPU time of importing TFF.
  """
  was_enabled = gc.isenabled()
  gc.disable()
  try:
    yield
  finally:
    if was_enabled:
      gc.enable()


def forget_attributes(tensor):
  """Returns an eager tensor, rid of the room for attributes that it has not.

  On Python 3.11 TensorFlow 2.14 leaves these 16 bytes behind for every tensor
  that is gone (tensorflow/tensorflow issue 62551), half a kilobyte a client.
  """
  del tensor.__dict__
  return tensor
