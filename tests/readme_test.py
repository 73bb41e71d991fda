# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests that README.md and the guides in docs/ are true."""

import os
import pathlib
import re
import shlex
import tempfile
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

from launchers import train
from tff_binary import algorithms
from tff_binary import programs
from tff_binary import runtime

_ROOT = pathlib.Path(__file__).parents[1]
_README = _ROOT / 'README.md'
_PAGES = [_README, *sorted((_ROOT / 'docs').glob('*.md'))]


def _run_examples(page):
  """Runs a page's Python blocks; returns their variables."""
  path = _ROOT / page
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


def _bits_up(names):
  metrics = names['learning'].round_metrics(names['output'].metrics)
  return metrics['uplink_bits_per_param']


def _commands(path):
  """Returns the module and arguments of each Python command of a page."""
  commands = []
  blocks = re.findall(r'^```(\w*)\n(.*?)^```$', path.read_text(), re.M | re.S)
  for language, block in blocks:
    for line in block.replace('\\\n', ' ').splitlines():
      if not language and 'python -m' in line:
        module, *arguments = shlex.split(line.split('python -m')[1])
        commands.append((module, [a for a in arguments if a not in '&']))
  return commands


class ReadmeTest(parameterized.TestCase):

  def test_readme_runs(self):
    names = _run_examples('README.md')
    # One step size for the 7840 entries.
    self.assertAlmostEqual(_bits_up(names), 1.0 + 32 / 7840, places=5)

  def test_composing_runs(self):
    names = _run_examples('docs/composing.md')
    # The last one: of two bits an entry is left what it has of entropy.
    self.assertBetween(_bits_up(names), 0.5, 2.3)
    self.assertIn('plain_model', names)

  def test_runtime_runs(self):
    names = _run_examples('docs/runtime.md')
    self.assertAlmostEqual(_bits_up(names), (8 * 8 + 32) / 60, places=5)

  def test_tasks_are_learned(self):
    # One worker, which imports TensorFlow once, for all trainings.
    with runtime.execution_context(), mock.patch.dict(
        programs.train.__kwdefaults__, runtime='current'
    ):
      names = _run_examples('docs/tasks.md')
    self.assertGreater(names['result'].summary['last_test_accuracy'], 0.8)
    for name in ('regression', 'tags', 'tokens', 'pairs'):
      losses = [row['train_loss'] for row in names[name].history]
      self.assertLess(losses[-1], losses[0], name)
    # The pixels are noise.
    self.assertGreater(names['digits'].history[-1]['train_loss'], 0.0)
    self.assertLess(names['regression'].summary['best_test_loss'], 4.0)

  @parameterized.parameters(
      'README.md', 'docs/launchers.md', 'docs/runtime.md'
  )
  def test_commands_have_flags_that_there_are(self, page):
    commands = _commands(_ROOT / page)
    self.assertNotEmpty(commands)
    folder = os.getcwd()
    os.chdir(_ROOT)  # For flagfiles.
    self.addCleanup(os.chdir, folder)
    for module, arguments in commands:
      with self.subTest(module=module, arguments=arguments):
        rest = arguments
        if module != 'launchers.train':
          end = arguments.index('--') if '--' in arguments else len(arguments)
          rest = arguments[end + 1 :]
          for argument in arguments[:end]:
            if argument.startswith('--'):
              name = argument[2:].split('=')[0]
              self.assertRegex(_source(module), rf"'(--)?{name}'")
        train.read_settings(rest)

  def test_links_lead_somewhere(self):
    for path in [*_PAGES, *(_ROOT / 'docs' / 'results').glob('*.md')]:
      text = re.sub(r'(?ms)^(`{3,})\w*\n.*?^\1$', '', path.read_text())
      for link in re.findall(r'\]\(([^)\s]+)\)', text):
        file, _, heading = link.partition('#')
        if '://' in file:
          continue
        target = (path.parent / file) if file else path
        with self.subTest(page=path.name, link=link):
          self.assertTrue(target.exists())
          if heading:
            self.assertIn(heading, _anchors(target.read_text()))

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


def _source(module):
  """Returns the text of the files in which a program's flags are defined."""
  path = _ROOT / module.replace('.', '/')
  files = path.glob('*.py') if path.is_dir() else [path.with_suffix('.py')]
  return ''.join(file.read_text() for file in files)


def _anchors(text):
  """Returns what a page's headings are called in links."""
  headings = re.findall(r'^#+ (.+)$', text, re.M)
  return [re.sub(r'[^\w -]', '', h.lower()).replace(' ', '-') for h in headings]


if __name__ == '__main__':
  absltest.main()
