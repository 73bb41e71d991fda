# Copyright 2026 The tff_binary Authors.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
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
