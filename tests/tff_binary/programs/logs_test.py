# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests that chatter goes to the log and nothing else does."""

import pathlib
import subprocess
import sys
import tempfile

from absl.testing import absltest

from tff_binary.programs import logs

_PROGRAM = """
import logging, os, sys, warnings
import absl.logging
import tensorflow as tf
from tff_binary.programs import logs

absl.logging.use_absl_handler()
with logs.stderr_to(sys.argv[1]) as terminal:
  os.write(2, b'native chatter\\n')
  tf.get_logger().warning('TensorFlow chatter')
  absl.logging.warning('absl chatter')
  warnings.warn('warning chatter')
  print('to stderr chatter', file=sys.stderr)
  print('for the user', file=terminal)
  print('result')
os.write(2, b'native afterwards\\n')
print('Python afterwards', file=sys.stderr)
tf.get_logger().warning('logger afterwards')
"""


class LogsTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.log = pathlib.Path(folder) / 'log'

  def test_separates_chatter_from_messages(self):
    done = subprocess.run(
        [sys.executable, '-c', _PROGRAM, str(self.log)],
        capture_output=True,
        text=True,
        env={'TF_CPP_MIN_LOG_LEVEL': '3', 'PYTHONPATH': '.'},
    )
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertEqual(done.stdout, 'result\n')
    self.assertNotIn('chatter', done.stderr)
    for source in ('for the user', 'native', 'Python', 'logger'):
      self.assertIn(source, done.stderr)
    logged = self.log.read_text()
    for source in ('native', 'TensorFlow', 'absl', 'warning', 'to stderr'):
      self.assertIn(f'{source} chatter', logged)
    self.assertNotIn('for the user', logged)

  def test_tail_names_the_file_and_ends_with_its_end(self):
    self.log.write_text('\n'.join(map(str, range(100))))
    lines = logs.tail(self.log).splitlines()
    self.assertIn(str(self.log), lines[0])
    self.assertEqual(lines[1:], [str(i) for i in range(80, 100)])


if __name__ == '__main__':
  absltest.main()
