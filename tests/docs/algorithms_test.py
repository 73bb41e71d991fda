# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests that docs/algorithms.md is about the registered algorithms."""

import pathlib
import re

from absl.testing import absltest
from absl.testing import parameterized

from launchers import train
from tff_binary import algorithms

_DOCS = pathlib.Path(__file__).resolve().parents[2] / 'docs'
_PAGE = (_DOCS / 'algorithms.md').read_text(encoding='utf-8')
_PARTS = ('Client', 'Up', 'Down', 'Server', 'Different here', 'Results')


def _sections():
  """Returns the text of each section by its title, and the titles."""
  parts = re.split(r'^## (.+)\n', _PAGE, flags=re.M)[1:]
  return dict(zip(parts[::2], parts[1::2])), parts[::2]


class AlgorithmsPageTest(parameterized.TestCase):

  def test_has_a_section_for_each_algorithm_and_no_other(self):
    _, titles = _sections()
    self.assertCountEqual(
        titles, [algorithms.get(name).title for name in algorithms.names()]
    )

  @parameterized.parameters(*algorithms.names())
  def test_section_is_complete(self, name):
    algorithm = algorithms.get(name)
    section = _sections()[0][algorithm.title]
    file = algorithm.hyperparameters.__module__.split('.')[-1] + '.py'
    self.assertStartsWith(
        section.strip(),
        f'`{name}`, {algorithm.source}:\n'
        f'[{file}](../tff_binary/algorithms/{file})\n\n',
    )
    self.assertRegex(section, r'(?s)\n```\n.+?\n```\n')  # Equations.
    self.assertEqual(
        re.findall(r'^\* \*\*(.+?)\*\*[:,;]', section, re.M), list(_PARTS)
    )

  @parameterized.parameters(*algorithms.names())
  def test_flags_are_there(self, name):
    section = _sections()[0][algorithms.get(name).title]
    for flag in re.findall(r'`--([\w=.]+)`', section):
      with self.subTest(flag):
        if '=' in flag or flag.startswith('no'):
          train.read_settings([f'--algorithm={name}', f'--{flag}'])
        else:
          self.assertIn(flag, train.read_settings([f'--algorithm={name}']))


if __name__ == '__main__':
  absltest.main()
