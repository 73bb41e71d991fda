# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Flags of parameters that know what they may be."""

from absl import flags

# The flags belong to the modules that call `define`.
flags.disclaim_key_flags()

_DEFINE = {
    bool: flags.DEFINE_boolean,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
}


class _NumberParser(flags.ArgumentParser):
  """Parses a number and checks it against a `parameters.Constraint`."""

  def __init__(self, constraint):
    super().__init__()
    self._constraint = constraint
    self.syntactic_help = str(constraint)

  def parse(self, argument):
    try:
      return self._constraint.check('value', self._constraint.kind(argument))
    except (TypeError, ValueError) as e:
      raise ValueError(f'it must be {self._constraint}') from e

  def flag_type(self):
    return self._constraint.kind.__name__


def define(name, default, help_text, constraint=None, kind=None):
  """Defines a flag; its help and its errors name the allowed values.

  Args:
    name: The flag's name.
    default: Its default value; None for unset.
    help_text: What it does.
    constraint: A `parameters.Constraint`; None if something else checks the
      value.
    kind: The type of the value if there is no constraint.

  Returns:
    A `flags.FlagHolder`.
  """
  if constraint is None:
    return _DEFINE[kind](name, default, help_text)
  if constraint.choices is not None:
    return flags.DEFINE_enum(name, default, constraint.choices, help_text)
  if constraint.kind is bool:
    return flags.DEFINE_boolean(name, default, help_text)
  return flags.DEFINE(
      _NumberParser(constraint),
      name,
      default,
      help_text,
      serializer=flags.ArgumentSerializer(),
  )
