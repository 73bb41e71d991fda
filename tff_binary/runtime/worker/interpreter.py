# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Computes TFF's computations: building blocks and intrinsics."""

from concurrent import futures

import tensorflow as tf

from tff_binary.runtime.worker import functions as functions_lib
from tff_binary.runtime.worker import groups as groups_lib
from tff_binary.runtime.worker import sequences
from tff_binary.runtime.worker import values

# Groups of clients per thread: enough for threads to end at about the same
# time, few enough for turns to cost nothing.
_GROUPS_PER_THREAD = 8


class Interpreter:
  """Computes with the values of a server and of a fixed number of clients."""

  def __init__(self, pool, functions, num_clients):
    """Initializes the interpreter.

    Args:
      pool: A `DevicePool`, for the clients.
      functions: A `FunctionCache`.
      num_clients: The number of clients.
    """
    self._pool = pool
    self._functions = functions
    self._num_clients = num_clients
    self._groups = _split(num_clients, _GROUPS_PER_THREAD * pool.num_threads)
    self._intrinsics = {
        'federated_aggregate': self._aggregate,
        'federated_apply': self._map,
        'federated_broadcast': self._broadcast,
        'federated_eval_at_clients': self._eval_at_clients,
        'federated_eval_at_server': self._eval_at_server,
        'federated_map': self._map,
        'federated_map_all_equal': self._map,
        'federated_select': self._select,
        'federated_value_at_clients': self._at_all_clients,
        'federated_value_at_server': values.Server,
        'federated_zip_at_clients': self._zip_at_clients,
        'federated_zip_at_server': self._zip_at_server,
        'sequence_map': self._sequence_map,
        'sequence_reduce': self._sequence_reduce,
    }

  def value(self, message):
    """Returns the value of a `Value` message.

    Args:
      message: A `Value` message.

    Returns:
      A value, see `values`.

    Raises:
      ValueError: If the message is malformed.
      NotImplementedError: If it has a computation that is not supported.
    """
    with self._pool.server_device():
      return self._value(message)

  def _value(self, message):
    kind = message.WhichOneof('value')
    if kind == 'array':
      return values.tensor_from_array(message.array)
    if kind == 'sequence':
      return values.sequence_from_message(message.sequence)
    if kind == 'struct':
      return tuple(self._value(e.value) for e in message.struct.element)
    if kind == 'computation':
      return self._evaluate(message.computation, {})
    if kind == 'federated':
      return self._federated_value(message.federated)
    raise ValueError('A Value must not be empty.')

  def call(self, function, argument):
    """Returns the result of a function.

    Args:
      function: A function, see `values`.
      argument: A value, or `None` for a function without a parameter.

    Returns:
      A value, of which clients may still be computing their parts.

    Raises:
      TypeError: If `function` is not a function.
    """
    if not callable(function):
      raise TypeError(f'Expected a function, got {type(function).__name__}.')
    with self._pool.server_device():
      return function(argument)

  def _federated_value(self, federated):
    members = [self._value(value) for value in federated.value]
    uri = federated.type.placement.value.uri
    expected = self._num_clients
    if uri == 'server' or federated.type.all_equal:
      expected = 1
    if len(members) != expected:
      raise ValueError(
          f'Expected {expected} constituents of a value at {uri!r}, got'
          f' {len(members)}.'
      )
    if uri == 'server':
      return values.Server(members[0])
    if uri != 'clients':
      raise ValueError(f'Unknown placement {uri!r}.')
    if federated.type.all_equal:
      return self._at_all_clients(members[0])
    return self._at_clients(members)

  def _evaluate(self, computation, scope):
    """Returns the value of a `Computation` message.

    Args:
      computation: The message.
      scope: A dict from the names that it may refer to to values.

    Returns:
      A value.
    """
    kind = computation.WhichOneof('computation')
    if kind == 'tensorflow':
      return self._functions.get(computation)
    if kind == 'reference':
      return scope[computation.reference.name]
    if kind == 'selection':
      source = self._evaluate(computation.selection.source, scope)
      return select(source, computation.selection.index)
    if kind == 'struct':
      return tuple(
          self._evaluate(e.value, scope) for e in computation.struct.element
      )
    if kind == 'call':
      function = self._evaluate(computation.call.function, scope)
      argument = None
      if computation.call.HasField('argument'):
        argument = self._evaluate(computation.call.argument, scope)
      return function(argument)
    if kind == 'block':
      for local in computation.block.local:
        scope = {**scope, local.name: self._evaluate(local.value, scope)}
      return self._evaluate(computation.block.result, scope)
    if kind == 'lambda':
      function = getattr(computation, 'lambda')
      return lambda argument: self._evaluate(
          function.result, {**scope, function.parameter_name: argument}
      )
    if kind == 'literal':
      return values.tensor_from_array(computation.literal.value)
    if kind == 'intrinsic':
      uri = computation.intrinsic.uri
      if uri not in self._intrinsics:
        raise NotImplementedError(f'Unsupported intrinsic {uri!r}.')
      return self._intrinsics[uri]
    raise NotImplementedError(f'Unsupported computation of kind {kind!r}.')

  def _for_groups(self, function, *clients):
    """Submits `function` of groups of clients.

    Args:
      function: A function of a `Group` for each of `clients`, which returns the
        `Group` of the results.
      *clients: One or more `Clients`.

    Returns:
      The `Clients` of the results.
    """
    errors = []

    def work(groups):
      if errors:
        raise errors[0]
      try:
        return function(*(group.result() for group in groups))
      except Exception as error:
        # Nobody will want the other clients' results.
        errors.append(error)
        raise

    return values.Clients(
        tuple(
            self._pool.submit(work, groups)
            for groups in zip(*(c.groups for c in clients))
        )
    )

  def _at_all_clients(self, value):
    return values.Clients(
        tuple(
            _done(groups_lib.Group(value, stop - start))
            for start, stop in self._groups
        )
    )

  def _at_clients(self, members):
    """Returns the `Clients` of a list of the values of all clients."""
    return values.Clients(
        tuple(
            _done(groups_lib.from_members(members[start:stop]))
            for start, stop in self._groups
        )
    )

  def _map(self, argument):
    function, value = argument
    if isinstance(value, values.Server):
      return values.Server(function(value.value))
    return self._for_clients(function, value)

  def _for_clients(self, function, value):
    if self._loops_over(function):
      return self._for_groups(function.map, value)
    return self._for_groups(
        lambda group: groups_lib.from_members(
            [function(member) for member in group.members()]
        ),
        value,
    )

  def _loops_over(self, function):
    """Whether calls of several clients may be one call into TensorFlow."""
    return self._pool.is_on_cpu and isinstance(
        function, functions_lib.TensorFlowFunction
    )

  def _broadcast(self, value):
    return self._at_all_clients(value.value)

  def _eval_at_clients(self, function):
    return self._for_clients(function, self._at_all_clients(None))

  def _eval_at_server(self, function):
    return values.Server(function(None))

  def _zip_at_server(self, argument):
    return values.Server(_replace(argument, lambda server: server.value))

  def _zip_at_clients(self, argument):
    parts = []
    _replace(argument, parts.append)

    def zip_groups(*groups):
      of_groups = iter(groups)
      return groups_lib.Group(
          _replace(argument, lambda _: next(of_groups).value), groups[0].size
      )

    if not parts:
      return self._at_all_clients(argument)
    return self._for_groups(zip_groups, *parts)

  def _aggregate(self, argument):
    # TFF's workers never merge either: a fold in the order of the clients has
    # the same bits however many threads there are.
    value, zero, accumulate, _, report = argument
    total = zero
    for group in value.groups:
      if self._loops_over(accumulate):
        total = accumulate.fold(total, group.result())
      else:
        for member in group.result().members():
          total = accumulate((total, member))
    return values.Server(report(total))

  def _select(self, argument):
    keys, _, server_value, select_function = argument
    slices = {}

    def slice_for(key):
      if key not in slices:
        slices[key] = select_function((server_value.value, tf.constant(key)))
      return slices[key]

    keys = [key.numpy() for key in keys.values()]
    datasets = [
        sequences.from_elements([slice_for(key) for key in keys_of_client])
        for keys_of_client in keys
    ]
    return self._at_clients(datasets)

  def _sequence_map(self, argument):
    return sequences.MappedSequence(*argument)

  def _sequence_reduce(self, argument):
    sequence, total, function = argument
    for element in sequences.elements(sequence):
      total = function((total, element))
    return total


def select(source, index):
  """Returns an element of a struct."""
  if not isinstance(source, tuple):
    raise TypeError(f'Expected a struct, got {type(source).__name__}.')
  if not 0 <= index < len(source):
    raise ValueError(
        f'There is no element {index} in a struct of {len(source)}.'
    )
  return source[index]


def _split(num_clients, num_groups):
  """Returns (start, stop) of at most `num_groups` groups of equal sizes."""
  num_groups = min(num_clients, num_groups)
  bounds = [num_clients * i // num_groups for i in range(num_groups)]
  return list(zip(bounds, [*bounds[1:], num_clients]))


def _done(result):
  future = futures.Future()
  future.set_result(result)
  return future


def _replace(value, function):
  """Returns structs of the same shape, with `function` of what is in them."""
  if isinstance(value, tuple):
    return tuple(_replace(element, function) for element in value)
  return function(value)
