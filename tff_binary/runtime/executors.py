# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""A TFF executor that spreads the clients over several workers.

TFF's `MergeableCompExecutionContext` has each worker sum up its clients and
then adds the sums, in the order in which they come in. That makes the result
depend on the number of workers and on chance. Here the workers do what one
worker would do, step by step:

*   The clients are dealt out to the workers in contiguous blocks. What happens
    at the clients, `federated_map` for instance, happens in all workers at the
    same time, each on its block.
*   In a `federated_aggregate` it is the accumulator that travels: the first
    worker accumulates its clients, the second continues with that accumulator,
    and the last one reports. So the clients' values are accumulated strictly in
    client order, as one worker does, without leaving the worker that computed
    them. The result is the same to the bit for any number of workers of the
    same kind.
*   All else happens in the first worker.

A computation comes compiled to a block of bindings, most of them one call each.
A binding is sent to a worker as one function of the variables that it uses,
once; in later rounds only calls and values travel.

With one worker, computations are sent to it as a whole.
"""

import collections
from concurrent import futures
import functools

import tensorflow as tf
import tensorflow_federated as tff

from tensorflow_federated.proto.v0 import computation_pb2
from tensorflow_federated.proto.v0 import executor_pb2
from tensorflow_federated.python.common_libs import structure
from tensorflow_federated.python.core.impl.executors import executor_base
from tensorflow_federated.python.core.impl.executors import executor_value_base

# How many numbers of clients, and how many computations for each, are kept
# ready in the workers.
_MAX_EXECUTORS = 8
_MAX_COMPUTATIONS = 64

# TFF says which data sets are too large for a message.
_MAX_UNCHECKED_BYTES = 1 << 20

_CAPTURES = '_captures'


class ExecutorFactory(tff.framework.ExecutorFactory):
  """Keeps one executor for each number of clients.

  Attributes:
    connections: The `connections.Connection`s of the executors to come.
  """

  def __init__(self, connections):
    """Initializes the factory.

    Args:
      connections: One or more `connections.Connection`s.
    """
    self.connections = connections
    self._executors = collections.OrderedDict()

  def create_executor(self, cardinalities):
    num_clients = cardinalities.get(tff.CLIENTS, 0)
    executor = self._executors.pop(num_clients, None)
    if executor is None or executor.is_full:
      if executor is not None:
        executor.close()
      executor = _SpreadExecutor(self.connections, num_clients)
    self._executors[num_clients] = executor
    if len(self._executors) > _MAX_EXECUTORS:
      self._executors.popitem(last=False)[1].close()
    return executor

  def clean_up_executor(self, cardinalities):
    executor = self._executors.pop(cardinalities.get(tff.CLIENTS, 0), None)
    if executor is not None:
      executor.close()

  def release_values(self):
    """Frees, in the workers, the values of computations that are finished."""
    for executor in self._executors.values():
      executor.release_values()

  def close(self):
    """Frees everything in the workers, without waiting for them."""
    while self._executors:
      self._executors.popitem()[1].close()


class _SpreadExecutor(executor_base.Executor):
  """An executor for one number of clients; the module says how it works.

  Only `compute` waits for the workers; a value is a promise.

  Attributes:
    error: The first error of any call, or None.
  """

  def __init__(self, connections, num_clients):
    self.error = None
    self._num_clients = num_clients
    # A worker without clients would only add a step to aggregations.
    connections = connections[: max(num_clients, 1)]
    bounds = [
        num_clients * i // len(connections) for i in range(len(connections) + 1)
    ]
    self._lanes = [
        _Lane(connection, start, stop, self)
        for connection, start, stop in zip(connections, bounds, bounds[1:])
    ]
    self._computations = {}

  @property
  def is_full(self):
    return len(self._computations) >= _MAX_COMPUTATIONS

  def close(self):
    self.fail(futures.CancelledError('the executor is closed'))
    for lane in self._lanes:
      lane.close()

  def release_values(self):
    for lane in self._lanes:
      lane.release_values()

  def fail(self, error):
    """Ends all calls at the first error."""
    if self.error is None:
      self.error = error
      for lane in self._lanes:
        lane.connection.cancel()

  async def create_value(self, value, type_spec=None):
    if isinstance(value, tff.framework.ConcreteComputation):
      if value not in self._computations:
        self._computations[value] = value.to_building_block()
      return _Function(self._computations[value], {})
    return _from_python(value, type_spec, self._num_clients)

  async def create_struct(self, elements):
    return _Struct(structure.to_elements(structure.from_container(elements)))

  async def create_selection(self, source, index):
    return source.select(index)

  async def create_call(self, comp, arg=None):
    if len(self._lanes) == 1:
      return _AtOne.call(self._lanes[0], comp, arg)
    return self._apply(comp, arg)

  def _apply(self, function, argument):
    """Calls a `_Function`."""
    node, names = function.node, function.names
    if _is_aggregate(node):
      return self._aggregate(node, argument)
    if isinstance(node, tff.framework.Lambda):
      if node.parameter_name is not None:
        names = {**names, node.parameter_name: argument}
      return self._evaluate(node.result, names)
    if _is_at_clients(function.type_signature.result):
      return _AtClients.call(self._lanes, function, argument)
    return _AtOne.call(self._lanes[0], function, argument)

  def _evaluate(self, node, names):
    """Returns the value of a `tff.framework.ComputationBuildingBlock`.

    Args:
      node: The building block.
      names: A dict of the values of the variables in scope.
    """
    if isinstance(node, tff.framework.Reference):
      return names[node.name]
    if isinstance(node, tff.framework.Struct):
      return _Struct([
          (name, self._evaluate(element, names))
          for name, element in structure.iter_elements(node)
      ])
    if isinstance(node, tff.framework.Selection):
      return self._evaluate(node.source, names).select(node.as_index())
    if isinstance(node, tff.framework.Block):
      names = dict(names)
      for name, value in node.locals:
        names[name] = self._evaluate(value, names)
      return self._evaluate(node.result, names)
    if isinstance(node.type_signature, tff.FunctionType):
      return _Function(node, names)
    if isinstance(node, tff.framework.Call) and (
        _is_aggregate(node.function)
        or not isinstance(
            node.function,
            (tff.framework.CompiledComputation, tff.framework.Intrinsic),
        )
    ):
      argument = node.argument
      return self._apply(
          self._evaluate(node.function, names),
          None if argument is None else self._evaluate(argument, names),
      )
    return self._evaluate_in_workers(node, names)

  def _evaluate_in_workers(self, node, names):
    """Has all workers or, if that is enough, the first one evaluate `node`."""
    _check_is_local(node)
    if _is_at_clients(node.type_signature):
      return _AtClients(
          node.type_signature,
          {lane: _evaluate_in(lane, node, names) for lane in self._lanes},
      )
    lane = self._lanes[0]
    return _AtOne(node.type_signature, lane, _evaluate_in(lane, node, names))

  def _aggregate(self, intrinsic, argument):
    """Evaluates a `federated_aggregate`, worker by worker."""
    value, accumulator, accumulate, merge, report = (
        argument.select(i) for i in range(5)
    )
    partial, identity = map(_Function, _partial_aggregate(intrinsic))
    *others, last = self._lanes
    for lane in others:
      inputs = _Struct.of(value, accumulator, accumulate, merge, identity)
      accumulator = _AtOne.call(lane, partial, inputs).member()
    inputs = _Struct.of(value, accumulator, accumulate, merge, report)
    return _AtOne.call(last, _Function(intrinsic), inputs)


class _Lane:
  """The calls to one worker, made one after the other in a thread.

  Each method returns a `futures.Future` of the result at once. A call waits for
  its arguments, which may come from other lanes: they have been asked for
  before, so lanes never wait for each other in a circle.
  """

  def __init__(self, connection, start, stop, owner):
    """Makes an executor in the worker.

    Args:
      connection: The `connections.Connection`.
      start: The position of the lane's first client.
      stop: The position after its last one.
      owner: The `_SpreadExecutor`, which is told of errors.
    """
    self.connection = connection
    self.clients = slice(start, stop)
    self._owner = owner
    self._thread = futures.ThreadPoolExecutor(1)
    self._executor = None
    self._functions = {}
    self._values = []
    self._submit(self._get_executor, stop - start)

  def _get_executor(self, num_clients):
    cardinality = executor_pb2.Cardinality(
        placement=computation_pb2.Placement(uri=tff.CLIENTS.uri),
        cardinality=num_clients,
    )
    request = executor_pb2.GetExecutorRequest(cardinalities=[cardinality])
    self._executor = self._call('GetExecutor', request).executor

  def _call(self, method, request):
    return self.connection.call(
        method, request, self._executor, lambda: self._owner.error is not None
    )

  def close(self):
    """Frees the executor, without waiting for the worker."""
    if self._executor is not None:
      self.connection.call_later(
          'DisposeExecutor',
          executor_pb2.DisposeExecutorRequest(executor=self._executor),
      )
    self._thread.shutdown(wait=False, cancel_futures=True)

  def release_values(self):
    """Frees all values but the functions, which later computations use."""
    values, self._values = self._values, []
    if values:
      self._submit(self._dispose, values)

  def _dispose(self, values):
    self.connection.call_later(
        'Dispose',
        executor_pb2.DisposeRequest(
            executor=self._executor,
            value_ref=[value.result() for value in values],
        ),
    )

  def create_function(self, node, proto):
    """Sends a computation, the first time, that is identified by `node`."""
    if node not in self._functions:
      self._functions[node] = self._create(
          'CreateValue', lambda request: request.value.computation.CopyFrom(proto)
      )
    return self._functions[node]

  def create_value(self, write):
    """Sends a value.

    Args:
      write: A function that writes the value into an empty
        `executor_pb2.Value`. Its second argument is a function that waits for a
        future.

    Returns:
      The future of a reference.
    """
    return self._keep(
        self._create(
            'CreateValue', lambda request: write(request.value, self._wait)
        )
    )

  def create_struct(self, elements):
    """Makes a struct of pairs of a name, or None, and a reference's future."""

    def write(request):
      for name, reference in elements:
        request.element.add(name=name, value_ref=self._wait(reference))

    return self._keep(self._create('CreateStruct', write))

  def create_selection(self, source, index):

    def write(request):
      request.source_ref.CopyFrom(self._wait(source))
      request.index = index

    return self._keep(self._create('CreateSelection', write))

  def create_call(self, function, argument):
    """Calls a function; `argument` is None if it takes none."""

    def write(request):
      request.function_ref.CopyFrom(self._wait(function))
      if argument is not None:
        request.argument_ref.CopyFrom(self._wait(argument))

    return self._keep(self._create('CreateCall', write))

  def compute(self, reference):
    """Fetches an `executor_pb2.Value`."""

    def compute():
      request = executor_pb2.ComputeRequest(
          executor=self._executor, value_ref=self._wait(reference)
      )
      return self._call('Compute', request).value

    return self._submit(compute)

  def _wait(self, future):
    """Waits for a future of this lane or, watching the worker, of another."""
    return self.connection.watch(future)

  def _create(self, method, write):
    """Makes a value by a call, whose arguments may not be there yet.

    Args:
      method: The name of a method of the service.
      write: A function that writes the arguments into the request. In place:
        protocol buffers copy what they are constructed from.

    Returns:
      The future of a reference.
    """
    request_type = getattr(executor_pb2, f'{method}Request')

    def create():
      request = request_type(executor=self._executor)
      write(request)
      return self._call(method, request).value_ref

    return self._submit(create)

  def _keep(self, reference):
    self._values.append(reference)
    return reference

  def _submit(self, function, *args):
    """Runs a function in the thread; any error is the owner's first one."""

    def run():
      if self._owner.error is None:
        try:
          return function(*args)
        except Exception as e:  # pylint: disable=broad-exception-caught
          self._owner.fail(e)
      raise self._owner.error

    return self._thread.submit(run)


