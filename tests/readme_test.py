# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests that README.md is true."""

import pathlib
import re

from absl.testing import absltest

from tff_binary import algorithms

_README = pathlib.Path(__file__).parents[1] / 'README.md'


class ReadmeTest(absltest.TestCase):

  def test_python_examples_run(self):
    examples = re.findall(r'```python\n(.*?)```', _README.read_text(), re.S)
    self.assertNotEmpty(examples)
    # They build on one another, as a reader would type them.
    names = {'__name__': 'readme'}
    for example in examples:
      # pylint: disable-next=exec-used
      exec(compile(example, str(_README), 'exec'), names)
    self.assertGreater(names['result'].summary['last_test_accuracy'], 0.8)

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
