# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests that TFF's own engines can run every algorithm."""

import asyncio
import functools
import gc

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tensorflow_federated.python.core.environments.tensorflow_frontend import tensorflow_computation
from tests.tff_binary import tiny
from tff_binary import algorithms
from tff_binary import learning
from tff_binary import runtime
from tff_binary.runtime import contexts

_CLIENTS = [tiny.client(n, client_id=i) for i, n in enumerate((12, 5, 7))]

# The tiny model has 5 channels, and each rate takes its time.
_HYPERPARAMETERS = {
    'heterofl': {'rates': '1,0.5'},
    'splitmix': {'num_bases': 2},
}
# Clients ask for what they get, which no stock form has a place for.
_SELECTS = ('heterofl', 'splitmix')


@functools.lru_cache(maxsize=None)
def _build(name):
  algorithm = algorithms.get(name)
  return algorithm.build(
      learning.keras_model_fn(tiny.dense_model, tiny.element_spec()),
      hyperparameters=algorithm.hyperparameters(
          **_HYPERPARAMETERS.get(name, {})
      ),
      element_spec=tiny.element_spec(),
      local_training=learning.LocalTraining(local_epochs=2, batch_size=8),
      seed=3,
  )


def _flat(output):
  return [
      np.asarray(x)
      for x in tff.structure.flatten(
          tff.structure.from_container(output, recursive=True)
      )
  ]


def _async_context():
  """Returns TFF's asynchronous context, which starts a C++ worker."""
  stock = tff.backends.native.create_async_local_cpp_execution_context()
  return tff.framework.AsyncExecutionContext(
      executor_fn=stock.executor_factory,
      compiler_fn=contexts.compile_to_native,  # The same; it keeps results.
      transform_args=tensorflow_computation.transform_args,
      transform_result=tensorflow_computation.transform_result,
  )


class EnginesTest(tf.test.TestCase, parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.enter_context(runtime.execution_context(runtime.Runtime('local')))
    workers = [_async_context() for _ in range(2)]
    cls._one_worker = workers[0]
    cls._two_workers = (
        tff.backends.native.create_mergeable_comp_execution_context(workers)
    )

  @classmethod
  def tearDownClass(cls):
    del cls._one_worker, cls._two_workers
    gc.collect()  # Ends TFF's workers.
    super().tearDownClass()

  @parameterized.parameters(*algorithms.names())
  def test_compiles_to_stock_forms(self, name):
    process = _build(name)
    if isinstance(process, learning.StatefulLearningProcess):
      with self.assertRaisesRegex(TypeError, 'Expected `comp` to take two'):
        runtime.distribute_aggregate_form(process.next)
      return
    if name in _SELECTS:
      with self.assertRaisesRegex(ValueError, 'intrinsic federated_select'):
        tff.backends.mapreduce.get_map_reduce_form_for_computation(process.next)
      return
    # Without TensorFlow's optimizer, which takes seconds.
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    tff.backends.mapreduce.get_map_reduce_form_for_computation(
        process.next, grappler_config=config
    )
    runtime.distribute_aggregate_form(process.next)

  @parameterized.parameters(*algorithms.names())
  def test_runs_in_stock_engines(self, name):
    process = _build(name)
    if isinstance(process, learning.StatefulLearningProcess):
      message = f'^merge must be in_order for {name}, whose clients keep states'
      with self.assertRaisesRegex(ValueError, message):
        contexts.check_merges(process.next, name)
      return
    if name == 'splitmix':  # Clients' turns are found out before.
      message = f'^merge must be in_order for {name}, whose rounds are more'
      with self.assertRaisesRegex(ValueError, message):
        contexts.check_merges(process.next, name)
      return
    # Clients compute the same everywhere: only sums may differ.
    state = process.initialize()
    expected = process.next(state, _CLIENTS)
    stack = tff.framework.get_context_stack()
    with stack.install(self._one_worker):
      one = asyncio.run(_call(process.next, state))
    with stack.install(self._two_workers):
      two = process.next(state, _CLIENTS)
    for output in (one, two):
      for x, y in zip(_flat(output), _flat(expected)):
        self.assertAllClose(x, y, rtol=1e-5, atol=1e-6)


async def _call(next_fn, state):
  return await next_fn(state, _CLIENTS)


if __name__ == '__main__':
  tf.test.main()
