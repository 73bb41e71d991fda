# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The rules of the house, kept by reading the source.

Each rule is a function from source text to the lines that break it. It is run
on the files it holds for, and on a line that breaks it, so that it can fail.
"""

import ast
import pathlib
import re

from absl.testing import absltest
from absl.testing import parameterized

_ROOT = pathlib.Path(__file__).resolve().parent.parent

# Which packages of tff_binary each one may import, besides itself.
_OPS = {'ops'}
_WIRE = {'wire'} | _OPS
_FACTORIES = {'aggregators', 'distributors'}
_LEARNING = {'learning', 'layers'} | _FACTORIES | _WIRE
_ALGORITHMS = {'algorithms'} | _LEARNING
_TOP = {'programs', 'runtime'} | _ALGORITHMS
_MAY_IMPORT = {
    'ops': set(),
    'wire': _OPS,
    'layers': _OPS,
    'aggregators': _WIRE,
    'distributors': _WIRE,
    'learning': _LEARNING,
    'algorithms': _LEARNING,
    'programs': _TOP,
    'runtime': _TOP,
    'analysis': _TOP,
}

# What runs on every client: pure TensorFlow, of any version.
_WITHOUT_TFF = ('ops', 'wire', 'layers')
_WITHOUT_KERAS = ('ops', 'wire')

# Where the code that TFF traces lives.
_TRACED = (
    'ops', 'wire', 'layers', 'aggregators', 'distributors', 'learning',
)

# Left alone by a search through all files: not committed.
_NOT_COMMITTED = (
    '.git', '.venv', '.venv-worker', '.pytest_cache', '__pycache__', 'runs',
)

# What every file begins with, before its docstring.
_LICENCE = [
    '# SPDX-FileCopyrightText: 2026 The tff_binary Authors',
    '# SPDX-License-Identifier: Apache-2.0',
]


def _committed(pattern):
  """Yields the files of the checkout whose names match `pattern`."""
  for path in sorted(_ROOT.rglob(pattern)):
    parts = path.relative_to(_ROOT).parts
    if path.is_file() and not set(parts) & set(_NOT_COMMITTED):
      yield path


def _sources(*folders):
  for folder in folders:
    for path in sorted((_ROOT / folder).rglob('*.py')):
      yield path


def _tff_binary_sources(packages):
  return _sources(*(f'tff_binary/{package}' for package in packages))


def _imports(tree):
  """Yields (line, dotted name) of everything that is imported or reached."""
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      for alias in node.names:
        yield node.lineno, alias.name
    elif isinstance(node, ast.ImportFrom):
      for alias in node.names:
        yield node.lineno, f'{"." * node.level}{node.module or ""}.{alias.name}'
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
      if (node.value.id, node.attr) == ('tf', 'keras'):
        yield node.lineno, 'keras'
      elif node.value.id == 'tff_binary':
        yield node.lineno, f'tff_binary.{node.attr}'


def _is_within(name, roots):
  return any(f'{name}.'.startswith(f'{root}.') for root in roots)


def _forbidden_imports(source, forbidden):
  """Returns the imports of `forbidden` packages, or of anything in them."""
  return [
      f'line {line}: {name}'
      for line, name in _imports(ast.parse(source))
      if _is_within(name, forbidden)
  ]


def _forbidden_for(package):
  others = set(_MAY_IMPORT) - _MAY_IMPORT[package] - {package}
  forbidden = {f'tff_binary.{other}' for other in others}
  if package in _WITHOUT_TFF:
    forbidden |= {'tensorflow_federated'}
  if package in _WITHOUT_KERAS:
    forbidden |= {'keras', 'tensorflow.keras', 'tensorflow_model_optimization'}
  return forbidden


def _is_python_value(node):
  """Whether an operand is evidently no tensor."""
  if isinstance(node, ast.Subscript):
    return _is_python_value(node.value)
  if isinstance(node, ast.Attribute):
    return re.fullmatch(r'shape|rank|n?dims?|(\w*_)?dtype', node.attr)
  if isinstance(node, ast.Call):
    return isinstance(node.func, ast.Name) and node.func.id in ('len', 'type')
  return isinstance(node, (ast.Constant, ast.Tuple, ast.List))


def _tells_python(node):
  """Whether an operand can only be compared with what is no tensor."""
  if isinstance(node, ast.Constant):
    return not isinstance(node.value, (int, float)) or isinstance(
        node.value, bool
    )
  return isinstance(node, (ast.Tuple, ast.List))


def _tensor_equalities(source):
  """Returns the `==` and `!=` that may compare tensors.

  While TFF traces, they compare the identity of Python objects: a condition
  that silently is a constant. `tf.equal` and `tf.not_equal` compare values.
  Where a name does not show that it is no tensor, a comment says so.
  """
  lines = source.splitlines()
  found = []
  for node in ast.walk(ast.parse(source)):
    if not isinstance(node, ast.Compare) or not any(
        isinstance(op, (ast.Eq, ast.NotEq)) for op in node.ops
    ):
      continue
    operands = [node.left, *node.comparators]
    if all(map(_is_python_value, operands)) or any(
        map(_tells_python, operands)
    ):
      continue
    text = '\n'.join(lines[node.lineno - 1 : node.end_lineno])
    if not re.search(r'# .*Python value', text):
      found.append(f'line {node.lineno}: {text.strip()}')
  return found


def _bare_dataset_loops(source):
  """Returns the loops over a dataset without `iter`, which is far faster."""
  found = []
  for node in ast.walk(ast.parse(source)):
    if isinstance(node, (ast.For, ast.comprehension)):
      over = ast.unparse(node.iter)
      if re.fullmatch(r'([\w.]*(dataset|batches)|ds)', over):
        found.append(f'line {node.iter.lineno}: for ... in {over}')
  return found


def _header_faults(source):
  """Returns what is wrong between the first line and the docstring.

  Two lines name the licence, and the docstring follows at once. A package
  without code needs none.
  """
  lines = source.splitlines()
  if lines[:2] != _LICENCE:
    return ['line 1: not the two lines of the licence']
  tree = ast.parse(source)
  has_docstring = ast.get_docstring(tree) and tree.body[0].lineno == 3
  if lines[2:] and not has_docstring:
    return ['line 3: no docstring']
  return []


def _absolute_paths(text):
  """Returns the paths that exist on the author's machine alone."""
  paths = re.findall(r'''(?:^|[\s'"`=(])(/[A-Za-z][\w.-]*/\w[\w./-]*)''', text)
  everywhere = ('bin', 'dev', 'etc', 'proc', 'tmp', 'usr')
  nowhere = ('missing', 'path')
  return [
      path for path in paths if path.split('/')[1] not in everywhere + nowhere
  ]


