# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of what settings are recognized by."""

import json
import pathlib
import runpy
import subprocess
import sys
import tempfile
import threading

from absl.testing import absltest
from absl.testing import parameterized

from tff_binary.programs import fingerprints

# Every value is described on its own; those of a changed program must differ.
_PROGRAM = '''
import dataclasses
import functools

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

import helpers

SCALE = 255.0
TABLE = {'a': [1, 2.5], 'b': np.arange(3)}


def nothing_special(x):
  """Says what it does."""
  return x + 1


def by_global(x):
  return x / SCALE


def by_table(x):
  return [x, TABLE]


def by_call(x):
  return by_global(x) + 1


def by_inner(x):
  inner = lambda y: by_global(y)
  return inner(x)


def by_module(x):
  return helpers.scale(x)


def by_default(x, factor=2):
  return factor * x


def by_keyword(x, *, factor=2):
  return factor * x


def by_set(x):
  return x in {'a', 'b', 'c', 'd'}


def recursive(n):
  return n and recursive(n - 1)


def enclose(value):
  return lambda x: x + value


class Scaled:
  bound = 3

  def __init__(self, factor):
    self.factor = factor

  def __call__(self, x):
    return min(self.bound, self.factor * x)


@dataclasses.dataclass
class Options:
  rate: float
  function: object


class Doubled(tf.keras.layers.Layer):

  def call(self, inputs):
    return 2 * inputs


class Subclassed(tf.keras.Model):

  def __init__(self):
    super().__init__()
    self.first = tf.keras.layers.Dense(3)

  def call(self, inputs):
    return tf.tanh(self.first(inputs))


def subclassed():
  model = Subclassed()
  model(tf.zeros([1, 4]))
  return model


def sequential(activation):
  return tf.keras.Sequential([
      tf.keras.Input((4,)),
      tf.keras.layers.Dense(3, activation),
      tf.keras.layers.Lambda(lambda x: x * 3),
      Doubled(),
      tf.keras.layers.Dense(2),
      tf.keras.layers.Lambda(lambda x: x + 1),
  ])


def branches(activation):
  inputs = tf.keras.Input((4,))
  both = [tf.keras.layers.Dense(3, a)(inputs) for a in (None, activation)]
  return tf.keras.Model(inputs, tf.keras.layers.Subtract()(both))


VALUES = dict(
    number=0.1,
    text='text',
    array=np.arange(6.0).reshape(2, 3),
    scalar=np.float32(0.5),
    tensor=tf.constant([1, 2]),
    variable=tf.Variable(1.5),
    spec=tf.TensorSpec([None, 3], tf.int32),
    nested={'b': (1, [2, None]), 'a': {3, 4}},
    function=nothing_special,
    lambda_=lambda x: x + 1,
    by_global=by_global,
    by_table=by_table,
    by_call=by_call,
    by_inner=by_inner,
    by_module=by_module,
    by_default=by_default,
    by_keyword=by_keyword,
    by_set=by_set,
    recursive=recursive,
    enclosed=enclose(1),
    enclosed_function=enclose(by_global),
    partial=functools.partial(by_default, factor=3),
    partial_of_partial=functools.partial(functools.partial(by_call), 3),
    tf_function=tf.function(by_global),
    method=Scaled(2).__call__,
    object=Scaled(2),
    class_=Scaled,
    dataclass=Options(0.1, by_global),
    library=tf.nn.relu,
    builtin=max,
    tff_optimizer=tff.learning.optimizers.build_adam(0.1),
    keras_optimizer=tf.keras.optimizers.Adam(0.1),
    keras_loss=tf.keras.losses.MeanSquaredError(),
    sequential=sequential('relu'),
    sequential_by_function=sequential(nothing_special),
    sequential_by_lambda=sequential(lambda x: x * 5),
    branches=branches('relu'),
    subclassed=subclassed(),
)
'''
_HELPERS = 'def scale(x):\n  return 2 * x\n'

_DESCRIBE = '''
import json, runpy, sys
from tff_binary.programs import fingerprints
values = runpy.run_path(sys.argv[1], run_name='__main__')['VALUES']
print(json.dumps({k: fingerprints.describe(v) for k, v in values.items()}))
'''


