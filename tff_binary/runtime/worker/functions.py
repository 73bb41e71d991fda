# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""TensorFlow computations as functions that threads on any device can call."""

import collections
import contextlib
import functools
import hashlib
import math
import threading
import weakref

import tensorflow as tf

from tensorflow.python.eager import context as eager_context
from tensorflow.python.eager import execute

from tff_binary.runtime.worker import graph
from tff_binary.runtime.worker import groups
from tff_binary.runtime.worker import loops
from tff_binary.runtime.worker import memory
from tff_binary.runtime.worker import sequences
from tff_binary.runtime.worker import values

# Calls of several clients are made in one loop from so many on, if what they do
# not share is small: their arguments and results are there at the same time.
_MIN_LOOP = 8
_MAX_LOOP_BYTES = 1 << 16


class _Layout:
  """Which tensors of a graph make up a parameter or a result.

  Attributes:
    structure: Nested tuples of positions in the lists below; a position for a
      single tensor.
    names: The names of the tensors; for a data set that of its variant.
    dtypes: Their dtypes; strings for data sets, which are passed as graphs.
    element_types: For data sets the `Type` message, otherwise `None`.
    num_bytes: The size of all of them, infinite unless the type tells it.
  """

  def __init__(self, binding, type_):
    self.names = []
    self.dtypes = []
    self.element_types = []
    self.num_bytes = 0
    self.structure = self._add(binding, type_)

  def _add(self, binding, type_):
    kind = binding.WhichOneof('binding')
    if kind == 'struct':
      elements = type_.struct.element
      if len(elements) != len(binding.struct.element):
        raise ValueError('A struct binding does not fit its type.')
      return tuple(
          self._add(element, element_type.value)
          for element, element_type in zip(binding.struct.element, elements)
      )
    if kind == 'tensor':
      self.names.append(graph.with_output(binding.tensor.tensor_name))
      self.dtypes.append(tf.dtypes.as_dtype(type_.tensor.dtype))
      self.element_types.append(None)
      self.num_bytes += _num_bytes(self.dtypes[-1], type_.tensor)
    elif kind == 'sequence':
      self.names.append(
          graph.with_output(binding.sequence.variant_tensor_name)
      )
      self.dtypes.append(tf.string)
      self.element_types.append(type_.sequence.element)
      self.num_bytes = math.inf
    else:
      raise ValueError('A binding must be a struct, a tensor or a sequence.')
    return len(self.names) - 1

  def flatten(self, value):
    """Returns the tensors of a value in the order of `names`.

    Args:
      value: A value; that of a `Group` has columns for tensors.
    """
    tensors = []
    _flatten(self.structure, value, tensors)
    return tensors

  def pack(self, tensors):
    """Returns the value made up of tensors in the order of `names`."""
    return _pack(
        self.structure,
        [
            tensor if type_ is None else values.Sequence(tensor, type_)
            for tensor, type_ in zip(tensors, self.element_types)
        ],
    )


def _num_bytes(dtype, tensor_type):
  """Returns the size of a tensor, infinite unless its type tells it."""
  if (
      dtype == tf.string
      or tensor_type.unknown_rank
      or any(dim < 0 for dim in tensor_type.dims)
  ):
    return math.inf
  return dtype.size * math.prod(tensor_type.dims)


def _flatten(structure, value, tensors):
  if isinstance(structure, tuple):
    if not isinstance(value, tuple) or len(value) != len(structure):
      raise TypeError(
          f'Expected a struct of {len(structure)} elements, got'
          f' {_describe(value)}.'
      )
    for element_structure, element in zip(structure, value):
      _flatten(element_structure, element, tensors)
  elif isinstance(value, (tf.Tensor, groups.Column)):
    tensors.append(value)
  elif isinstance(value, values.Sequence):
    tensors.append(value.graph)
  else:
    raise TypeError(
        f'Expected a tensor or a sequence, got {_describe(value)}.'
    )


def _pack(structure, flat):
  if isinstance(structure, tuple):
    return tuple(_pack(element, flat) for element in structure)
  return flat[structure]


def _describe(value):
  if isinstance(value, tuple):
    return f'a struct of {len(value)} elements'
  return type(value).__name__


