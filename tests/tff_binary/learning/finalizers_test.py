# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for finalizers."""

import collections

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import distributors
from tff_binary.learning import finalizers

_KERNEL = tff.TensorType(np.float32, [2])
_WEIGHTS_TYPE = tff.to_type(
    # Non-trainable: a moving statistic, a counter, another statistic.
    tff.learning.models.ModelWeights(
        [_KERNEL], [_KERNEL, tff.TensorType(np.int32), _KERNEL]
    )
)
_UPDATE_TYPE = tff.to_type(
    collections.OrderedDict(
        trainable=[_KERNEL], non_trainable=[_KERNEL, _KERNEL]
    )
)


_TENSORS = distributors.ModelTensors(
    _WEIGHTS_TYPE, [True], [True, False, True]
)


def _weights():
  return tff.learning.models.ModelWeights(
      [np.float32([1.0, 2.0])],
      [np.float32([3.0, 4.0]), np.int32(5), np.float32([6.0, 7.0])],
  )


def _update(trainable, first=(0.0, 0.0), second=(0.0, 0.0)):
  return collections.OrderedDict(
      trainable=[np.float32(trainable)],
      non_trainable=[np.float32(first), np.float32(second)],
  )


def _build(server_optimizer=None):
  return finalizers.build_model_update_finalizer(
      _TENSORS, _UPDATE_TYPE, server_optimizer
  )


class FinalizersTest(tf.test.TestCase, parameterized.TestCase):

  def test_adds_the_update_to_both_halves(self):
    process = _build()
    output = process.next(
        process.initialize(),
        _weights(),
        _update([0.5, -0.5], [10.0, 20.0], [30.0, 40.0]),
    )
    self.assertAllEqual(output.result.trainable, [[1.5, 1.5]])
    moving, counter, other = output.result.non_trainable
    self.assertAllEqual(moving, [13.0, 24.0])
    self.assertEqual(counter, 5)
    self.assertAllEqual(other, [36.0, 47.0])

  def test_momentum_accumulates_on_the_trainable_half_alone(self):
    process = _build(tff.learning.optimizers.build_sgdm(0.5, momentum=0.9))
    state, weights = process.initialize(), _weights()
    update = _update([1.0, -2.0], [1.0, 1.0])
    for _ in range(2):
      output = process.next(state, weights, update)
      state, weights = output.state, output.result
    # Steps of 0.5 and of 0.5 * (1 + 0.9).
    self.assertAllClose(
        weights.trainable[0], [1.0 + 0.5 * 2.9, 2.0 - 1.0 * 2.9]
    )
    self.assertAllEqual(weights.non_trainable[0], [5.0, 6.0])

  def test_zero_update_changes_neither_weights_nor_optimizer(self):
    # Momentum alone would move the weights, and Adam's counter advance.
    process = _build(tff.learning.optimizers.build_adam(0.1))
    first = process.next(process.initialize(), _weights(), _update([1.0, -2.0]))
    second = process.next(first.state, first.result, _update([0.0, 0.0]))
    tf.nest.map_structure(self.assertAllEqual, second.state, first.state)
    tf.nest.map_structure(self.assertAllEqual, second.result, first.result)
    third = process.next(
        second.state, second.result, _update([0.0, 0.0], second=[1.0, 0.0])
    )
    self.assertNotAllEqual(third.result.trainable, first.result.trainable)

  def test_replaces_compressed_tensors_and_adds_to_all_others(self):
    weights_type = tff.to_type(
        tff.learning.models.ModelWeights([_KERNEL, _KERNEL], [])
    )
    aggregate_type = tff.to_type(
        collections.OrderedDict(trainable=[_KERNEL, _KERNEL], non_trainable=[])
    )
    weights = tff.learning.models.ModelWeights(
        [np.float32([4.0, 2.0]), np.float32([4.0, 2.0])], []
    )

    def run(rate, *aggregates):
      process = finalizers.build_replacing_finalizer(
          distributors.ModelTensors(weights_type, [True, False], []),
          aggregate_type,
          tff.learning.optimizers.build_sgdm(rate),
      )
      aggregate = collections.OrderedDict(
          trainable=[np.float32(x) for x in aggregates], non_trainable=[]
      )
      return process.next(
          process.initialize(), weights, aggregate
      ).result.trainable

    self.assertAllEqual(run(1.0, [1.0, 0.0], [1.0, 0.0]), [[1, 0], [5, 2]])
    # A server's step goes half the way.
    self.assertAllEqual(run(0.5, [1.0, 0.0], [1.0, 0.0]), [[2.5, 1], [4.5, 2]])
    # Zeros are the mean of no client.
    self.assertAllEqual(run(1.0, [0.0, 0.0], [0.0, 0.0]), weights.trainable)

  @parameterized.parameters(
      tff.learning.optimizers.build_sgdm(1.0, momentum=0.9),
      tff.learning.optimizers.build_adam(0.1),
  )
  def test_no_client_leaves_the_optimizer_of_replacing_methods(self, optimizer):
    # The mean of no client is no kernel: minus the old one would be an update.
    tensor_types = [_KERNEL]
    process = finalizers.build_replacing_finalizer(
        distributors.ModelTensors(
            tff.to_type(tff.learning.models.ModelWeights(tensor_types, [])),
            [True],
            [],
        ),
        tff.to_type(
            collections.OrderedDict(trainable=tensor_types, non_trainable=[])
        ),
        optimizer,
    )
    aggregate = lambda *entries: collections.OrderedDict(
        trainable=[np.float32(entries)], non_trainable=[]
    )
    weights = tff.learning.models.ModelWeights([np.float32([4.0, 2.0])], [])
    first = process.next(process.initialize(), weights, aggregate(3.0, 2.5))
    second = process.next(first.state, first.result, aggregate(0.0, 0.0))
    tf.nest.map_structure(self.assertAllEqual, second.result, first.result)
    round_num, optimizer_state = second.state
    self.assertEqual(round_num, 2)
    tf.nest.map_structure(
        self.assertAllEqual, optimizer_state, first.state[1]
    )


if __name__ == '__main__':
  tf.test.main()
