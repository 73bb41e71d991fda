# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Checks of arguments: one error that names the value and what is allowed."""

import numbers


def check_choice(name, value, choices):
  """Raises a `ValueError` unless `value` is one of `choices`.

  Args:
    name: The argument's name, for the message.
    value: The argument's value.
    choices: The allowed values, a sequence of strings.

  Raises:
    ValueError: If `value` is not in `choices`.
  """
  if value not in choices:
    raise ValueError(
        f'{name} must be one of {", ".join(choices)}, got {value!r}'
    )


def check_integer(name, value, minimum, maximum):
  """Raises a `ValueError` unless `value` is an integer in a closed range.

  Args:
    name: The argument's name, for the message.
    value: The argument's value.
    minimum: The smallest allowed integer.
    maximum: The largest allowed integer.

  Raises:
    ValueError: If `value` is no integer or outside the range.
  """
  if not isinstance(value, numbers.Integral) or not minimum <= value <= maximum:
    raise ValueError(
        f'{name} must be an integer in [{minimum}, {maximum}], got {value!r}'
    )
