# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""launchers.train in the process of the tests, which imports TFF once."""

import contextlib
import io

from absl import flags
from absl.testing import flagsaver

from launchers import train as launcher


def train(**settings):
  """Runs the launcher with some flags; returns its standard output."""
  if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()
  with flagsaver.flagsaver(**settings):
    with contextlib.redirect_stdout(io.StringIO()) as out:
      launcher.main(['train'])
  return out.getvalue()
