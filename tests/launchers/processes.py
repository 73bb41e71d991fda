# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Launchers as processes."""

import pathlib
import subprocess
import sys

_ROOT = pathlib.Path(__file__).parents[2]


def start(launcher, *arguments, **kwargs):
  """Starts `python -m launchers.<launcher>` and returns its `Popen`."""
  return subprocess.Popen(
      [sys.executable, '-m', f'launchers.{launcher}', *arguments],
      cwd=_ROOT,
      text=True,
      **kwargs,
  )


def run(launcher, *arguments):
  """Returns exit status, standard output and standard error of a launcher."""
  process = start(
      launcher, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE
  )
  out, err = process.communicate(timeout=600)
  return process.returncode, out, err
