# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What a setting is recognized by when a run is resumed.

Numbers, strings, arrays, containers, dataclasses and Keras' and TFF's objects
are described by value. Functions and classes of installed packages are
described by their names, those of the user by their names and a digest: of
their bytecode and constants, default values, what they enclose, and the global
variables, functions and modules' attributes that they name, in turn. The digest
leaves out comments, docstrings and line numbers.

Not recognized are changes in an installed package (config.json has the
versions of those that matter), in what a C function or an object without
readable attributes holds, in files that a function reads, and in names that it
computes. Bytecode differs between minor versions of Python: there a function of
the user is taken for another one.
"""

import dataclasses
import dis
import enum
import functools
import hashlib
import json
import os
import pathlib
import re
import sys
import sysconfig
import types
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

import tff_binary

_PLAIN = (type(None), bool, int, float, str)
# Where the configuration of a model names its layers.
_NAMED = ('name', 'inbound_nodes', 'input_layers', 'output_layers')

# The installed packages whose objects are read: codecs, factories, optimizers.
_READ = ('tff_binary', 'tensorflow_federated')
_SPECS = (tf.DType, tf.TensorShape, tf.TypeSpec, tff.Type, np.dtype)

# Where the code lies that is described by its names.
_SITE_PACKAGES = re.compile(r'[/\\](site|dist)-packages[/\\]')
_INSTALLED = (
    os.path.join(sysconfig.get_path('stdlib'), ''),
    os.path.join(os.path.dirname(tff_binary.__file__), ''),
)


def describe(value: Any) -> Any:
  """Returns what JSON can hold and tells a value from others.

  Args:
    value: Anything. The result is readable where that is short.

  Returns:
    Numbers, strings, lists and dicts, equal in another process for the same
    value, defined by the same code.
  """
  return _describe(value, ())


def _describe(value, around):
  """Describes a value that was reached through those in `around`."""
  if isinstance(value, enum.Enum):
    return str(value)
  if isinstance(value, _PLAIN):
    return value
  if any(value is outer for outer in around):
    return 'recursion'
  again = functools.partial(_describe, around=(*around, value))
  for kinds, description in _DESCRIPTIONS:
    if isinstance(value, kinds):
      return description(value, again)
  return _describe_object(value, again)


def _describe_mapping(value, again):
  return {str(name): again(item) for name, item in value.items()}


def _describe_sequence(value, again):
  return [again(item) for item in value]


def _describe_set(value, again):
  return sorted(map(again, value), key=json.dumps)


def _describe_array(value, again):
  del again
  try:
    array = np.asarray(value)
  except NotImplementedError:  # A tensor of a graph.
    return f'{value.dtype}{value.shape}'
  if array.dtype.hasobject:
    return f'array {array.dtype}{list(array.shape)} {_digest(array.tolist())}'
  if not array.shape and array.dtype.kind in 'biuf':
    return array.item()
  content = hashlib.sha256(array.tobytes()).hexdigest()
  return f'array {array.dtype}{list(array.shape)} {_digest(content)}'


def _describe_partial(value, again):
  return {
      'partial': again(value.func),
      'args': again(value.args),
      'keywords': again(value.keywords),
  }


def _describe_method(value, again):
  return {'method': again(value.__func__), 'of': again(value.__self__)}


def _describe_function(function, again):
  """Describes a function of Python."""
  name = f'{function.__module__}.{function.__qualname__}'
  closure = _closure(function)
  if _is_installed(function.__code__.co_filename):
    values = [*closure.values(), *(function.__defaults__ or ())]
    parts = [v for v in values if isinstance(v, _PLAIN)]
    return f'{name} {_digest(parts)}' if parts else name
  code = function.__code__
  parts = {
      'code': _describe_code(code, function.__doc__),
      'defaults': again(function.__defaults__),
      'keyword_defaults': again(function.__kwdefaults__),
      'closure': again(closure),
      'globals': again(_globals_of(code, function.__globals__)),
  }
  return f'{name} {_digest(parts)}'


def _closure(function):
  """Returns the values that a function encloses, by name."""
  values = {}
  for name, cell in zip(
      function.__code__.co_freevars, function.__closure__ or ()
  ):
    try:
      values[name] = cell.cell_contents
    except ValueError:  # Not assigned yet.
      pass
  return values


def _describe_code(code, doc):
  """Describes bytecode, without what only tells where it stands."""
  constants = list(code.co_consts)
  if doc is not None and constants[:1] == [doc]:
    del constants[0]
  return [
      code.co_code.hex(),
      [_describe_constant(constant) for constant in constants],
      list(code.co_names),
      list(code.co_freevars),
      list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]),
      code.co_flags,
  ]


def _describe_constant(constant):
  if isinstance(constant, types.CodeType):
    return _describe_code(constant, None)
  if isinstance(constant, tuple):
    return ['tuple', *map(_describe_constant, constant)]
  if isinstance(constant, frozenset):
    return sorted(map(repr, constant))
  return repr(constant)


def _globals_of(code, namespace):
  """Returns the values of the global names in a code, by dotted name."""
  found = {}
  instructions = list(dis.get_instructions(code))
  for i, instruction in enumerate(instructions):
    if instruction.opname not in ('LOAD_GLOBAL', 'LOAD_NAME'):
      continue
    name = instruction.argval
    if name not in namespace:
      continue  # A builtin.
    value = namespace[name]
    for following in instructions[i + 1 :]:
      if not isinstance(value, types.ModuleType) or following.opname not in (
          'LOAD_ATTR',
          'LOAD_METHOD',
      ):
        break
      name = f'{name}.{following.argval}'
      value = getattr(value, following.argval, None)
    found[name] = value
  for constant in code.co_consts:
    if isinstance(constant, types.CodeType):
      found.update(_globals_of(constant, namespace))
  return found


def _describe_class(kind, again):
  """Describes a class: by its members too if it is the user's."""
  name = f'{kind.__module__}.{kind.__qualname__}'
  if _is_of_installed_module(kind):
    return name
  members = {}
  for member_name, member in vars(kind).items():
    if isinstance(member, (classmethod, staticmethod)):
      member = member.__func__
    elif isinstance(member, property):
      member = [member.fget, member.fset]
    if isinstance(member, (types.FunctionType, list)) or (
        isinstance(member, (int, float, str, tuple))
        and not member_name.startswith('__')
    ):
      members[member_name] = again(member)
  return f'{name} {_digest([members, again(kind.__bases__)])}'