class TensorFlowFunction:
  """A TensorFlow computation, called with one value or with `None`.

  The graph is imported once. Threads may call it at the same time, each under
  the `tf.device` that it wants: operations run there unless the graph says
  otherwise. A stateful random operation with a seed goes on from call to call,
  so what it draws depends on the order of the calls; stateless ones do not.
  """

  def __init__(self, computation):
    """Initializes the function.

    Args:
      computation: A `Computation` message with `tensorflow`.

    Raises:
      ValueError: If graph, bindings and type do not fit one another.
    """
    tensorflow = computation.tensorflow
    type_ = computation.type.function
    self._parameter = None
    if tensorflow.HasField('parameter'):
      self._parameter = _Layout(tensorflow.parameter, type_.parameter)
    self._result = _Layout(tensorflow.result, type_.result)
    self._loops = {}
    self._loops_lock = threading.Lock()
    self._import(tensorflow)

  def _import(self, tensorflow):
    """Makes the function of what has to be computed."""
    graph_def = tf.compat.v1.GraphDef.FromString(tensorflow.graph_def.value)
    feeds = {}
    if self._parameter is not None:
      # A computation may bind one tensor to several places.
      for i, name in enumerate(self._parameter.names):
        feeds.setdefault(name, i)
    sources = graph.sources(graph_def, feeds, self._result.names)
    # What is only passed on needs no call.
    self._passed = [feeds.get(source) for source in sources]
    computed = [i for i, fed in enumerate(self._passed) if fed is None]
    self._name = None
    if not computed:
      return
    fetches = [self._result.names[i] for i in computed]
    is_dataset = [self._result.element_types[i] is not None for i in computed]
    used, tables = graph.prepare(
        graph_def,
        feeds,
        fetches,
        tensorflow.initialize_op,
        keep_tables=any(is_dataset) and bool(graph.tables(graph_def)),
    )
    self._has_tables = bool(tables)
    self._lock = threading.Lock() if tables else contextlib.nullcontext()
    self._inputs = [i for name, i in feeds.items() if name in used]
    self._has_random_state = graph.has_random_state(graph_def)
    self._concrete = tf.compat.v1.wrap_function(
        functools.partial(
            self._run_graph, graph_def, fetches, is_dataset, tables
        ),
        [tf.TensorSpec(None, self._parameter.dtypes[i]) for i in self._inputs],
        name='leaf',
    )
    self._name = self._concrete.name.decode()
    self._num_outputs = len(fetches)
    weakref.finalize(
        self,
        _remove_functions,
        [f.signature.name for f in graph_def.library.function],
    )

  def _run_graph(self, graph_def, fetches, is_dataset, tables, *inputs):
    """Returns the graph's results, data sets as graphs."""
    input_map = {}
    for i, tensor in zip(self._inputs, inputs):
      if self._parameter.element_types[i] is not None:
        tensor = sequences.deserialize(tensor)
      input_map[self._parameter.names[i]] = tensor
    tensors = tf.graph_util.import_graph_def(
        graph_def, input_map, [*fetches, *tables], name='computation'
    )
    results = [
        sequences.serialize(tensor) if is_dataset_ else tensor
        for tensor, is_dataset_ in zip(tensors, is_dataset)
    ]
    if not tables:
      return results
    with tf.control_dependencies(results):
      destroyed = [
          tf.raw_ops.DestroyResourceOp(resource=table)
          for table in tensors[len(fetches) :]
      ]
    with tf.control_dependencies(destroyed):
      return [tf.identity(result) for result in results]

  def __call__(self, argument):
    tensors = []
    if self._parameter is not None:
      tensors = self._parameter.flatten(argument)
    outputs = ()
    if self._name is not None:
      with self._lock:
        outputs = _execute(self._name, self._num_outputs, self._fed(tensors))
    return self._pack(tensors, outputs)

  def map(self, group):
    """Returns the `Group` of the results for a group's values.

    They have the same bits as those of calls one by one.

    Args:
      group: A `Group` of arguments.
    """
    fed = None
    if (
        self._may_loop(group.size)
        and self._result.num_bytes <= _MAX_LOOP_BYTES
    ):
      tensors = self._parameter.flatten(group.value)
      fed, is_stacked = _stack(self._fed(tensors), group.size)
    if fed is None:
      return groups.from_members([self(member) for member in group.members()])
    loop = self._loop(
        ('map', is_stacked),
        lambda: loops.mapped(
            self._call_in_graph,
            [self._parameter.dtypes[i] for i in self._inputs],
            [output.dtype for output in self._concrete.outputs],
            is_stacked,
        ),
    )
    outputs = _execute(
        loop.name, self._num_outputs, [tf.constant(group.size), *fed]
    )
    columns = [groups.Column(stacked=output) for output in outputs]
    return groups.Group(self._pack(tensors, columns), group.size)

  def fold(self, total, group):
    """Returns what a function of a total and a member makes of all members.

    It has the same bits as calls one by one in the members' order.

    Args:
      total: A value of the type that the function returns.
      group: A `Group` of members.
    """
    num_totals = len(self._result.names)
    fed = None
    if self._may_loop(group.size):
      tensors = self._parameter.flatten((total, group.value))
      fed, is_stacked = _stack(tensors[num_totals:], group.size)
    if fed is None:
      for member in group.members():
        total = self((total, member))
      return total
    loop = self._loop(
        ('fold', is_stacked),
        lambda: loops.folded(
            self._next_total,
            self._parameter.dtypes[:num_totals],
            self._parameter.dtypes[num_totals:],
            is_stacked,
        ),
    )
    return self._result.pack(
        _execute(
            loop.name,
            num_totals,
            [tf.constant(group.size), *tensors[:num_totals], *fed],
        )
    )

  def _may_loop(self, num_calls):
    """Whether so many calls may be made in one loop, if they are small."""
    return (
        num_calls >= _MIN_LOOP
        and self._name is not None
        and self._parameter is not None
        and not self._has_random_state
        and not self._has_tables
    )

  def _fed(self, tensors):
    """Returns the tensors of an argument that the graph uses."""
    return [tensors[i] for i in self._inputs]

  def _arrange(self, tensors, outputs):
    """Returns the tensors of a result: those passed on and those computed."""
    outputs = iter(outputs)
    return [
        next(outputs) if fed is None else tensors[fed] for fed in self._passed
    ]

  def _pack(self, tensors, outputs):
    """Returns the result for the tensors of an argument."""
    return self._result.pack(self._arrange(tensors, outputs))

  def _call_in_graph(self, *inputs):
    """Calls the function in the graph that is being made."""
    return tf.raw_ops.StatefulPartitionedCall(
        args=inputs,
        Tout=[output.dtype for output in self._concrete.outputs],
        f=self._concrete,
    )

  def _next_total(self, total, member):
    """Calls the function of a `fold` in the graph that is being made."""
    tensors = [*total, *member]
    return self._arrange(tensors, self._call_in_graph(*self._fed(tensors)))

  def _loop(self, key, make):
    """Returns the loop of a key, made when it is first asked for."""
    with self._loops_lock:
      if key not in self._loops:
        self._loops[key] = make()
      return self._loops[key]


