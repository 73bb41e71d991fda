# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""TFF's forms of a round, for engines that only know certain aggregations.

A `tff.backends.mapreduce.MapReduceForm` has a place for the accumulation of
packed messages, so TFF makes it of this package's processes as of any other. A
`DistributeAggregateForm` has none: its aggregations are TFF's sums and means
alone, and TFF's compiler refuses every `tff.federated_aggregate`, that of
`tff.aggregators.EncodedSumFactory` as well ("Expected a `tff.FederatedType` to
not contain ..."). What it can hold is the sum of what is accumulated of each
client.
"""

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tensorflow_federated.python.core.backends.mapreduce import compiler
from tensorflow_federated.python.core.impl.compiler import building_block_factory
from tensorflow_federated.python.core.impl.compiler import building_blocks
from tensorflow_federated.python.core.impl.compiler import transformation_utils
from tensorflow_federated.python.core.impl.compiler import transformations
from tensorflow_federated.python.core.impl.compiler import tree_transformations

_AGGREGATE = 'federated_aggregate'


def distribute_aggregate_form(
    computation: tff.Computation,
) -> tff.backends.mapreduce.DistributeAggregateForm:
  """Compiles a round to TFF's `DistributeAggregateForm`.

  Each `tff.federated_aggregate` becomes a `tff.federated_sum`: every client
  accumulates its own message, which is to decode it, and the sum of these is
  reported. This changes no result but for the order of sums; so `merge` must be
  an addition, as that of all aggregators of this package is. The measured bytes
  are those of the packed messages, whereas an engine that can only add moves
  what it adds: where bytes count, run the `MapReduceForm`.

  Args:
    computation: The `next` of a process without client states, or of a stock
      `tff.learning` process.

  Returns:
    A `tff.backends.mapreduce.DistributeAggregateForm`.

  Raises:
    ValueError: If `merge` of an aggregation is no addition, or if what the
      server sends depends on what it aggregates in the same round.
  """
  return tff.backends.mapreduce.get_distribute_aggregate_form_for_computation(
      computation, tff_internal_preprocessing=_aggregate_by_sums
  )


def _aggregate_by_sums(tree):
  """Returns a building block without `federated_aggregate`."""
  tree = transformations.to_call_dominant(tree)
  names = {}
  if isinstance(tree.result, building_blocks.Block):
    names.update(tree.result.locals)

  def inline(block):
    if isinstance(block, building_blocks.Reference) and block.name in names:
      return _transform(names[block.name], inline), True
    return block, False

  def replace(block):
    if not (
        isinstance(block, building_blocks.Call)
        and isinstance(block.function, building_blocks.Intrinsic)
        and block.function.uri == _AGGREGATE
    ):
      return block, False
    value, zero, accumulate, merge, report = block.argument
    if not _is_addition(merge):
      raise ValueError(
          'merge of a federated_aggregate must add its arguments for a'
          f' DistributeAggregateForm, got {merge.type_signature}.'
      )
    message = building_blocks.Reference('message', value.type_signature.member)
    accumulate_one = building_blocks.Lambda(
        message.name,
        message.type_signature,
        building_blocks.Call(
            accumulate,
            building_blocks.Struct([_transform(zero, inline), message]),
        ),
    )
    accumulated = building_block_factory.create_federated_map(
        accumulate_one, value
    )
    total = building_block_factory.create_federated_sum(accumulated)
    return building_block_factory.create_federated_apply(report, total), True

  tree, _ = tree_transformations.uniquify_reference_names(
      _transform(tree, replace)
  )
  return tree


def _transform(tree, function):
  return transformation_utils.transform_postorder(tree, function)[0]


def _is_addition(merge):
  """Whether a function adds two structures of numbers, tried on random ones."""
  tensorflow = compiler.compile_local_computation_to_tensorflow(
      merge
  ).proto.tensorflow
  graph_def = tf.compat.v1.GraphDef()
  tensorflow.graph_def.Unpack(graph_def)
  a, b = map(_tensor_names, tensorflow.parameter.struct.element)
  random = np.random.RandomState(0)
  with tf.Graph().as_default() as graph:
    tf.graph_util.import_graph_def(graph_def, name='')
    feed_dict = {
        name: random.randint(
            100, size=[size or 1 for size in graph.get_tensor_by_name(name).shape]
        )
        for name in a + b
    }
    with tf.compat.v1.Session() as session:
      outputs = session.run(_tensor_names(tensorflow.result), feed_dict)
  return len(outputs) == len(a) and all(
      np.array_equal(output, feed_dict[x] + feed_dict[y])
      for output, x, y in zip(outputs, a, b)
  )


def _tensor_names(binding):
  """Returns the names of the tensors of a `TensorFlow.Binding`."""
  if binding.HasField('struct'):
    return sum(map(_tensor_names, binding.struct.element), [])
  return [binding.tensor.tensor_name]
