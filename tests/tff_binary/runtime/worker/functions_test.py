# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for functions and the rewriting of graphs."""

import concurrent.futures
import gc
import sys

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np
import psutil
import tensorflow as tf
import tensorflow_federated as tff
from tensorflow.python.eager import context
from tensorflow_federated.python.core.impl.computation import computation_impl

from tff_binary.runtime.worker import functions
from tff_binary.runtime.worker import protocol
from tff_binary.runtime.worker import sequences
from tff_binary.runtime.worker import values


def _message(computation):
  """Returns the `Computation` message of a `tff.tensorflow.computation`."""
  proto = computation_impl.ConcreteComputation.get_proto(computation)
  return protocol.Computation.FromString(proto.SerializeToString())


def _function(computation):
  return functions.TensorFlowFunction(_message(computation))


def _sequence(dataset):
  variant = tf.data.experimental.to_variant(dataset)
  return values.Sequence(sequences.serialize(variant))


def _elements(sequence, spec=tf.TensorSpec([], tf.int64)):
  variant = sequences.deserialize(sequence.graph)
  dataset = tf.data.experimental.from_variant(variant, spec)
  return list(dataset.as_numpy_iterator())


class TensorFlowFunctionTest(parameterized.TestCase):

  def test_structs_go_in_and_out(self):
    @tff.tensorflow.computation(
        tff.StructType([('b', np.float32), ('a', (np.int32, np.float32))])
    )
    def swap(x):
      return x['a'][0] + 1, (x['b'] * 2.0, ()), x['a'][1]

    result = _function(swap)(
        (tf.constant(1.5), (tf.constant(3), tf.constant(4.0)))
    )
    self.assertEqual(
        tf.nest.map_structure(lambda x: x.numpy(), result), (4, (3.0, ()), 4.0)
    )

  def test_wrong_struct_is_refused(self):
    @tff.tensorflow.computation(np.float32, np.float32)
    def add(x, y):
      return x + y

    with self.assertRaisesRegex(TypeError, 'struct of 2 elements, got.* of 1'):
      _function(add)((tf.constant(1.0),))

  def test_what_is_passed_on_is_not_computed(self):
    @tff.tensorflow.computation(
        np.float32, np.int32, tff.SequenceType(np.int64)
    )
    def rearrange(x, y, z):
      return (y, x), z, tf.identity(y)

    x, y = tf.constant(1.0), tf.constant(2)
    sequence = _sequence(tf.data.Dataset.range(3))
    (y1, x1), z1, y2 = _function(rearrange)((x, y, sequence))
    self.assertIs(x1, x)
    self.assertIs(y1, y)
    self.assertIs(y2, y)
    self.assertIs(z1.graph, sequence.graph)

  def test_waiting_for_an_argument_is_no_use_of_it(self):
    # TFF has grappler optimize graphs, which makes the two of an argument this:
    # a constant that waits for it.
    @tff.tensorflow.computation(np.float32, np.float32)
    def wait(x, y):
      with tf.control_dependencies([x]):
        two = tf.constant(2.0)
      return two * y

    result = _function(wait)((tf.constant(1.0), tf.constant(3.0)))
    self.assertEqual(float(result), 6.0)

  def test_variables_of_concurrent_calls_are_separate(self):
    @tff.tensorflow.computation(np.int32)
    def count(n):
      variable = tf.Variable(0, name='same')

      @tf.function
      def add():
        for _ in tf.range(n):
          variable.assign_add(1)
        return variable.read_value()

      return add()

    function = _function(count)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
      numbers = list(range(100, 500, 5))
      results = list(pool.map(lambda n: function(tf.constant(n)), numbers))
    self.assertEqual([int(r) for r in results], numbers)

  def test_tables_of_concurrent_calls_are_separate(self):
    @tff.tensorflow.computation(tff.TensorType(np.str_, [None]), np.str_)
    def find(vocabulary, word):
      table = tf.lookup.StaticHashTable(
          tf.lookup.KeyValueTensorInitializer(
              vocabulary, tf.range(tf.size(vocabulary), dtype=tf.int64)
          ),
          default_value=-1,
      )
      return table.lookup(word)

    function = _function(find)

    def position(i):
      words = [f'{i}', 'x', f'{i + 1}']
      return int(function((tf.constant(words), tf.constant(f'{i + 1}'))))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
      self.assertEqual(list(pool.map(position, range(64))), [2] * 64)

  def test_returned_dataset_may_hold_a_table(self):
    @tff.tensorflow.computation(
        tff.SequenceType(np.str_), tff.TensorType(np.str_, [2])
    )
    def look_up(dataset, words):
      table = tf.lookup.StaticHashTable(
          tf.lookup.KeyValueTensorInitializer(
              words, tf.range(2, dtype=tf.int64)
          ),
          default_value=-1,
      )
      return dataset.map(table.lookup), table.size()

    function = _function(look_up)
    sequence = _sequence(tf.data.Dataset.from_tensor_slices(['b', 'a', 'c']))

    def run(words):
      mapped, size = function((sequence, tf.constant(words)))
      self.assertEqual(size.numpy(), 2)
      # Twice, as a data set is used.
      return [_elements(mapped), _elements(mapped)]

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
      results = list(pool.map(run, [['a', 'b'], ['c', 'a']] * 8))
    self.assertEqual(results, [[[1, 0, -1]] * 2, [[-1, 1, 0]] * 2] * 8)

  def test_datasets_start_anew_at_every_use(self):
    @tff.tensorflow.computation(tff.SequenceType(np.int64))
    def head(dataset):
      return dataset.take(2), dataset.reduce(np.int64(0), lambda x, y: x + y)

    sequence = _sequence(tf.data.Dataset.range(5).cache())
    function = _function(head)
    for _ in range(2):
      taken, total = function(sequence)
      self.assertEqual(_elements(taken), [0, 1])
      self.assertEqual(total.numpy(), 10)

  @parameterized.parameters(0, 1, 5)
  def test_dataset_reduce_is_bit_identical_to_a_loop(self, num_elements):
    random = np.random.RandomState(0)
    data = random.randn(num_elements, 7).astype(np.float32)
    factor = tf.constant(random.randn(7).astype(np.float32))

    def step(state, element, factor):
      total, norm = state
      total = total * 0.9 + element * factor
      return total, norm + tf.norm(total)

    zero = (np.zeros(7, np.float32), np.float32(0))
    type_ = tff.SequenceType(tff.TensorType(np.float32, [7]))

    @tff.tensorflow.computation(type_, tff.TensorType(np.float32, [7]))
    def reduce(dataset, factor):
      # Once in the graph and once in a function.
      once = tf.function(lambda: dataset.reduce(
          zero, lambda state, element: step(state, element, factor)
      ))
      return once(), dataset.reduce(
          zero, lambda state, element: step(state, element, factor)
      )

    @tff.tensorflow.computation(type_, tff.TensorType(np.float32, [7]))
    def loop(dataset, factor):
      @tf.function
      def run():
        state = zero
        for element in iter(dataset):
          state = step(state, element, factor)
        return state

      return run()

    argument = (_sequence(tf.data.Dataset.from_tensor_slices(data)), factor)
    expected = [x.numpy().tobytes() for x in _function(loop)(argument)]
    message = _message(reduce)
    self.assertIn(b'ReduceDataset', message.tensorflow.graph_def.value)
    for result in functions.TensorFlowFunction(message)(argument):
      self.assertEqual([x.numpy().tobytes() for x in result], expected)

  @parameterized.parameters(
      (1, None), (0, 'Dataset was empty'), (2, 'more than one element')
  )
  def test_single_element_is_taken_by_an_iterator(self, num_elements, error):
    @tff.tensorflow.computation(tff.SequenceType((np.float32, np.int32)))
    def take(dataset):
      # Once in the graph and once in a function.
      once = tf.function(dataset.get_single_element)
      return once(), dataset.get_single_element()

    message = _message(take)
    self.assertIn(b'DatasetToSingleElement', message.tensorflow.graph_def.value)
    function = functions.TensorFlowFunction(message)
    argument = _sequence(
        tf.data.Dataset.from_tensor_slices((
            np.arange(1.0, 1.0 + num_elements, dtype=np.float32),
            np.arange(num_elements, dtype=np.int32),
        ))
    )
    if error is None:
      for result in function(argument):
        self.assertEqual([x.numpy() for x in result], [1.0, 0])
    else:
      with self.assertRaisesRegex(tf.errors.InvalidArgumentError, error):
        function(argument)

  def test_memory_does_not_grow_with_the_datasets_that_are_consumed(self):
    # Each call brings its data set as a graph, with functions of its own. They
    # took 50 KB a call when one was left behind; memory that is merely
    # fragmented differs by some 100 bytes a call.
    def reduce(dataset):
      return dataset.reduce(np.int64(0), lambda x, y: x + y)

    def loop(dataset):
      total = np.int64(0)
      for element in iter(dataset):
        total += element
      return total

    for consume in (
        lambda dataset: dataset.get_single_element(),
        reduce,
        loop,
        # Within a function of a data set.
        lambda dataset: reduce(
            tf.data.Dataset.range(1).map(
                lambda _: dataset.get_single_element()
            )
        ),
    ):
      function = _function(
          tff.tensorflow.computation(
              tf.function(consume), tff.SequenceType(np.int64)
          )
      )
      argument = _sequence(tf.data.Dataset.range(1).map(lambda x: x + 7))
      growth = []
      for _ in range(3):
        before = psutil.Process().memory_info().rss
        for _ in range(100):
          self.assertEqual(function(argument).numpy(), 7)
        growth.append(psutil.Process().memory_info().rss - before)
      # The first calls fill caches.
      self.assertLess(min(growth), 100 * 5_000, growth)

  def test_tensors_leave_nothing_behind(self):
    # TensorFlow leaves a block of 16 bytes of each, on some versions of Python.
    function = _function(
        tff.tensorflow.computation(lambda x: (x + 1, x + 2), np.int32)
    )
    array = protocol.Array()
    values.tensor_to_array(tf.constant(1), array)

    def run():
      before = sys.getallocatedblocks()
      for _ in range(200):
        function(values.tensor_from_array(array))
      return sys.getallocatedblocks() - before

    self.assertLess(min(run() for _ in range(3)), 200)

  def test_initializers_run_before_all_else(self):
    @tff.tensorflow.computation(np.float32)
    def scale(x):
      variable = tf.Variable(3.0)
      table = tf.lookup.experimental.MutableHashTable(tf.int32, tf.float32, 0.0)
      with tf.control_dependencies([table.insert(1, 2.0)]):
        return variable * table.lookup(tf.constant(1)) * x

    message = _message(scale)
    self.assertNotEmpty(message.tensorflow.initialize_op)
    function = functions.TensorFlowFunction(message)
    for _ in range(2):
      self.assertEqual(function(tf.constant(5.0)).numpy(), 30.0)

  def test_error_names_the_operation(self):
    @tff.tensorflow.computation(np.float32)
    def check(x):
      @tf.function
      def run(x):
        tf.debugging.assert_less(x, 1.0, 'too large', name='my_check')
        return x

      return run(x)

    function = _function(check)
    self.assertEqual(function(tf.constant(0.5)).numpy(), 0.5)
    with self.assertRaisesRegex(
        tf.errors.InvalidArgumentError, r'too large(.|\n)*my_check'
    ):
      function(tf.constant(2.0))

  def test_functions_of_the_same_name_do_not_clash(self):
    def build(factor):
      @tff.tensorflow.computation(np.float32)
      def scale(x):
        return tf.function(lambda y: y * factor, autograph=False)(x)

      message = _message(scale)
      graph = tf.compat.v1.GraphDef.FromString(
          message.tensorflow.graph_def.value
      )
      # TFF inlines such functions: this is a call of one, as before inlining.
      with tf.Graph().as_default() as call:
        x = tf.compat.v1.placeholder(tf.float32, [], name='x')
        double = tf.function(lambda y: y * factor, autograph=False)
        result = double(x)
      graph = call.as_graph_def()
      (function,) = graph.library.function
      old = function.signature.name
      function.signature.name = 'same'
      for node in graph.node:
        if node.attr['f'].func.name == old:
          node.attr['f'].func.name = 'same'
      tensorflow = message.tensorflow
      tensorflow.graph_def.value = graph.SerializeToString()
      tensorflow.parameter.tensor.tensor_name = 'x:0'
      tensorflow.result.tensor.tensor_name = result.name
      return functions.TensorFlowFunction(message)

    three, five = build(3.0), build(5.0)
    self.assertEqual(three(tf.constant(2.0)).numpy(), 6.0)
    self.assertEqual(five(tf.constant(2.0)).numpy(), 10.0)


def _sum_from(start):
  @tff.tensorflow.computation(tff.SequenceType(np.int64))
  def total(dataset):
    return dataset.reduce(np.int64(start), lambda x, y: x + y)

  return _message(total)


class FunctionCacheTest(absltest.TestCase):

  def test_same_computation_is_imported_once(self):
    cache = functions.FunctionCache(2)
    message = _sum_from(0)
    copy = protocol.Computation.FromString(message.SerializeToString())
    self.assertIs(cache.get(message), cache.get(copy))

  def test_evicted_functions_leave_the_runtime(self):
    cache = functions.FunctionCache(2)
    sequence = _sequence(tf.data.Dataset.range(3))
    # What earlier tests have left may leave at any time.
    others = set(context.context().list_function_names())
    counts = []
    for start in range(6):
      function = cache.get(_sum_from(start))
      self.assertEqual(function(sequence).numpy(), start + 3)
      gc.collect()
      names = set(context.context().list_function_names())
      counts.append(len(names - others))
    self.assertGreater(counts[1], counts[0])
    self.assertEqual(counts[2], counts[5])


if __name__ == '__main__':
  absltest.main()
