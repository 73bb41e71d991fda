# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for registry."""

import dataclasses
import os
import pathlib
import subprocess
import sys

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from tff_binary import algorithms
from tff_binary.algorithms import registry

_ROOT = pathlib.Path(__file__).resolve().parents[3]


@dataclasses.dataclass(frozen=True)
class _Example(registry.Hyperparameters):
  ratio: float = registry.hyperparameter(0.5, '', minimum=0.0, maximum=1.0)
  scale: float = registry.hyperparameter(1.0, '', minimum=1e-3)
  bits: int = registry.hyperparameter(4, '', minimum=1, maximum=16)
  rule: str = registry.hyperparameter('a', '', choices=('a', 'b'))
  clamp: bool = registry.hyperparameter(True, '')


class HyperparametersTest(parameterized.TestCase):

  @parameterized.parameters(
      ('ratio', -0.1, 'a number in [0, 1], got -0.1'),
      ('ratio', 1.5, 'a number in [0, 1], got 1.5'),
      ('ratio', float('nan'), 'a number in [0, 1], got nan'),
      ('ratio', float('inf'), 'a number in [0, 1], got inf'),
      ('ratio', '0.5', "a number in [0, 1], got '0.5'"),
      ('ratio', True, 'a number in [0, 1], got True'),
      ('ratio', None, 'a number in [0, 1], got None'),
      ('scale', 0, 'a number >= 0.001, got 0'),
      ('scale', float('nan'), 'a number >= 0.001, got nan'),
      ('bits', 17, 'an integer in [1, 16], got 17'),
      ('bits', 4.0, 'an integer in [1, 16], got 4.0'),
      ('bits', True, 'an integer in [1, 16], got True'),
      ('rule', 'c', "one of a, b, got 'c'"),
      ('rule', 1, 'one of a, b, got 1'),
      ('clamp', 1, 'true or false, got 1'),
      ('clamp', 'false', "true or false, got 'false'"),
  )
  def test_refuses(self, name, value, message):
    with self.assertRaises(ValueError) as raised:
      _Example(**{name: value})
    self.assertStartsWith(str(raised.exception), f'{name} must be {message}')

  @parameterized.parameters(
      ('ratio', 0.0),
      ('ratio', 1.0),
      ('ratio', 1),
      ('ratio', np.float32(0.25)),
      ('ratio', np.linspace(0.0, 1.0, 3)[1]),
      ('bits', 16),
      ('bits', np.int64(3)),
      ('rule', 'b'),
      ('clamp', False),
      ('clamp', np.bool_(False)),
  )
  def test_accepts_and_keeps_the_type_of_the_default(self, name, value):
    kept = getattr(_Example(**{name: value}), name)
    self.assertEqual(kept, value)
    self.assertIs(type(kept), type(getattr(_Example(), name)))

  def test_unknown_name(self):
    with self.assertRaisesRegex(TypeError, 'rhoo'):
      algorithms.FedBAT(rhoo=1.0)

  def test_fedbat(self):
    with self.assertRaisesRegex(
        ValueError, r'rho must be a number in \[0, 100\], got -1'
    ):
      algorithms.FedBAT(rho=-1)
    with self.assertRaisesRegex(
        ValueError, 'min_step_size must be at most max_step_size.*0.2 > 0.1'
    ):
      algorithms.FedBAT(min_step_size=0.2, max_step_size=0.1)


class RegistryTest(parameterized.TestCase):

  def test_unknown_algorithm(self):
    with self.assertRaisesRegex(
        ValueError, "one of .*fedavg, fedbat.*, got 'fedbatt'"
    ):
      algorithms.get('fedbatt')

  def test_refuses_a_taken_name(self):
    fedavg = algorithms.get('fedavg')
    with self.assertRaisesRegex(ValueError, 'fedavg is registered already'):
      registry.register('fedavg', title='', source='', summary='')(_Example)
    self.assertIs(algorithms.get('fedavg'), fedavg)

  @parameterized.parameters(*algorithms.names())
  def test_is_described(self, name):
    algorithm = algorithms.get(name)
    self.assertEqual(algorithm.name, name)
    for text in (algorithm.title, algorithm.source, algorithm.summary):
      self.assertNotEmpty(text)
      self.assertNotIn('\n', text)
    defaults = algorithm.hyperparameters()
    for field in dataclasses.fields(defaults):
      self.assertIs(field.type, type(field.default))
      self.assertNotEmpty(field.metadata['help'])
      self.assertNotEmpty(field.metadata['source'])
    self.assertIs(algorithm.build, getattr(algorithms, f'build_{name}'))
    self.assertIn(type(defaults).__name__, algorithm.build.__doc__)

  @parameterized.parameters(*algorithms.names())
  def test_refuses_what_the_constraints_exclude(self, name):
    hyperparameters = algorithms.get(name).hyperparameters
    for field in dataclasses.fields(hyperparameters):
      constraint = field.metadata['constraint']
      for value in constraint.bad_values():
        with self.subTest(field=field.name, value=value):
          with self.assertRaises(ValueError) as raised:
            hyperparameters(**{field.name: value})
          self.assertEqual(
              str(raised.exception),
              f'{field.name} must be {constraint}, got {value!r}.',
          )

  def test_refuses_hyperparameters_of_another_algorithm(self):
    with self.assertRaisesRegex(TypeError, 'must be a FedBAT, got FedAvg'):
      algorithms.build_fedbat(
          lambda: None, hyperparameters=algorithms.FedAvg()
      )
    # Also of one that is a subclass.
    self.assertTrue(issubclass(algorithms.BiFLFull, algorithms.BiFL))
    with self.assertRaisesRegex(TypeError, 'must be a BiFL, got BiFLFull'):
      algorithms.build_bifl(
          lambda: None, hyperparameters=algorithms.BiFLFull()
      )

  def test_import_does_not_import_tensorflow(self):
    # The flags of the launcher and its --help come from here.
    program = (
        'import sys, tff_binary.algorithms;'
        ' print([m for m in sys.modules if m.split(".")[0].startswith("tensor")'
        ' or m == "keras"])'
    )
    output = subprocess.run(
        [sys.executable, '-c', program],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': str(_ROOT)},
    ).stdout
    self.assertEqual(output.strip(), '[]')


if __name__ == '__main__':
  absltest.main()