class ArchitectureTest(parameterized.TestCase):

  def _assert_kept(self, rule, paths):
    """Asserts that `rule` finds nothing in any of `paths`, which exist."""
    broken = []
    number = 0
    for number, path in enumerate(paths, 1):
      for found in rule(path.read_text(encoding='utf-8')):
        broken.append(f'{path.relative_to(_ROOT)}: {found}')
    self.assertGreater(number, 0)
    self.assertEmpty(broken, '\n' + '\n'.join(broken))

  @parameterized.parameters(*_MAY_IMPORT)
  def test_packages_import_only_what_is_below(self, package):
    forbidden = _forbidden_for(package)
    self._assert_kept(
        lambda source: _forbidden_imports(source, forbidden),
        _tff_binary_sources([package]),
    )

  def test_every_package_has_a_rule(self):
    packages = (_ROOT / 'tff_binary').glob('*/__init__.py')
    self.assertEqual({path.parent.name for path in packages}, set(_MAY_IMPORT))

  @parameterized.parameters(
      ('tff_binary', ('tasks', 'launchers', 'absl.flags', 'absl.app')),
      ('tasks', (
          'tff_binary', 'launchers', 'tensorflow_federated', 'absl.flags',
          'absl.app',
      )),
  )
  def test_library_and_tasks_stand_alone(self, folder, forbidden):
    self._assert_kept(
        lambda source: _forbidden_imports(source, forbidden), _sources(folder)
    )

  def test_traced_code_has_no_equality_of_tensors(self):
    self._assert_kept(_tensor_equalities, _tff_binary_sources(_TRACED))

  def test_traced_code_iterates_over_datasets_by_iter(self):
    self._assert_kept(_bare_dataset_loops, _tff_binary_sources(_TRACED))

  def test_every_file_begins_with_licence_and_docstring(self):
    self._assert_kept(_header_faults, _committed('*.py'))

  def test_no_file_names_a_path_of_one_machine(self):
    def rule(path):
      try:
        return _absolute_paths(path.read_text(encoding='utf-8'))
      except UnicodeDecodeError:  # A picture, say.
        return []

    broken = {str(path): rule(path) for path in _committed('*')}
    self.assertEmpty({path: found for path, found in broken.items() if found})


