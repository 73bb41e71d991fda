# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests that README.md and docs/tasks.md are true."""

import os
import pathlib
import re
import tempfile

from absl.testing import absltest

from tff_binary import algorithms

_ROOT = pathlib.Path(__file__).parents[1]
_README = _ROOT / 'README.md'


def _run_examples(path):
  """Runs a page's Python blocks; returns their variables."""
  examples = re.findall(r'```python\n(.*?)```', path.read_text(), re.S)
  assert examples, path
  # They build on one another, as a reader would type them.
  names = {'__name__': path.stem}
  folder = os.getcwd()
  with tempfile.TemporaryDirectory() as temporary:
    os.chdir(temporary)  # For what they write.
    try:
      for example in examples:
        # pylint: disable-next=exec-used
        exec(compile(example, str(path), 'exec'), names)
    finally:
      os.chdir(folder)
  return names


class ReadmeTest(absltest.TestCase):

  def test_python_examples_run(self):
    names = _run_examples(_README)
    self.assertGreater(names['result'].summary['last_test_accuracy'], 0.8)

  def test_tasks_are_learned(self):
    names = _run_examples(_ROOT / 'docs' / 'tasks.md')
    for name in ('regression', 'tags', 'tokens', 'pairs'):
      losses = [row['train_loss'] for row in names[name].history]
      self.assertLess(losses[-1], losses[0], name)
    # The pixels are noise.
    self.assertGreater(names['digits'].history[-1]['train_loss'], 0.0)
    self.assertLess(names['regression'].summary['best_test_loss'], 4.0)

  def test_table_lists_every_algorithm(self):
    rows = re.findall(r'^\| (\w.*) \| `(\w+)` \| (.*) \| (.*) \|$',
                      _README.read_text(), re.M)
    self.assertCountEqual(
        rows,
        [
            (a.title, a.name, a.summary, a.source)
            for a in map(algorithms.get, algorithms.names())
        ],
    )


if __name__ == '__main__':
  absltest.main()
