# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The registered algorithms and their hyper-parameters.

Neither this module nor the algorithms' files import TensorFlow when they are
imported, so that programs offer every hyper-parameter as a flag at once.
"""

import dataclasses
import numbers
from typing import Any, Callable, ClassVar, Optional

# NumPy's scalars are numbers as well.
_NUMBERS = {float: numbers.Real, int: numbers.Integral}


def hyperparameter(
    default: Any,
    help_text: str,
    *,
    minimum: Optional[float] = None,
    maximum: Optional[float] = None,
    choices: Optional[tuple[str, ...]] = None,
    source: str = '',
):
  """Returns a dataclass field that knows its range.

  Args:
    default: The default value; its type is the field's type.
    help_text: What the value does, with its unit.
    minimum: The smallest allowed number.
    maximum: The largest allowed number.
    choices: The allowed strings.
    source: Where the default comes from: paper and equation, or code.

  Returns:
    A `dataclasses.field`.
  """
  metadata = dict(
      help=help_text,
      minimum=minimum,
      maximum=maximum,
      choices=choices,
      source=source,
  )
  return dataclasses.field(default=default, metadata=metadata)


def fixed_step_size(default: float, source: str):
  """Returns the field of the sign methods' common hyper-parameter."""
  return hyperparameter(
      default,
      'alpha, the size of every entry of an update, in units of a weight',
      minimum=1e-8,
      maximum=10.0,
      source=source,
  )


@dataclasses.dataclass(frozen=True)
class Hyperparameters:
  """Base class: checks every field against its type and range.

  Attributes:
    HAS_OWN_DOWNLINK: Whether the method decides how weights are sent to the
      clients, and so takes no `downlink_bits`.
    HAS_OWN_SERVER_STEP: Whether the method decides by how much the server moves
      the weights, and so takes no `server_optimizer`.

  Raises:
    ValueError: If a value is outside its range, naming both.
  """

  HAS_OWN_DOWNLINK: ClassVar[bool] = False
  HAS_OWN_SERVER_STEP: ClassVar[bool] = False

  def __post_init__(self):
    for field in dataclasses.fields(self):
      value = getattr(self, field.name)
      kind = type(field.default)
      if isinstance(value, _NUMBERS.get(kind, ())) and type(value) is not bool:
        value = kind(value)
        object.__setattr__(self, field.name, value)
      if not (type(value) is kind and _in_range(value, field.metadata)):
        raise ValueError(
            f'{field.name} must be {_describe(kind, field.metadata)}, got'
            f' {value!r}.'
        )


def _in_range(value, metadata):
  if metadata['choices'] is not None:
    return value in metadata['choices']
  minimum, maximum = metadata['minimum'], metadata['maximum']
  # Written such that NaN is in no range.
  return (minimum is None or value >= minimum) and (
      maximum is None or value <= maximum
  )


def _describe(kind, metadata):
  """Returns the allowed values in words."""
  if metadata['choices'] is not None:
    return 'one of ' + ', '.join(metadata['choices'])
  name = {bool: 'true or false', int: 'an integer', float: 'a number'}[kind]
  minimum, maximum = metadata['minimum'], metadata['maximum']
  if minimum is not None and maximum is not None:
    return f'{name} in [{minimum:g}, {maximum:g}]'
  if minimum is not None:
    return f'{name} >= {minimum:g}'
  return name


@dataclasses.dataclass(frozen=True)
class Algorithm:
  """A registered algorithm.

  Attributes:
    name: The name on the command line.
    title: The name in tables and plots.
    source: The paper.
    summary: What is special, in one line.
    hyperparameters: The dataclass of its hyper-parameters.
    build: The function that builds its process from a `model_fn`.
  """

  name: str
  title: str
  source: str
  summary: str
  hyperparameters: type[Hyperparameters]
  build: Callable[..., Any]


_ALGORITHMS = {}


def register(name, *, title, source, summary, hyperparameters):
  """Returns a decorator that registers a build function as an algorithm.

  Args:
    name: The name on the command line.
    title: The name in tables and plots.
    source: The paper.
    summary: What is special, in one line.
    hyperparameters: A subclass of `Hyperparameters`.

  Returns:
    A decorator that returns the function unchanged.

  Raises:
    ValueError: If the name is taken.
  """

  def decorator(build):
    if name in _ALGORITHMS:
      raise ValueError(f'Algorithm {name} is registered already.')
    _ALGORITHMS[name] = Algorithm(
        name, title, source, summary, hyperparameters, build
    )
    return build

  return decorator


def names() -> list[str]:
  """Returns the names of all algorithms, in the order of registration."""
  return list(_ALGORITHMS)


def get(name: str) -> Algorithm:
  """Returns an algorithm.

  Args:
    name: One of `names()`.

  Raises:
    ValueError: If there is no such algorithm.
  """
  if name not in _ALGORITHMS:
    raise ValueError(
        f"algorithm must be one of {', '.join(names())}, got {name!r}."
    )
  return _ALGORITHMS[name]
