# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Which of a model's non-trainable variables training changes.

Moving statistics are changed by every forward pass; frozen layers, whose
weights Keras lists beside them, never are.
"""

import tensorflow as tf
import tensorflow_federated as tff

# What takes a variable's handle and leaves its value alone.
_READ_OPS = frozenset({
    'ReadVariableOp',
    'ResourceGather',
    'ResourceGatherNd',
    'VariableShape',
    'VarIsInitializedOp',
})
# Of which inputs the argument list of the called functions consists.
_CALLS = {
    'PartitionedCall': slice(None),
    'StatefulPartitionedCall': slice(None),
    'While': slice(None),
    'StatelessWhile': slice(None),
    'If': slice(1, None),
    'StatelessIf': slice(1, None),
    'Case': slice(1, None),
    'StatelessCase': slice(1, None),
}


def find(model: tff.learning.models.VariableModel) -> list[bool]:
  """Finds the non-trainable variables that a training step changes.

  Args:
    model: A model, in the graph in which it was made or eagerly.

  Returns:
    One bool for each of `model.non_trainable_variables`: whether it is a float
    and anything but reading is done to it in the graph of
    `forward_pass(batch, training=True)`.
  """
  if not any(v.dtype.is_floating for v in model.non_trainable_variables):
    return [False] * len(model.non_trainable_variables)
  specs = tf.nest.map_structure(
      lambda spec: tf.TensorSpec(spec.shape, spec.dtype), model.input_spec
  )

  @tf.function(autograph=False)
  def step(batch):
    return model.forward_pass(batch, training=True).loss

  graph = step.get_concrete_function(specs).graph
  captured = {id(outer): inner.op.name for outer, inner in graph.captures}
  graph_def = graph.as_graph_def(add_shapes=False)
  changed = _changed_tensors(
      graph_def.node,
      {function.signature.name: function for function in
       graph_def.library.function},
      {},
  )
  return [
      v.dtype.is_floating and captured.get(id(v.handle)) in changed
      for v in model.non_trainable_variables
  ]


def _changed_tensors(nodes, functions, known):
  """Returns the names of all tensors that the nodes do more to than read.

  Args:
    nodes: The `NodeDef`s of a graph or of a function.
    functions: The `FunctionDef`s of the library by name.
    known: What has been found out: for each function one bool for each of its
      arguments.
  """
  # A handle goes through these as it is.
  origins = {}
  for node in nodes:
    if node.op in ('Identity', 'StopGradient') and node.input:
      origins[_tensor(node.name)] = _tensor(node.input[0])

  def origin(name):
    seen = set()
    while name in origins and name not in seen:
      seen.add(name)
      name = origins[name]
    return name

  changed = set()
  for node in nodes:
    inputs = [origin(_tensor(i)) for i in node.input if not i.startswith('^')]
    if node.op in _CALLS:
      inputs = inputs[_CALLS[node.op]]
      called = [
          f.name
          for attr in node.attr.values()
          for f in ([attr.func] if attr.HasField('func') else attr.list.func)
      ]
      for name in called:
        arguments = _changed_arguments(name, functions, known)
        changed |= {i for i, c in zip(inputs, arguments) if c}
    elif node.op not in _READ_OPS and _tensor(node.name) not in origins:
      changed |= set(inputs)
  return changed


def _changed_arguments(name, functions, known):
  """Returns one bool for each argument of a library function."""
  arguments = [arg.name for arg in functions[name].signature.input_arg]
  if name not in known:
    known[name] = [False] * len(arguments)  # For a function that calls itself.
    changed = _changed_tensors(functions[name].node_def, functions, known)
    known[name] = [argument in changed for argument in arguments]
  return known[name]


def _tensor(name):
  """Returns the name of the node behind an input."""
  return name.split(':')[0]
