# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Keeps TensorFlow's and TFF's chatter off the terminal."""

import contextlib
import logging
import os
import pathlib
import sys

_TAIL_LINES = 20


@contextlib.contextmanager
def native_stderr_to(file):
  """Redirects what this process writes to file descriptor 2, not by Python.

  Args:
    file: An open file.

  Yields:
    A file descriptor of the former standard error, closed after the block; of
    the null device if that was closed.
  """
  _flush()
  try:
    former = os.dup(2)
  except OSError:
    former = os.open(os.devnull, os.O_WRONLY)
  os.dup2(file.fileno(), 2)
  try:
    yield former
  finally:
    _flush()
    os.dup2(former, 2)
    os.close(former)


def _flush():
  if sys.stderr is not None:  # As in a process without standard error.
    sys.stderr.flush()


@contextlib.contextmanager
def stderr_to(log_path):
  """Appends everything for standard error to a file: C++, logs and warnings.

  Args:
    log_path: The file.

  Yields:
    A text stream that reaches the former `sys.stderr`, for what is meant to be
    read at once.
  """
  with contextlib.ExitStack() as stack:
    log = stack.enter_context(open(log_path, 'a', buffering=1))
    terminal = sys.stderr
    former = stack.enter_context(native_stderr_to(log))
    # A notebook's stream does not write to the descriptor and stays as it is.
    if terminal is None or terminal is sys.__stderr__:
      terminal = stack.enter_context(
          open(former, 'w', buffering=1, closefd=False)
      )
    stack.enter_context(contextlib.redirect_stderr(log))
    for name in (None, 'absl', 'tensorflow'):
      for handler in logging.getLogger(name).handlers:
        # absl's handler keeps the one with the stream inside.
        handler = getattr(handler, 'python_handler', handler)
        if getattr(handler, 'stream', None) in (sys.__stderr__, terminal):
          stack.callback(handler.setStream, handler.setStream(log))
    yield terminal


def tail(log_path):
  """Returns the last lines of a log, with the file's name above them."""
  lines = pathlib.Path(log_path).read_text(errors='replace').splitlines()
  return '\n'.join([f'The end of {log_path}:', *lines[-_TAIL_LINES:]])