class _Value(executor_value_base.ExecutorValue):
  """A value, in the client or in workers."""

  def __init__(self, type_signature):
    self._type_signature = type_signature
    self._references = {}

  @property
  def type_signature(self):
    return self._type_signature

  @property
  def reference(self):
    raise NotImplementedError('The workers have different references.')

  def on(self, lane):
    """Returns the future of a reference to the value, or the lane's part."""
    if lane not in self._references:
      self._references[lane] = self._send(lane)
    return self._references[lane]

  def _send(self, lane):
    """Makes the value in the lane."""
    raise NotImplementedError

  def fetch(self):
    """Asks for the value; returns a function that waits for it.

    Returns:
      A function that returns an `executor_pb2.Value`.
    """
    raise NotImplementedError

  def select(self, index):
    """Returns an element, if it is a struct."""
    raise NotImplementedError

  async def compute(self):
    value, _ = tff.framework.deserialize_value(
        self.fetch()(), self.type_signature
    )
    return value


class _Given(_Value):
  """A value that the client has."""

  def __init__(self, value, type_signature):
    """Initializes the value from a Python value of that type."""
    super().__init__(type_signature)
    self._value = value

  def _send(self, lane):
    value = self._value
    type_signature = self.type_signature
    if _is_at_clients(type_signature) and not type_signature.all_equal:
      value = value[lane.clients]
    return lane.create_value(
        lambda message, wait: _write(value, type_signature, message)
    )

  def fetch(self):

    def get():
      message = executor_pb2.Value()
      _write(self._value, self.type_signature, message)
      return message

    return get

  def select(self, index):
    elements = structure.from_container(self._value)
    return _Given(elements[index], self.type_signature[index])


