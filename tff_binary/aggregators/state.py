# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Finds an aggregator's state in that of what has been built around it."""

from collections.abc import Callable, Mapping
from typing import Any


def replace(
    state: Any, name: str, function: Callable[[Any], Any], owner: str
) -> Any:
  """Replaces the entries of a name in nested dicts, lists and tuples.

  Args:
    state: The state of a process, such as that of
      `tff.aggregators.clipping_factory` or a whole
      `tff.learning.templates.LearningAlgorithmState`.
    name: A key of dicts.
    function: Returns the new entry for the old one.
    owner: Whose state has that entry, for the error.

  Returns:
    A state of the same type.

  Raises:
    ValueError: If there is no entry of that name.
  """
  is_found = False

  def visit(node):
    nonlocal is_found
    if isinstance(node, Mapping):
      is_found = is_found or name in node
      children = {key: visit(child) for key, child in node.items()}
      if name in node:
        children[name] = function(node[name])
      return type(node)(children)
    if isinstance(node, (list, tuple)):
      children = map(visit, node)
      is_named = hasattr(node, '_fields')
      return type(node)(*children) if is_named else type(node)(children)
    return node

  new_state = visit(state)
  if not is_found:
    raise ValueError(f'state must hold that of {owner}, got {state!r}.')
  return new_state
