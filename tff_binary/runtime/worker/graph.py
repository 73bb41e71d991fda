# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Makes TFF's TensorFlow graphs fit to run as functions, and on any device.

TFF's own worker runs each graph in a session: every call has its own resources,
an initializer that runs first and a container that is cleared afterwards. A
function in the eager runtime has none of these, and there is one runtime for
all threads. `prepare` rewrites the graph accordingly.
"""

import graphlib
import itertools
import re

import tensorflow as tf

# The name that TensorFlow itself gives to variables that belong to nobody but
# the handle: every execution of the operation creates one, the last reference
# deletes it.
_ANONYMOUS_VARIABLE = 'cd2c89b7-88b7-44c8-ad83-06c2a9158347'

# The lookup tables that live as long as their handle, by those that a name
# shares between all executions.
_ANONYMOUS_TABLES = {
    'HashTableV2': 'AnonymousHashTable',
    'MutableHashTableV2': 'AnonymousMutableHashTable',
    'MutableHashTableOfTensorsV2': 'AnonymousMutableHashTableOfTensors',
    'MutableDenseHashTableV2': 'AnonymousMutableDenseHashTable',
}

_SHARING_ATTRIBUTES = ('container', 'shared_name', 'use_node_name_sharing')

_HANDLES = ('VarHandleOp', *_ANONYMOUS_TABLES, *_ANONYMOUS_TABLES.values())

CPU = '/device:CPU:0'

# Some of these have GPU kernels, but all data sets live on the CPU.
_ON_CPU = re.compile(
    r'\w*Dataset\w*|MakeIterator|\w*Iterator(V2|V3)?|IteratorGetNext\w*'
    r'|Optional\w+'
)

_VARIANT = tf.variant.as_datatype_enum

_suffixes = itertools.count()


def _dataset_options():
  """Returns the options that every data set is iterated over with.

  By default an iterator first has grappler optimize its data set, starts
  threads for it, and tunes it in one more. That takes longer than the training
  of a small client. The devices' threads compute several clients at a time
  instead.
  """
  options = tf.data.Options()
  options.autotune.enabled = False
  options.experimental_optimization.apply_default_optimizations = False
  # None: 0, the default, starts a thread a core for every iterator.
  options.threading.private_threadpool_size = -1
  # pylint: disable-next=protected-access
  return options._to_proto().SerializeToString()


def prepare(graph_def, feeds, fetches, initialize_op='', keep_tables=False):
  """Rewrites a graph so that calls of it as a function are independent.

  Args:
    graph_def: A `GraphDef`, which is changed.
    feeds: The names of the tensors, as 'node:0', whose values the caller gives.
    fetches: The names of the tensors that the caller wants.
    initialize_op: The operation that runs before all else, or ''.
    keep_tables: Whether lookup tables outlive the call, as they must in order
      to be serialized together with a data set. Then calls may not overlap, and
      the caller deletes the tables.

  Returns:
    The names of the feeds that the graph uses, and of the handles of the tables
    that are kept.

  Raises:
    ValueError: If the graph lacks a node or its functions call themselves.
  """
  _check_functions(graph_def)
  _forget_waiting(graph_def, feeds)
  _prune(graph_def, feeds, [*fetches, *filter(None, [initialize_op])])
  if initialize_op:
    _initialize_first(graph_def, initialize_op, feeds)
  _rename_functions(graph_def)
  _set_dataset_options(graph_def.node)
  for function in graph_def.library.function:
    _set_dataset_options(function.node_def, ':handle:0')
  if _replace_dataset_consumers(graph_def):
    # Tracing has put the new functions into the runtime's library.
    _rename_functions(graph_def)
  for node in _all_nodes(graph_def):
    if node.op == 'VarHandleOp':
      node.attr['shared_name'].s = _ANONYMOUS_VARIABLE.encode()
      node.attr['container'].s = b''
    elif keep_tables and node.op in _ANONYMOUS_TABLES:
      node.attr['shared_name'].s = f'{node.name}_{next(_suffixes)}'.encode()
    elif node.op in _ANONYMOUS_TABLES:
      node.op = _ANONYMOUS_TABLES[node.op]
      for attribute in _SHARING_ATTRIBUTES:
        node.attr.pop(attribute, None)
    elif _ON_CPU.fullmatch(node.op):
      node.device = CPU
  used = {with_output(i) for node in graph_def.node for i in node.input}
  return used.union(fetches).intersection(feeds), tables(graph_def)


def tables(graph_def):
  """Returns the handles of the tables that a graph names, as a list."""
  return [
      with_output(node.name)
      for node in graph_def.node
      if node.op in _ANONYMOUS_TABLES
  ]


def has_random_state(graph_def):
  """Whether an operation draws from a seed and goes on from call to call."""
  return any(
      node.attr[name].i
      for node in _all_nodes(graph_def)
      for name in ('seed', 'seed2')
      if name in node.attr
  )


def sources(graph_def, feeds, fetches):
  """Follows identities up to a feed or to what computes.

  Args:
    graph_def: A `GraphDef`.
    feeds: The names of the tensors, as 'node:0', whose values the caller gives.
    fetches: The names of the tensors to start from.

  Returns:
    For each of `fetches` the name of the tensor that it is.

  Raises:
    ValueError: If identities lead back to where they came from.
  """
  # Of all nodes there may be ten thousands, and hundreds of fetches.
  identities = {
      node.name: node.input[0]
      for node in graph_def.node
      if node.op == 'Identity' and len(node.input) == 1
  }

  def source(fetch):
    for _ in range(len(identities) + 1):
      fetch = with_output(fetch)
      before = identities.get(_node_name(fetch))
      if fetch in feeds or before is None:
        return fetch
      fetch = before
    raise ValueError(f'The graph has a cycle of identities at {fetch!r}.')

  return [source(fetch) for fetch in fetches]


def _forget_waiting(graph_def, feeds):
  """Removes control inputs from nodes whose values the caller gives.

  A session takes them as done; grappler makes some.
  """
  for node in graph_def.node:
    inputs = [
        i
        for i in node.input
        if not (i.startswith('^') and with_output(i[1:]) in feeds)
    ]
    if len(inputs) < len(node.input):
      del node.input[:]
      node.input.extend(inputs)


def _node_name(tensor):
  return tensor.lstrip('^').split(':')[0]


def with_output(tensor):
  """Returns 'node:0' for 'node'."""
  return tensor if ':' in tensor else f'{tensor}:0'


def _all_nodes(graph_def):
  return itertools.chain(
      graph_def.node, *(f.node_def for f in graph_def.library.function)
  )


def _ancestors(graph_def, targets, feeds=()):
  """Returns the names of all nodes that `targets` depend on, `feeds` given."""
  nodes = {node.name: node for node in graph_def.node}
  feeds = set(feeds)
  found = set()
  pending = list(targets)
  while pending:
    tensor = pending.pop()
    name = _node_name(tensor)
    is_fed = not tensor.startswith('^') and with_output(tensor) in feeds
    if is_fed or name in found:
      continue
    if name not in nodes:
      raise ValueError(f'The graph has no node {name!r}.')
    found.add(name)
    pending.extend(nodes[name].input)
  return found


def _prune(graph_def, feeds, targets):
  """Removes what is not needed, as a session does: a function would run it."""
  needed = _ancestors(graph_def, targets, feeds)
  nodes = [node for node in graph_def.node if node.name in needed]
  for node in nodes:
    groups = node.attr['_class'].list.s
    kept = [g for g in groups if g.decode().removeprefix('loc:@') in needed]
    del groups[:]
    groups.extend(kept)
    if not kept:
      del node.attr['_class']
  del graph_def.node[:]
  graph_def.node.extend(nodes)


def _initialize_first(graph_def, initialize_op, feeds):
  """Lets all uses of variables and tables wait for their initialization.

  Only the direct consumers of a handle wait: inside a loop a node may not
  depend on one outside.
  """
  before = _ancestors(graph_def, [initialize_op], feeds)
  handles = {node.name for node in graph_def.node if node.op in _HANDLES}
  for node in graph_def.node:
    if node.name not in before and handles.intersection(
        map(_node_name, node.input)
    ):
      node.input.append(f'^{_node_name(initialize_op)}')


def _function_attributes(node):
  """Yields the `NameAttrList`s of the functions that a node names."""
  for value in node.attr.values():
    for function in [value.func, *value.list.func]:
      if function.name:
        yield function


def _check_functions(graph_def):
  """Raises an error if functions call themselves: TensorFlow would crash."""
  calls = {
      function.signature.name: {
          name
          for node in function.node_def
          for name in (node.op, *(f.name for f in _function_attributes(node)))
      }
      for function in graph_def.library.function
  }
  try:
    graphlib.TopologicalSorter(calls).prepare()
  except graphlib.CycleError as error:
    raise ValueError(
        f'The graph\'s functions call themselves: {" > ".join(error.args[1])}.'
    ) from None


def _rename_functions(graph_def):
  """Gives the graph's functions names that no other graph has.

  The eager runtime has one function library, and TFF's graphs of different
  models have different functions of the same name.
  """
  library = graph_def.library
  suffix = f'_{next(_suffixes)}'
  names = {f.signature.name for f in library.function}

  def rename(name):
    return name + suffix if name in names else name

  for function in library.function:
    function.signature.name = rename(function.signature.name)
  for gradient in library.gradient:
    gradient.function_name = rename(gradient.function_name)
    gradient.gradient_func = rename(gradient.gradient_func)
  for node in _all_nodes(graph_def):
    node.op = rename(node.op)
    for function in _function_attributes(node):
      function.name = rename(function.name)


def _set_dataset_options(nodes, output=''):
  """Lets iterators be made with `_dataset_options`.

  Args:
    nodes: The nodes of a graph or of a function, which are changed.
    output: What follows a node's name where it is an input.
  """
  iterators = {
      node.name: node for node in nodes if node.op.startswith('AnonymousIter')
  }
  for node in [node for node in nodes if node.op == 'MakeIterator']:
    iterator = iterators.get(_node_name(node.input[1]))
    if iterator is None:
      continue
    options = nodes.add(op='OptionsDataset', name=f'{node.name}/options')
    options.input.append(node.input[0])
    options.attr['serialized_options'].s = _dataset_options()
    for name in ('output_types', 'output_shapes'):
      options.attr[name].CopyFrom(iterator.attr[name])
    node.input[0] = options.name + output


def _replace_dataset_consumers(graph_def):
  """Lets the graph itself iterate over data sets that one operation consumes.

  `Dataset.reduce`, TFF's training loop, and `Dataset.get_single_element` exist
  for the CPU alone, and what `reduce` calls runs there too. They also
  instantiate the data set's functions in the library that all calls share, and
  some 50 KB of each instance stay there. An iterator has a library of its own.

  Args:
    graph_def: The graph, which is changed.

  Returns:
    Whether there was anything to replace.
  """
  new_functions = []
  for node in graph_def.node:
    if node.op in _CONSUMERS:
      new_functions.extend(_replace_dataset_consumer(graph_def, node))
  for function in graph_def.library.function:
    for node in function.node_def:
      if node.op in _CONSUMERS:
        new_functions.extend(_replace_dataset_consumer(graph_def, node))
        _rename_output(function, node.name, 'components', 'output')
  graph_def.library.function.extend(new_functions)
  return bool(new_functions)


def _replace_dataset_consumer(graph_def, node):
  """Turns a node of `_CONSUMERS` into a call; returns the new functions."""
  function, input_types, output_types = _CONSUMERS[node.op](graph_def, node)
  name, functions = _trace(graph_def, function, input_types)
  node.op = 'StatefulPartitionedCall'
  node.attr.clear()
  node.attr['f'].func.name = name
  node.attr['Tin'].list.type.extend(input_types)
  node.attr['Tout'].list.type.extend(output_types)
  return functions


def _trace(graph_def, function, input_types):
  """Makes a function that may call those of the graph's library.

  Args:
    graph_def: The graph.
    function: A Python function of tensors.
    input_types: Their data types; all of the shapes are unknown.

  Returns:
    The function's name, and the `FunctionDef`s to add to the library.
  """
  with tf.Graph().as_default() as scratch:
    tf.graph_util.import_graph_def(
        tf.compat.v1.GraphDef(library=graph_def.library), name=''
    )
    concrete = tf.function(function, autograph=False).get_concrete_function(
        *[
            tf.TensorSpec([] if t == _VARIANT else None, t)
            for t in input_types
        ]
    )
    concrete.add_to_graph(scratch)
    # Traced functions have names that are theirs alone.
    known = {f.signature.name for f in graph_def.library.function}
    new_functions = [
        f
        for f in scratch.as_graph_def().library.function
        if f.signature.name not in known
    ]
  return concrete.name.decode(), new_functions


def _iterate(dataset, element):
  """Returns a function that takes the next element of a data set, an optional.

  Args:
    dataset: The data set's variant.
    element: A dict of the `output_types` and `output_shapes` of its elements.
  """
  iterator = tf.raw_ops.AnonymousIteratorV3(**element)
  dataset = tf.raw_ops.OptionsDataset(
      input_dataset=dataset, serialized_options=_dataset_options(), **element
  )
  make = tf.raw_ops.MakeIterator(dataset=dataset, iterator=iterator)
  with tf.control_dependencies([make]):
    iterator = tf.identity(iterator)

  def next_optional(*after):
    with tf.control_dependencies(after):
      return tf.raw_ops.IteratorGetNextAsOptional(iterator=iterator, **element)

  return next_optional


def _reduction(graph_def, node):
  """Returns (dataset, state, arguments) -> state, and its data types.

  Args:
    graph_def: The graph whose library holds the reduction function.
    node: A `ReduceDataset` node.

  Returns:
    A function of tensors, the data types of its arguments and of its results.
  """
  reduction = node.attr['f'].func.name
  signature = next(
      f.signature
      for f in graph_def.library.function
      if f.signature.name == reduction
  )
  state_types = node.attr['Tstate'].list.type[:]
  argument_types = node.attr['Targuments'].list.type[:]
  num_elements = (
      len(signature.input_arg) - len(state_types) - len(argument_types)
  )
  element = dict(
      output_types=[
          arg.type for arg in signature.input_arg[len(state_types) :]
      ][:num_elements],
      output_shapes=[tf.TensorShape(None)] * num_elements,
  )

  def loop(dataset, *state_and_arguments):
    state = state_and_arguments[: len(state_types)]
    arguments = state_and_arguments[len(state_types) :]
    next_optional = _iterate(dataset, element)
    first = next_optional()

    def body(optional, *state):
      elements = tf.raw_ops.OptionalGetValue(optional=optional, **element)
      state = tf.raw_ops.StatefulPartitionedCall(
          args=[*state, *elements, *arguments], Tout=state_types, f=reduction
      )
      return (next_optional(*state), *state)

    _, *state = tf.while_loop(
        lambda optional, *_: tf.raw_ops.OptionalHasValue(optional=optional),
        body,
        (first, *state),
        shape_invariants=(
            first.shape,
            *[tf.TensorShape(None)] * len(state_types),
        ),
    )
    return state

  return loop, [_VARIANT, *state_types, *argument_types], state_types


def _single_element(unused_graph_def, node):
  """Returns dataset -> elements, and its data types; see `_reduction`."""
  types = node.attr['output_types'].list.type[:]
  element = dict(
      output_types=types,
      output_shapes=[
          tf.TensorShape(shape)
          for shape in node.attr['output_shapes'].list.shape
      ],
  )

  def take(dataset):
    next_optional = _iterate(dataset, element)
    first = next_optional()
    second = next_optional(first)
    has_one, has_two = (
        tf.raw_ops.OptionalHasValue(optional=optional)
        for optional in (first, second)
    )
    with tf.control_dependencies([
        tf.debugging.Assert(has_one, ['Dataset was empty.']),
        tf.debugging.Assert(~has_two, ['Dataset had more than one element.']),
    ]):
      return tf.raw_ops.OptionalGetValue(optional=first, **element)

  return take, [_VARIANT], types


_CONSUMERS = {
    'DatasetToSingleElement': _single_element,
    'ReduceDataset': _reduction,
}


def _rename_output(function, node_name, old, new):
  """Renames a node's output in the inputs and results within a function."""
  pattern = re.compile(rf'{re.escape(node_name)}:{old}:(\d+)')
  for node in function.node_def:
    for i, tensor in enumerate(node.input):
      node.input[i] = pattern.sub(rf'{node_name}:{new}:\1', tensor)
  for name, tensor in function.ret.items():
    function.ret[name] = pattern.sub(rf'{node_name}:{new}:\1', tensor)
