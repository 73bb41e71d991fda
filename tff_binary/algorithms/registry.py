# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The registered algorithms and their hyper-parameters.

Neither this module nor the algorithms' files import TensorFlow when they are
imported, so that programs offer every hyper-parameter as a flag at once.
"""

import dataclasses
from typing import Any, Callable, Optional

import tff_binary
from tff_binary import parameters


def hyperparameter(
    default: Any,
    help_text: str,
    *,
    minimum: Optional[float] = None,
    maximum: Optional[float] = None,
    also: Optional[float] = None,
    choices: Optional[tuple[str, ...]] = None,
    source: str = '',
):
  """Returns a dataclass field that knows its range.

  Args:
    default: The default value; its type is the field's type.
    help_text: What the value does, with its unit.
    minimum: The smallest allowed number.
    maximum: The largest allowed number.
    also: One more number that is allowed, outside that range.
    choices: The allowed strings.
    source: Where the default comes from: paper and equation, or code.

  Returns:
    A `dataclasses.field` with `help`, `constraint` and `source` as metadata.
  """
  constraint = parameters.Constraint(
      type(default), minimum, maximum, also, choices
  )
  return dataclasses.field(
      default=default,
      metadata=dict(help=help_text, constraint=constraint, source=source),
  )


def fixed_step_size(default: float, source: str):
  """Returns the field of the sign methods' common hyper-parameter."""
  return hyperparameter(
      default,
      'alpha, the size of every entry of an update, in units of a weight',
      minimum=1e-8,
      maximum=10.0,
      source=source,
  )


def level_phases():
  """Returns the field of the common hyper-parameter of adaptive methods."""
  return hyperparameter(
      1,
      'levels follow from the training loss and the weights of the round before'
      ' (1), or from the loss of the received model and the weights of the same'
      ' round, for a pass over the data and a round trip more (2)',
      minimum=1,
      maximum=2,
      source="1: our choice, for all of TFF's engines; 2: the paper",
  )


def parse_shares(name: str, text: str) -> list[float]:
  """Returns the numbers in (0, 1] that a string lists.

  Args:
    name: The parameter's name.
    text: The numbers, separated by commas.

  Raises:
    ValueError: If it holds anything else, naming both.
  """
  try:
    shares = [float(part) for part in text.split(',')]
  except ValueError:
    shares = []
  if not shares or not all(0.0 < share <= 1.0 for share in shares):
    raise ValueError(
        f'{name} must be numbers > 0 and <= 1, separated by commas, got'
        f' {text!r}.'
    )
  return shares


@dataclasses.dataclass(frozen=True)
class Hyperparameters:
  """Base class of the algorithms: their hyper-parameters and their recipes.

  Every field is checked against its type and range.

  Raises:
    ValueError: If a value is outside its range, naming both.
  """

  def __post_init__(self):
    for field in dataclasses.fields(self):
      value = field.metadata['constraint'].check(
          field.name, getattr(self, field.name)
      )
      object.__setattr__(self, field.name, value)

  def method(self, seed: int = 0) -> 'tff_binary.learning.Method':
    """Returns the method with these hyper-parameters.

    Args:
      seed: The seed of all that the method's parts draw.
    """
    raise NotImplementedError


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


def register(name, *, title, source, summary):
  """Returns a decorator that registers a class of hyper-parameters.

  Args:
    name: The name on the command line.
    title: The name in tables and plots.
    source: The paper.
    summary: What is special, in one line.

  Returns:
    A decorator that returns the subclass of `Hyperparameters` unchanged.

  Raises:
    ValueError: If the name is taken.
  """

  def decorator(hyperparameters):
    if name in _ALGORITHMS:
      raise ValueError(f'Algorithm {name} is registered already.')
    _ALGORITHMS[name] = Algorithm(
        name,
        title,
        source,
        summary,
        hyperparameters,
        _build_function(name, title, hyperparameters),
    )
    return hyperparameters

  return decorator


def _build_function(name, title, hyperparameters_class):
  """Returns the `build_<name>` of an algorithm."""

  def build(model_fn, *, hyperparameters=hyperparameters_class(), seed=0,
            **choices):
    # A subclass may be another algorithm.
    if type(hyperparameters) is not hyperparameters_class:
      raise TypeError(
          f'hyperparameters must be a {hyperparameters_class.__name__}, got'
          f' {hyperparameters!r}.'
      )
    seed = parameters.RUN['seed'].check('seed', seed)
    return tff_binary.learning.build_learning_process(
        model_fn, hyperparameters.method(seed), seed=seed, **choices
    )

  build.__name__ = build.__qualname__ = f'build_{name}'
  build.__module__ = hyperparameters_class.__module__
  build.__doc__ = f"""Builds {title}, see `{hyperparameters_class.__name__}`.

  Args:
    model_fn: A no-arg function that returns a
      `tff.learning.models.VariableModel`.
    hyperparameters: A `{hyperparameters_class.__name__}`.
    seed: The seed of all that clients and server draw.
    **choices: Further keyword arguments of
      `tff_binary.learning.build_learning_process`.

  Returns:
    A `tff.learning.templates.LearningProcess`, or a
    `tff_binary.learning.StatefulLearningProcess` if clients keep a state from
    round to round.
  """
  return build


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