def _stack(tensors, num_rows):
  """Stacks the columns among tensors.

  Args:
    tensors: A list of tensors and `Column`s.
    num_rows: The number of rows of each column.

  Returns:
    A list of tensors and, for each, whether it stacks a column. The list is
    None if the columns are large or do not stack.
  """
  is_stacked = tuple(isinstance(x, groups.Column) for x in tensors)
  columns = [x for x in tensors if isinstance(x, groups.Column)]
  if sum(x.num_bytes for x in columns) > _MAX_LOOP_BYTES * num_rows:
    return None, is_stacked
  stacked = [
      x.stacked() if is_column else x
      for x, is_column in zip(tensors, is_stacked)
  ]
  return None if any(x is None for x in stacked) else stacked, is_stacked


def _execute(name, num_outputs, inputs):
  """Calls a function of the eager runtime's library."""
  context = eager_context.context()
  outputs = execute.execute(
      name, num_outputs, inputs, _call_attributes(context), context
  )
  return [memory.forget_attributes(output) for output in outputs]


def _call_attributes(context):
  options = context.function_call_options
  return (
      'executor_type', '', 'config_proto', options.config_proto_serialized
  )


def _remove_functions(names):
  context = eager_context.context()
  for name in names:
    context.remove_function(name)


class FunctionCache:
  """The functions of the computations that were used last."""

  def __init__(self, capacity):
    """Initializes the cache.

    Args:
      capacity: How many functions it keeps.
    """
    self._capacity = capacity
    self._functions = collections.OrderedDict()
    self._lock = threading.Lock()

  def get(self, computation):
    """Returns the `TensorFlowFunction` of a `Computation` message."""
    key = hashlib.sha256(
        computation.SerializeToString(deterministic=True)
    ).digest()
    # Two threads with the same new computation: the second waits.
    with self._lock:
      function = self._functions.pop(key, None)
      if function is None:
        function = TensorFlowFunction(computation)
      self._functions[key] = function
      if len(self._functions) > self._capacity:
        self._functions.popitem(last=False)
      return function