class _Struct(_Value):
  """A struct of values."""

  def __init__(self, elements):
    """Initializes the struct from pairs of a name, or None, and a value."""
    super().__init__(
        tff.StructType(
            [
                (name, value.type_signature) if name else value.type_signature
                for name, value in elements
            ]
        )
    )
    self._elements = elements

  @classmethod
  def of(cls, *values):
    return cls([(None, value) for value in values])

  def _send(self, lane):
    return lane.create_struct([(n, v.on(lane)) for n, v in self._elements])

  def fetch(self):
    pending = [(name, value.fetch()) for name, value in self._elements]

    def wait():
      return _struct_proto((name, wait()) for name, wait in pending)

    return wait

  def select(self, index):
    return self._elements[index][1]


class _AtOne(_Value):
  """A value in one worker, which is copied to others that need it."""

  @classmethod
  def call(cls, lane, function, argument):
    """Returns the value of a function, called in one worker."""
    return cls(
        function.type_signature.result,
        lane,
        _call_in(lane, function, argument),
    )

  def __init__(self, type_signature, lane, reference):
    super().__init__(type_signature)
    self._lane = lane
    self._references[lane] = reference

  @functools.cached_property
  def _proto(self):
    return self._lane.compute(self._references[self._lane])

  def _send(self, lane):
    proto = self._proto  # Asked for before the lane waits for it.
    return lane.create_value(
        lambda message, wait: message.CopyFrom(wait(proto))
    )

  def fetch(self):
    return self._proto.result

  def select(self, index):
    source = self._references[self._lane]
    return _AtOne(
        self.type_signature[index],
        self._lane,
        self._lane.create_selection(source, index),
    )

  def member(self):
    """Returns the unplaced value behind one that is placed at the server."""
    return _Member(self.type_signature.member, self._proto)