def _describe_model(model, again):
  """Describes a Keras model: its class, its layers and how they are joined."""
  layers = [
      m for m in (model, *model.submodules)
      if isinstance(m, tf.keras.layers.Layer)
  ]
  # Names that Keras counts up are different ones in the next model.
  names = {}
  for layer in layers:
    stem = re.sub(r'_\d+$', '', layer.name)
    names.setdefault(layer.name, f'{stem}#{len(names)}')
  parts = [
      [
          again(type(layer)),
          again(_without_names(_config(layer), names)),
          # What the configuration knows by name alone, or not at all.
          [
              again(v)
              for _, v in sorted(vars(layer).items())
              if isinstance(v, types.FunctionType)
              and not _is_installed(v.__code__.co_filename)
          ],
      ]
      for layer in layers
  ]
  return f'{_name(type(model))} {_digest(parts)}'


def _without_names(config, names, is_named=False):
  """Returns a configuration with other names and without marshalled code.

  Args:
    config: The configuration of a layer, or a part of it.
    names: The other names, by name.
    is_named: Whether the strings in it are names of layers.
  """
  if isinstance(config, dict):
    return {
        name: _without_names(value, names, is_named or name in _NAMED)
        for name, value in config.items()
        if not _is_marshalled(value)
    }
  if isinstance(config, (list, tuple)):
    return [_without_names(value, names, is_named) for value in config]
  if is_named and isinstance(config, str):
    return names.get(config, config)
  return config


def _is_marshalled(value):
  """Returns whether a value is what Keras makes of a lambda.

  That has line numbers in it; `_describe_model` has the function itself.
  """
  return (
      isinstance(value, tuple) and len(value) == 3 and isinstance(value[0], str)
  )


def _config(value):
  """Returns `get_config()`, or None if a subclass has none."""
  try:
    return value.get_config()
  except NotImplementedError:
    return None


def _describe_object(value, again):
  """Describes an object by its class and what can be read of it."""
  if hasattr(value, 'python_function'):  # A tf.function.
    return again(value.python_function)
  # A function in C. Generators have the name of one too, but of no module.
  if hasattr(value, '__qualname__') and hasattr(value, '__module__'):
    return f'{value.__module__}.{value.__qualname__}'
  root = type(value).__module__.split('.')[0]
  if dataclasses.is_dataclass(value):
    members = {
        field.name: getattr(value, field.name)
        for field in dataclasses.fields(value)
    }
  elif hasattr(value, 'get_config'):
    members = {'config': _config(value)}
  elif root in _READ or not _is_of_installed_module(type(value)):
    members = {
        name.strip('_'): member
        for name, member in sorted(getattr(value, '__dict__', {}).items())
    }
  else:
    members = {}
  kind = again(type(value))
  return {'class': kind, **again(members)} if members else kind


def _is_of_installed_module(kind):
  # That of a notebook is an installed program.
  if kind.__module__ not in sys.modules or kind.__module__ == '__main__':
    return False
  file = getattr(sys.modules[kind.__module__], '__file__', None)
  return file is None or _is_installed(file)  # A module in C has none.


def _is_installed(file):
  """Returns whether a file of code is not the user's own."""
  file = os.path.abspath(file)
  return bool(_SITE_PACKAGES.search(file)) or file.startswith(_INSTALLED)


def _name(kind):
  return f'{kind.__module__}.{kind.__qualname__}'


def _digest(parts):
  text = json.dumps(parts, sort_keys=True)
  return '#' + hashlib.sha256(text.encode()).hexdigest()[:16]


_DESCRIPTIONS = (
    ((np.ndarray, np.generic, tf.Tensor, tf.Variable), _describe_array),
    (bytes, lambda value, again: _digest(value.hex())),
    ((dict, types.MappingProxyType), _describe_mapping),
    ((list, tuple), _describe_sequence),
    ((set, frozenset), _describe_set),
    (functools.partial, _describe_partial),
    (types.MethodType, _describe_method),
    (types.FunctionType, _describe_function),
    (type, _describe_class),
    (types.ModuleType, lambda value, again: f'module {value.__name__}'),
    ((pathlib.PurePath, *_SPECS), lambda value, again: str(value)),
    (tff.Computation, lambda value, again: str(value.type_signature)),
    (tf.keras.Model, _describe_model),
)
