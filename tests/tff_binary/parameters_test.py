# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for parameters."""

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from tff_binary import parameters

_CONSTRAINTS = {
    'ratio': parameters.Constraint(float, minimum=0.0, maximum=1.0),
    'scale': parameters.Constraint(float, minimum=1e-3),
    'rule': parameters.Constraint(str, choices=('a', 'b')),
    'clamp': parameters.Constraint(bool),
    **parameters.RUN,
}


class ConstraintTest(parameterized.TestCase):

  @parameterized.parameters(
      ('ratio', 'a number in [0, 1]'),
      ('scale', 'a number >= 0.001'),
      ('rule', 'one of a, b'),
      ('clamp', 'true or false'),
      ('rounds', 'an integer >= 1'),
      ('downlink_bits', '32 or an integer in [2, 16]'),
      ('seed', 'an integer in [0, 2147483647]'),
  )
  def test_says_what_is_allowed(self, name, words):
    self.assertEqual(str(_CONSTRAINTS[name]), words)

  @parameterized.parameters(*_CONSTRAINTS)
  def test_refuses_its_bad_values(self, name):
    constraint = _CONSTRAINTS[name]
    bad_values = constraint.bad_values()
    self.assertGreater(len(bad_values), 4)
    for value in bad_values:
      with self.subTest(value=value):
        with self.assertRaises(ValueError) as raised:
          constraint.check(name, value)
        self.assertEqual(
            str(raised.exception),
            f'{name} must be {constraint}, got {value!r}.',
        )

  @parameterized.parameters(
      ('ratio', 1, 1.0),
      ('ratio', np.float32(0.25), 0.25),
      ('rounds', np.int64(3), 3),
      ('downlink_bits', 32, 32),
      ('downlink_bits', 2, 2),
      ('clamp', np.bool_(True), True),
      ('rule', 'b', 'b'),
  )
  def test_returns_pythons_own_types(self, name, value, expected):
    checked = _CONSTRAINTS[name].check(name, value)
    self.assertEqual(checked, expected)
    self.assertIs(type(checked), _CONSTRAINTS[name].kind)


if __name__ == '__main__':
  absltest.main()