class _Member(_Value):
  """The unplaced value behind one that is placed at the server."""

  def __init__(self, type_signature, placed):
    """Initializes the value from the future of the placed one."""
    super().__init__(type_signature)
    self._placed = placed

  def _send(self, lane):
    return lane.create_value(
        lambda message, wait: message.CopyFrom(
            wait(self._placed).federated.value[0]
        )
    )


class _AtClients(_Value):
  """A value at the clients; each worker has that of its clients."""

  @classmethod
  def call(cls, lanes, function, argument):
    """Returns the value of a function, called in all workers."""
    return cls(
        function.type_signature.result,
        {lane: _call_in(lane, function, argument) for lane in lanes},
    )

  def __init__(self, type_signature, references):
    """Initializes the value from a dict of a reference for each lane."""
    super().__init__(type_signature)
    self._references = references

  def fetch(self):
    pending = [lane.compute(ref) for lane, ref in self._references.items()]

    def wait():
      parts = [part.result().federated for part in pending]
      return executor_pb2.Value(
          federated=executor_pb2.Value.Federated(
              type=parts[0].type,
              value=[value for part in parts for value in part.value],
          )
      )

    return wait


class _Function(_Value):
  """A function and the values of the variables that it captures."""

  def __init__(self, node, names=None):
    super().__init__(node.type_signature)
    self.node = node
    self.names = names or {}

  def _send(self, lane):
    return _evaluate_in(lane, self.node, self.names)


