# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for forms; all algorithms are in algorithms/algorithms_test.py."""

import collections

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tests.tff_binary import tiny
from tff_binary import aggregators
from tff_binary import learning
from tff_binary import runtime
from tff_binary import wire

_MODEL_FN = learning.keras_model_fn(tiny.dense_model, tiny.element_spec())
_get_stock_form = (
    tff.backends.mapreduce.get_distribute_aggregate_form_for_computation
)


def _clipping(factory):
  return tff.aggregators.clipping_factory(0.1, factory)


def _clipping_and_zeroing(factory):
  return tff.aggregators.zeroing_factory(
      tff.aggregators.PrivateQuantileEstimationProcess.no_noise(
          10.0, 0.9, 0.1
      ),
      _clipping(factory),
  )


def _fed_avg(aggregator):
  return tff.learning.algorithms.build_weighted_fed_avg(
      _MODEL_FN,
      client_optimizer_fn=tff.learning.optimizers.build_sgdm(0.1),
      model_aggregator=aggregator,
  )


def _clients():
  return [
      tf.data.Dataset.from_tensor_slices(tiny.arrays(n, seed=n)).batch(4)
      for n in (8, 12)
  ]


class StockFedAvgTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('signs', wire.SignCodec()),
      ('sparse_in_clipping', wire.SparseCodec(0.5), _clipping),
      ('quantized_in_both', wire.QuantizedCodec(4), _clipping_and_zeroing),
  )
  def test_compiles_to_both_forms_and_computes_the_same(
      self, codec, wrap=lambda factory: factory
  ):
    process = _fed_avg(wrap(aggregators.PackedMeanFactory(codec)))
    tff.backends.mapreduce.get_map_reduce_form_for_computation(process.next)
    form = runtime.distribute_aggregate_form(process.next)
    compiled = (
        tff.backends.mapreduce.get_computation_for_distribute_aggregate_form(
            form
        )
    )
    state = process.initialize()
    # Two clients: there is but one order of their sum.
    tf.nest.map_structure(
        self.assertAllEqual,
        *(
            tff.structure.flatten(tff.structure.from_container(x, recursive=True))
            for x in (
                process.next(state, _clients()),
                compiled(state, _clients()),
            )
        ),
    )

  def test_stock_aggregators_compile_as_before(self):
    process = _fed_avg(None)
    self.assertEqual(
        runtime.distribute_aggregate_form(process.next).type_signature,
        _get_stock_form(process.next).type_signature,
    )


class AggregateTest(tf.test.TestCase):

  def _build(self, merge_fn):
    """Returns a round that sums up, if `merge_fn` adds, and the mean sum."""

    @tff.tensorflow.computation
    def zero():
      return collections.OrderedDict(total=0.0, count=0)

    sums_type = zero.type_signature.result

    @tff.tensorflow.computation(sums_type, np.float32)
    def accumulate(sums, x):
      return collections.OrderedDict(
          total=sums['total'] + x, count=sums['count'] + 1
      )

    @tff.tensorflow.computation(sums_type, sums_type)
    def merge(a, b):
      return tf.nest.map_structure(merge_fn, a, b)

    @tff.tensorflow.computation(sums_type)
    def report(sums):
      return sums['total'] / tf.cast(sums['count'], tf.float32)

    @tff.federated_computation(
        tff.FederatedType(np.float32, tff.SERVER),
        tff.FederatedType(np.float32, tff.CLIENTS),
    )
    def next_fn(state, value):
      mean = tff.federated_aggregate(value, zero(), accumulate, merge, report)
      return mean, state

    return next_fn

  def test_why_it_is_needed(self):
    with self.assertRaisesRegex(ValueError, 'to not contain'):
      _get_stock_form(self._build(tf.add))

  def test_has_the_sum_in_place_of_the_aggregation(self):
    form = runtime.distribute_aggregate_form(self._build(tf.add))
    compiled = (
        tff.backends.mapreduce.get_computation_for_distribute_aggregate_form(
            form
        )
    )
    self.assertAllEqual(compiled(5.0, [1.0, 2.0, 6.0]), (3.0, 5.0))
    self.assertIn(
        'federated_sum',
        str(form.client_to_server_aggregation.to_building_block()),
    )

  def test_refuses_what_does_not_add(self):
    for merge_fn in (tf.maximum, lambda a, b: a + 2 * b, lambda a, b: a):
      with self.assertRaisesRegex(ValueError, '^merge of a federated_aggregate'):
        runtime.distribute_aggregate_form(self._build(merge_fn))


if __name__ == '__main__':
  tf.test.main()