class FingerprintsTest(parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = cls.enter_context(tempfile.TemporaryDirectory())
    cls.path = pathlib.Path(folder)
    sys.path.insert(0, folder)
    cls.addClassCleanup(sys.path.remove, folder)
    cls.described = cls._describe()

  @classmethod
  def _describe(cls, program=_PROGRAM, helpers=_HELPERS):
    """Describes the values of a program, as JSON would hold them."""
    sys.modules.pop('helpers', None)
    (cls.path / 'helpers.py').write_text(helpers)
    (cls.path / 'program.py').write_text(program)
    values = runpy.run_path(str(cls.path / 'program.py'), run_name='__main__')
    described = {
        name: fingerprints.describe(value)
        for name, value in values['VALUES'].items()
    }
    return json.loads(json.dumps(described))

  def test_another_process_and_another_place_in_the_file_are_the_same(self):
    # Neither lines, comments nor docstrings count.
    program = '\n# A comment.\n' + _PROGRAM.replace('Says what', 'Tells that')
    (self.path / 'helpers.py').write_text('\n' + _HELPERS)
    (self.path / 'moved.py').write_text(program)
    done = subprocess.run(
        [sys.executable, '-c', _DESCRIBE, self.path / 'moved.py'],
        capture_output=True,
        text=True,
        env={'PYTHONPATH': f'{self.path}:.', 'TF_CPP_MIN_LOG_LEVEL': '3'},
    )
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertEqual(json.loads(done.stdout), self.described)

  def test_another_value_differs(self):
    # Each change is seen by exactly those whose value it changes.
    by_global = {
        'by_global', 'by_call', 'by_inner', 'enclosed_function',
        'partial_of_partial', 'tf_function', 'dataclass',
    }
    built = {'sequential', 'sequential_by_function', 'sequential_by_lambda'}
    for old, new, changed in (
        ('number=0.1', 'number=0.2', {'number'}),
        ('arange(6.0)', 'arange(1.0, 7.0)', {'array'}),
        ('float32(0.5)', 'float32(0.25)', {'scalar'}),
        ('constant([1, 2])', 'constant([1, 3])', {'tensor'}),
        ('Variable(1.5)', 'Variable(2.5)', {'variable'}),
        ('[None, 3], tf.int32', '[None, 3], tf.int64', {'spec'}),
        ('{3, 4}', '{3, 5}', {'nested'}),
        (
            'return x + 1\n\n\ndef by_global',
            'return x + 2\n\n\ndef by_global',
            {'function', 'sequential_by_function'},
        ),
        ('lambda_=lambda x: x + 1', 'lambda_=lambda x: x - 1', {'lambda_'}),
        ('SCALE = 255.0', 'SCALE = 128.0', by_global),
        ("'a': [1, 2.5]", "'a': [1, 3.5]", {'by_table'}),
        ("'b': np.arange(3)", "'b': np.arange(4)", {'by_table'}),
        ("'c', 'd'}", "'c', 'e'}", {'by_set'}),
        (
            'x, factor=2',
            'x, factor=3',
            {'by_default', 'partial'},
        ),
        ('*, factor=2', '*, factor=3', {'by_keyword'}),
        ('n - 1', 'n - 2', {'recursive'}),
        ('enclose(1)', 'enclose(2)', {'enclosed'}),
        ('by_default, factor=3', 'by_default, factor=4', {'partial'}),
        ('by_call), 3', 'by_call), 4', {'partial_of_partial'}),
        ('method=Scaled(2)', 'method=Scaled(3)', {'method'}),
        ('bound = 3', 'bound = 4', {'method', 'object', 'class_'}),
        ('self.factor * x', 'self.factor + x', {'method', 'object', 'class_'}),
        ('Options(0.1', 'Options(0.2', {'dataclass'}),
        ('tf.nn.relu', 'tf.nn.elu', {'library'}),
        ('builtin=max', 'builtin=min', {'builtin'}),
        ('build_adam(0.1)', 'build_adam(0.2)', {'tff_optimizer'}),
        ('optimizers.Adam(0.1)', 'optimizers.Adam(0.2)', {'keras_optimizer'}),
        ('MeanSquaredError', 'MeanAbsoluteError', {'keras_loss'}),
        ("sequential('relu')", "sequential('tanh')", {'sequential'}),
        ('lambda x: x * 5', 'lambda x: x * 6', {'sequential_by_lambda'}),
        ('lambda x: x * 3', 'lambda x: x * 4', built),
        ('2 * inputs', '3 * inputs', built),
        ("branches('relu')", "branches('elu')", {'branches'}),
        ('(None, activation)', '(activation, None)', {'branches'}),
        ('tf.tanh', 'tf.sigmoid', {'subclassed'}),
    ):
      self.assertIn(old, _PROGRAM)
      described = self._describe(_PROGRAM.replace(old, new, 1))
      self.assertEqual(
          {n for n, d in described.items() if d != self.described[n]},
          changed,
          new,
      )

  def test_a_function_of_another_file_differs(self):
    described = self._describe(helpers=_HELPERS.replace('2', '3'))
    self.assertEqual(
        {n for n, d in described.items() if d != self.described[n]},
        {'by_module'},
    )

  def test_objects_that_cannot_be_read_are_described_by_their_class(self):
    for value, kind in (
        ((i for i in range(3)), 'builtins.generator'),
        (threading.Lock(), '_thread.lock'),
        (object(), 'builtins.object'),
    ):
      self.assertEqual(fingerprints.describe(value), kind)

  def test_is_readable_where_it_is_short(self):
    self.assertEqual(self.described['number'], 0.1)
    self.assertEqual(self.described['nested'], {'b': [1, [2, None]], 'a': [3, 4]})
    self.assertStartsWith(self.described['function'], '__main__.nothing_spec')
    self.assertEqual(self.described['tff_optimizer']['lr'], 0.1)


if __name__ == '__main__':
  absltest.main()
