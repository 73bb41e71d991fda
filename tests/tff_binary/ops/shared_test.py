# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for shared functions."""

import dataclasses
import gc
import weakref

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff
from tensorflow_federated.python.core.impl.compiler import transformation_utils

from tff_binary import runtime
from tff_binary.ops import shared
from tff_binary.runtime import contexts


def _halve(x, is_wanted):
  return tf.cond(
      is_wanted, lambda: 0.5 * tf.identity(x), lambda: tf.identity(x)
  )


@dataclasses.dataclass(frozen=True)
class _Halving:

  def halve(self, x, is_wanted):
    return _halve(x, is_wanted)


class SharedFunctionTest(tf.test.TestCase):

  def test_all_shapes_share_one_trace(self):
    traces = []

    def halve(x, is_wanted):
      traces.append(x.shape)
      return _halve(x, is_wanted)

    function = shared.function(halve, (tf.float32, tf.bool))
    for shape in ([], [0], [3], [2, 3]):
      x = tf.ones(shape)
      self.assertAllEqual(function(x, tf.constant(True)), 0.5 * x)
      self.assertAllEqual(function(x, tf.constant(False)), x)
    for _ in range(2):
      with tf.Graph().as_default():
        function(tf.ones([3]), tf.constant(True))
    self.assertLen(traces, 1)

  def test_keeps_no_graph_that_calls_it(self):
    function = shared.function(_halve, (tf.float32, tf.bool))
    graphs = []
    for _ in range(3):
      with tf.Graph().as_default() as graph:
        function(tf.ones([3]), tf.constant(True))
      graphs.append(weakref.ref(graph))
    del graph
    gc.collect()
    self.assertEqual([graph() for graph in graphs], [None] * 3)

  def test_compiled_graph_holds_method_and_gradient_once(self):
    function, other = (
        shared.method(_Halving(), 'halve', (tf.float32, tf.bool))
        for _ in range(2)
    )
    self.assertIs(function, other)
    num_calls = 30

    @tff.tensorflow.computation(
        tff.TensorType(np.float32, [3]), np.bool_
    )
    @tf.function
    def halve_often(x, is_wanted):
      with tf.GradientTape() as tape:
        tape.watch(x)
        y = x
        for _ in range(num_calls):
          y = function(y, is_wanted)
      return y, tape.gradient(y, x)

    num_nodes = []

    def count(block):
      if isinstance(block, tff.framework.CompiledComputation):
        graph = tf.compat.v1.GraphDef.FromString(
            block.proto.tensorflow.graph_def.value
        )
        functions = graph.library.function
        num_nodes.append(
            len(graph.node) + sum(len(f.node_def) for f in functions)
        )
      return block, False

    transformation_utils.transform_postorder(
        contexts.compile_to_native(halve_often).to_building_block(), count
    )
    # Two calls each time, forward and back, and what there is once.
    self.assertLess(sum(num_nodes), 3 * num_calls + 100)
    for is_wanted in (True, False):
      expected = np.float32(2.0) ** (-num_calls if is_wanted else 0)
      with runtime.execution_context(
          runtime.Runtime('device', in_process=True)
      ):
        y, gradient = halve_often(np.ones(3, np.float32), is_wanted)
      self.assertAllEqual(y, [expected] * 3)
      self.assertAllEqual(gradient, [expected] * 3)


if __name__ == '__main__':
  tf.test.main()
