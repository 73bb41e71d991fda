# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters that know what they may be.

One `Constraint` words the error about a bad value and the help of the flag, and
names bad values for the tests. Imports nothing, so that programs can define
their flags at once.
"""

import dataclasses
import numbers
from typing import Any, Optional

_NUMBERS = {float: numbers.Real, int: numbers.Integral}


@dataclasses.dataclass(frozen=True)
class Constraint:
  """What the value of a parameter may be.

  Attributes:
    kind: `bool`, `int`, `float` or `str`.
    minimum: The smallest allowed number.
    maximum: The largest allowed number.
    also: One more number that is allowed, outside that range.
    choices: The allowed strings.
  """

  kind: type
  minimum: Optional[float] = None
  maximum: Optional[float] = None
  also: Optional[float] = None
  choices: Optional[tuple[str, ...]] = None

  def __str__(self):
    """Returns the allowed values in words."""
    if self.choices is not None:
      return 'one of ' + ', '.join(self.choices)
    text = {
        bool: 'true or false',
        int: 'an integer',
        float: 'a number',
        str: 'a string',
    }[self.kind]
    minimum, maximum, also = (
        x if self.kind is int or x is None else f'{x:g}'
        for x in (self.minimum, self.maximum, self.also)
    )
    if minimum is not None and maximum is not None:
      text += f' in [{minimum}, {maximum}]'
    elif minimum is not None:
      text += f' >= {minimum}'
    elif maximum is not None:
      text += f' <= {maximum}'
    return text if also is None else f'{also} or {text}'

  def check(self, name: str, value: Any) -> Any:
    """Returns a value as `kind`, NumPy's numbers and bools too.

    Args:
      name: The parameter's name.
      value: Its value.

    Raises:
      ValueError: If it is not allowed, naming both.
    """
    # NumPy's bool is no number, and Python's should not be one.
    is_bool = isinstance(value, bool) or type(value).__name__ in (
        'bool_', 'bool'
    )
    if is_bool and self.kind is bool:
      value = bool(value)
    elif not is_bool and isinstance(value, _NUMBERS.get(self.kind, ())):
      try:
        value = self.kind(value)
      except OverflowError:
        pass  # An integer beyond all floats stays one, and is refused.
    if not (type(value) is self.kind and self._allows(value)):
      raise ValueError(f'{name} must be {self}, got {value!r}.')
    return value

  def _allows(self, value):
    if self.choices is not None:
      return value in self.choices
    if self.also is not None and value == self.also:
      return True
    # Written such that NaN is in no range.
    return (self.minimum is None or value >= self.minimum) and (
        self.maximum is None or value <= self.maximum
    )

  def bad_values(self) -> list[Any]:
    """Returns values that are not allowed, of the right type and of others."""
    values = [None, [], object()]
    if self.kind is not str:
      values.append('1')
    if self.kind is not bool:
      values.append(True)
    if self.kind in (bool, str):
      values.append(1)
    if self.choices is not None:
      values += ['', f'{self.choices[0]}_']
    if self.kind is int:
      values += [1.0, float('nan')]
    if self.kind is float:
      values += [float('nan'), 10**400]
    step = 1 if self.kind is int else 1e-3
    if self.minimum is not None:
      values.append(self.kind(self.minimum - step))
    if self.maximum is not None:
      values += [self.kind(self.maximum + step), self.kind(2 * self.maximum)]
    return [v for v in values if v is None or v != self.also]


# What a run is told besides the hyper-parameters of its algorithm.
RUN = {
    'rounds': Constraint(int, minimum=1),
    'clients_per_round': Constraint(int, minimum=1),
    'local_epochs': Constraint(int, minimum=1),
    'batch_size': Constraint(int, minimum=1),
    'num_steps': Constraint(int, minimum=1),
    'evaluate_every': Constraint(int, minimum=1),
    'keep_models_every': Constraint(int, minimum=0),
    'downlink_bits': Constraint(int, minimum=2, maximum=16, also=32),
    'downlink_step_scale': Constraint(float, minimum=0.0, maximum=1e4),
    'downlink_coding': Constraint(
        str, choices=('packed', 'entropy', 'changes', 'differences')
    ),
    'downlink_difference_bits': Constraint(float, minimum=0.01, maximum=4.0),
    'other_bits': Constraint(int, minimum=6, maximum=16, also=32),
    'local_bits': Constraint(int, minimum=2, maximum=16, also=32),
    'proximal_strength': Constraint(float, minimum=0.0, maximum=1e6),
    'keep_optimizer_state': Constraint(bool),
    'compute_dtype': Constraint(str, choices=('float32', 'bfloat16')),
    'seed': Constraint(int, minimum=0, maximum=2**31 - 1),
}


def check(**values) -> dict[str, Any]:
  """Checks parameters of a run.

  Args:
    **values: Values by names in `RUN`.

  Returns:
    The values, NumPy's numbers as Python's.

  Raises:
    ValueError: If one is not allowed, naming it.
  """
  return {name: RUN[name].check(name, v) for name, v in values.items()}