def _from_python(value, type_signature, num_clients):
  """Returns a value; what is placed at the clients can be cut into parts."""
  if not tff.types.contains(type_signature, _is_at_clients):
    return _Given(value, type_signature)
  if isinstance(type_signature, tff.FederatedType):
    if not type_signature.all_equal:
      if len(value) != num_clients:
        raise ValueError(
            f'A value at {num_clients} clients must have {num_clients} members,'
            f' got {len(value)}.'
        )
    return _Given(value, type_signature)
  return _Struct([
      (name, _from_python(element, element_type, num_clients))
      for element, (name, element_type) in zip(
          structure.from_container(value),
          structure.iter_elements(type_signature),
      )
  ])


def _write(value, type_signature, message):
  """Does what `tff.framework.serialize_value` does, without its copies.

  TFF copies the value once for each level of its structure. The states of
  clients can be large.

  Args:
    value: A Python value.
    type_signature: Its `tff.Type`.
    message: An empty `executor_pb2.Value`.

  Raises:
    TypeError: If the value is not of the type.
  """
  if isinstance(type_signature, tff.FederatedType):
    members = [value] if type_signature.all_equal else value
    write = _write
    if isinstance(type_signature.member, tff.SequenceType):
      write = _DatasetWriter()
    for member in members:
      write(member, type_signature.member, message.federated.value.add())
    message.federated.type.CopyFrom(
        tff.types.serialize_type(type_signature).federated
    )
  elif isinstance(type_signature, tff.StructType):
    elements = structure.from_container(value)
    if len(elements) != len(type_signature):
      raise TypeError(
          f'Expected a value of type {type_signature}, got one of'
          f' {len(elements)} elements.'
      )
    message.struct.SetInParent()  # A struct even if it is empty.
    for element, (name, element_type) in zip(
        elements, structure.iter_elements(type_signature)
    ):
      _write(element, element_type, message.struct.element.add(name=name).value)
  else:
    proto, _ = tff.framework.serialize_value(value, type_signature)
    message.CopyFrom(proto)


class _DatasetWriter:
  """Writes data sets as `_write` does, and checks no elements twice.

  What TFF checks takes longer than the rest, and the data sets of clients have
  elements of the same specs.
  """

  def __init__(self):
    self._element_spec = None
    self._element_type = None

  def __call__(self, value, type_signature, message):
    if isinstance(value, tf.data.Dataset):
      if value.element_spec == self._element_spec:
        graph = tf.raw_ops.DatasetToGraphV2(
            input_dataset=tf.data.experimental.to_variant(value)
        ).numpy()
        if len(graph) <= _MAX_UNCHECKED_BYTES:
          message.sequence.serialized_graph_def = graph
          message.sequence.element_type.CopyFrom(self._element_type)
          return
      _write(value, type_signature, message)
      self._element_spec = value.element_spec
      self._element_type = message.sequence.element_type
    else:
      _write(value, type_signature, message)


def _struct_proto(elements):
  proto = executor_pb2.Value()
  proto.struct.SetInParent()  # A struct even if it is empty.
  for name, value in elements:
    proto.struct.element.add(name=name, value=value)
  return proto