class RulesTest(parameterized.TestCase):

  @parameterized.parameters(
      ('ops', 'import tensorflow_federated as tff'),
      ('ops', 'from tff_binary.wire import packing'),
      ('ops', 'from tff_binary import wire'),
      ('ops', 'import tff_binary\ntff_binary.wire.packing'),
      ('wire', 'import tensorflow as tf\ntf.keras.layers.Layer'),
      ('wire', 'from tensorflow import keras'),
      ('layers', 'from tff_binary.wire import codec'),
      ('learning', 'def f():\n  from tff_binary import algorithms'),
  )
  def test_upward_import_is_found(self, package, source):
    self.assertNotEmpty(_forbidden_imports(source, _forbidden_for(package)))

  @parameterized.parameters(
      ('ops', 'import tensorflow as tf'),
      ('wire', 'from tff_binary.ops import binarize'),
      ('layers', 'import tensorflow as tf\ntf.keras.layers.Layer'),
      ('algorithms', 'import tff_binary\ntff_binary.learning.LocalTraining'),
  )
  def test_downward_import_is_not_found(self, package, source):
    self.assertEmpty(_forbidden_imports(source, _forbidden_for(package)))

  @parameterized.parameters(
      'x == y', 'x != 0', 'x == len(y)', 'tf.reduce_sum(x == 1.0)', 'a[0] == b'
  )
  def test_equality_of_tensors_is_found(self, source):
    self.assertNotEmpty(_tensor_equalities(source))

  @parameterized.parameters(
      'x == "learned"',
      'x != (1, 2)',
      'len(x) == 1',
      'x.shape.rank != 2',
      'x.shape[0] == y.shape[0]',
      'x == y  # Python values.',
      'x >= y',
      'tf.equal(x, y)',
  )
  def test_equality_of_python_values_is_not_found(self, source):
    self.assertEmpty(_tensor_equalities(source))

  def test_only_bare_loop_over_dataset_is_found(self):
    self.assertNotEmpty(_bare_dataset_loops('for x in dataset:\n  x'))
    self.assertNotEmpty(_bare_dataset_loops('[x for x in self._dataset]'))
    self.assertEmpty(_bare_dataset_loops('for x in iter(dataset):\n  x'))
    self.assertEmpty(_bare_dataset_loops('for x in datasets:\n  x'))

  @parameterized.parameters(
      '"""Does this."""',
      '\n'.join(_LICENCE[:1]) + '\n"""Does this."""',
      '\n'.join(reversed(_LICENCE)) + '\n"""Does this."""',
      '\n'.join(_LICENCE) + '\nimport re',
      '\n'.join(_LICENCE) + '\n# All rights reserved.',
      '\n'.join(_LICENCE) + '\n# All rights reserved.\n"""Does this."""',
      '#!/usr/bin/env python\n' + '\n'.join(_LICENCE),
  )
  def test_wrong_header_is_found(self, source):
    self.assertNotEmpty(_header_faults(source))

  @parameterized.parameters('', '\n', '\n"""Does this."""\nimport re')
  def test_right_header_is_not_found(self, rest):
    self.assertEmpty(_header_faults('\n'.join(_LICENCE) + rest))

  def test_only_path_of_one_machine_is_found(self):
    folder = '/'.join(['', 'home', 'me', 'data'])
    self.assertEqual(_absolute_paths(f'--data_dir={folder}'), [folder])
    self.assertEmpty(_absolute_paths('--output_dir=/tmp/run, a/b/c, 1 / 2'))


if __name__ == '__main__':
  absltest.main()
