# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for functions and the rewriting of graphs."""

import concurrent.futures
import gc
import sys
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np
import psutil
import tensorflow as tf
import tensorflow_federated as tff
from tensorflow.python.eager import context
from tensorflow_federated.python.core.impl.computation import computation_impl

from tff_binary.runtime.worker import functions
from tff_binary.runtime.worker import groups
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


def _map(function, members):
  return function.map(groups.from_members(members)).members()


class LoopTest(parameterized.TestCase):
  """`map` and `fold` against calls one by one, bit for bit."""

  def setUp(self):
    super().setUp()
    self.enter_context(
        mock.patch.object(
            functions.TensorFlowFunction,
            '__call__',
            autospec=True,
            side_effect=functions.TensorFlowFunction.__call__,
        )
    )

  def _num_calls(self):
    calls = functions.TensorFlowFunction.__call__.call_count
    functions.TensorFlowFunction.__call__.reset_mock()
    return calls

  def assert_equal_bits(self, actual, expected):
    tf.nest.map_structure(
        lambda a, b: self.assertEqual(a.numpy().tobytes(), b.numpy().tobytes()),
        actual,
        expected,
    )

  def test_small_clients_train_in_one_call(self):
    element_type = (
        tff.TensorType(np.float32, [None, 3]),
        tff.TensorType(np.float32, [None]),
    )

    @tff.tensorflow.computation(
        tff.TensorType(np.float32, [3]), tff.SequenceType(element_type)
    )
    def train(weights, dataset):
      variable = tf.Variable(weights)
      num_examples = tf.Variable(0)

      @tf.function
      def run():
        for x, y in dataset:
          error = tf.linalg.matvec(x, variable) - y
          gradient = tf.linalg.matvec(x, error, transpose_a=True)
          variable.assign_sub(0.1 * gradient)
          num_examples.assign_add(tf.size(y))
        return variable - weights, num_examples.read_value(), weights

      return run()

    random = np.random.RandomState(0)

    def dataset(size):
      return _sequence(
          tf.data.Dataset.from_tensor_slices((
              random.randn(size, 3).astype(np.float32),
              random.randn(size).astype(np.float32),
          )).batch(2)
      )

    weights = tf.constant(random.randn(3).astype(np.float32))
    # Also of clients without examples and of more than one batch.
    clients = [(weights, dataset(size % 5)) for size in range(20)]
    function = _function(train)
    expected = [function(client) for client in clients]
    self._num_calls()
    results = _map(function, clients)
    self.assertEqual(self._num_calls(), 0)
    self.assert_equal_bits(results, expected)
    self.assert_equal_bits(_map(function, clients[3:15]), expected[3:15])

  def test_fold_adds_in_the_order_of_the_members(self):
    @tff.tensorflow.computation(
        ((np.float32, tff.TensorType(np.int32, [None])), (np.float32, np.int32))
    )
    def accumulate(total, member):
      # The second total grows, the first depends on the order of its sum.
      return (
          (total[0] + member[0], tf.concat([total[1], [member[1]]], axis=0))
      )

    random = np.random.RandomState(0)
    members = [
        (tf.constant(np.float32(x)), tf.constant(i))
        for i, x in enumerate(random.lognormal(sigma=5, size=30))
    ]
    zero = (tf.constant(0.0), tf.constant([], tf.int32))
    function = _function(accumulate)
    expected = zero
    for member in members:
      expected = function((expected, member))
    self._num_calls()
    total = function.fold(zero, groups.from_members(members))
    self.assertEqual(self._num_calls(), 0)
    self.assert_equal_bits(total, expected)
    self.assertEqual(total[1].numpy().tolist(), list(range(30)))

  def test_what_is_passed_on_or_shared_is_not_stacked(self):
    @tff.tensorflow.computation(np.float32, np.int32, np.float32)
    def rearrange(x, y, z):
      return y, x + z

    x = tf.constant(1.0)
    ys = [tf.constant(i) for i in range(10)]
    results = _map(_function(rearrange), [(x, y, x) for y in ys])
    for (y, two), expected in zip(results, ys):
      self.assertIs(y, expected)
      self.assertEqual(float(two), 2.0)

  @parameterized.named_parameters(
      ('few', 7, lambda i: tf.zeros([3])),
      ('different_shapes', 8, lambda i: tf.zeros([i])),
      ('large', 8, lambda i: tf.zeros([1 << 15])),
      ('one_is_large', 8, lambda i: tf.zeros([1 << 18 if i == 5 else 1])),
  )
  def test_others_are_called_one_by_one(self, num_clients, argument):
    @tff.tensorflow.computation(tff.TensorType(np.float32, [None]))
    def total(x):
      return tf.reduce_sum(x) + 1.0

    function = _function(total)
    self._num_calls()
    results = _map(function, [argument(i) for i in range(num_clients)])
    self.assertEqual([float(r) for r in results], [1.0] * num_clients)
    self.assertEqual(self._num_calls(), num_clients)

  def test_results_of_any_shape_and_seeded_draws_are_called_one_by_one(self):
    @tff.tensorflow.computation(np.int32)
    def count(n):
      return tf.range(n)

    @tff.tensorflow.computation(np.float32)
    def draw(x):
      return x + tf.random.uniform([], seed=1)

    for computation, argument in [
        (count, tf.constant(2)),
        (draw, tf.constant(0.0)),
    ]:
      function = _function(computation)
      self._num_calls()
      _map(function, [tf.identity(argument) for _ in range(9)])
      self.assertEqual(self._num_calls(), 9)

  def test_error_of_one_client_is_raised(self):
    @tff.tensorflow.computation(np.int32)
    def check(x):
      with tf.control_dependencies([tf.debugging.assert_less(x, 9)]):
        return tf.identity(x) + 1

    with self.assertRaises(tf.errors.InvalidArgumentError):
      _map(_function(check), [tf.constant(i) for i in range(12)])


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