def _is_at_clients(type_signature):
  return (
      isinstance(type_signature, tff.FederatedType)
      and type_signature.placement is tff.CLIENTS
  )


def _is_aggregate(node):
  return (
      isinstance(node, tff.framework.Intrinsic)
      and node.uri == tff.framework.FEDERATED_AGGREGATE.uri
  )


def _call_in(lane, function, argument):
  return lane.create_call(
      function.on(lane), None if argument is None else argument.on(lane)
  )


def _evaluate_in(lane, node, names):
  """Has a worker evaluate a building block.

  Args:
    lane: The worker's lane.
    node: The building block.
    names: A dict of the values of the variables in scope.

  Returns:
    The future of a reference to the value.
  """
  captures, computation = _close(node)
  function = lane.create_function(node, computation.proto)
  if not captures and isinstance(node.type_signature, tff.FunctionType):
    return function
  argument = None
  if captures:
    argument = lane.create_struct(
        [(None, names[name].on(lane)) for name in captures]
    )
  return lane.create_call(function, argument)


@functools.lru_cache(1024)
def _close(node):
  """Returns a building block as a computation that a worker can be sent.

  Args:
    node: The building block.

  Returns:
    The names of the variables that `node` captures, and a function of a struct
    of their values that returns what `node` stands for. A function that
    captures nothing is returned as it is.
  """
  types = _free_variables(node)
  if not types:
    if isinstance(node.type_signature, tff.FunctionType):
      return [], node
    return [], tff.framework.Lambda(None, None, node)
  captures = tff.framework.Reference(
      _CAPTURES, tff.StructType(list(types.values()))
  )
  body = tff.framework.Block(
      [
          (name, tff.framework.Selection(captures, index=i))
          for i, name in enumerate(types)
      ],
      node,
  )
  return list(types), tff.framework.Lambda(
      _CAPTURES, captures.type_signature, body
  )


def _free_variables(node):
  """Returns a dict from the names of the variables a node uses to their types.

  Args:
    node: The building block.
  """
  if isinstance(node, tff.framework.Reference):
    return {node.name: node.type_signature}
  if isinstance(node, tff.framework.Block):
    found = {}
    bound = set()
    for name, value in [*node.locals, (None, node.result)]:
      for used, type_signature in _free_variables(value).items():
        if used not in bound:
          found[used] = type_signature
      bound.add(name)
    return found
  found = {}
  for child in node.children():
    found.update(_free_variables(child))
  if isinstance(node, tff.framework.Lambda):
    found.pop(node.parameter_name, None)
  return found


@functools.lru_cache(1024)
def _check_is_local(node):
  """Raises an error if workers cannot evaluate `node` each for its clients."""

  def values(node):
    yield node
    if not isinstance(node.type_signature, tff.FunctionType):
      for child in node.children():
        yield from values(child)

  needs_clients = any(_is_at_clients(v.type_signature) for v in values(node))
  if any(
      isinstance(v, tff.framework.Call) and _is_aggregate(v.function)
      for v in values(node)
  ) or (needs_clients and not _is_at_clients(node.type_signature)):
    raise NotImplementedError(
        'Several workers cannot evaluate this, as it brings together values of'
        f' all clients: {node.compact_representation()}'
    )


@functools.lru_cache(64)
def _partial_aggregate(intrinsic):
  """Returns a `federated_aggregate` of some of the clients.

  Args:
    intrinsic: The `federated_aggregate` of all clients.

  Returns:
    The same intrinsic with a report that returns the accumulator, and that
    report.
  """
  value, _, accumulate, merge, _ = intrinsic.type_signature.parameter
  accumulator = accumulate.parameter[0]
  identity = tff.framework.Lambda(
      'x', accumulator, tff.framework.Reference('x', accumulator)
  )
  partial = tff.framework.Intrinsic(
      intrinsic.uri,
      tff.FunctionType(
          tff.StructType(
              [value, accumulator, accumulate, merge, identity.type_signature]
          ),
          tff.FederatedType(accumulator, tff.SERVER),
      ),
  )
  return partial, identity
