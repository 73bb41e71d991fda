# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Follows docs/ADDING_AN_ALGORITHM.md in a copy of the checkout."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from absl.testing import absltest

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_PAGE = _ROOT / 'docs' / 'ADDING_AN_ALGORITHM.md'
_COPIED = ('docs', 'launchers', 'tasks', 'tests', 'tff_binary')

# What the page says to do with a block, and the block.
_STEP = re.compile(
    r'^(New file|In|At the end of) `(\S+)`(?:, all but the first line are new)?:'
    r'\n\n(`{3,4})\w+\n(.*?)^\3$',
    re.M | re.S,
)


def _follow(root):
  """Does what the page says in the checkout `root`; returns the new files."""
  new = []
  for kind, name, _, block in _STEP.findall(_PAGE.read_text(encoding='utf-8')):
    path = root / name
    if kind == 'New file':
      assert not path.exists(), name
      new.append(name)
      text = block
    elif kind == 'In':
      anchor = block.split('\n')[0] + '\n'
      text = path.read_text(encoding='utf-8')
      assert text.count(anchor) == 1, (name, anchor)
      text = text.replace(anchor, block)
    else:
      text = path.read_text(encoding='utf-8') + block
    path.write_text(text, encoding='utf-8')
  return new


class AddingAnAlgorithmTest(absltest.TestCase):

  def _run(self, *arguments):
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=self.root,
        env={**os.environ, 'PYTHONPATH': str(self.root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    self.assertEqual(done.returncode, 0, done.stdout)
    return done.stdout

  def test_what_the_page_says_works(self):
    self.root = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    for name in _COPIED:
      shutil.copytree(_ROOT / name, self.root / name)
    for name in ('README.md', 'pyproject.toml'):
      shutil.copy2(_ROOT / name, self.root)
    new = _follow(self.root)
    self.assertLen(new, 6)
    # Every block but the formula and the commands was one to follow.
    blocks = re.findall(r'^```\w+$', _PAGE.read_text(), re.M)
    steps = _STEP.findall(_PAGE.read_text())
    self.assertLen(steps, len(blocks) + 1)
    # Its own tests, and its cases of those of all codecs.
    passed = self._run(
        '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-k',
        'terngrad or Page or table', *(n for n in new if n.endswith('_test.py')),
        'tests/tff_binary/wire/extremes_test.py',
        'tests/tff_binary/wire/golden_test.py',
        'tests/docs/algorithms_test.py', 'tests/readme_test.py',
    )  # pyformat: disable
    self.assertRegex(passed, r'\n\d+ passed')
    self._run(
        '-c', 'from launchers import train; print(train.read_settings('
        "['--algorithm=terngrad', '--clip_deviations=2', '--task=digits']))",
    )


if __name__ == '__main__':
  absltest.main()
