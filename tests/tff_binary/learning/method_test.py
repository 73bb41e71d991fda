# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for method."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import algorithms
from tff_binary import distributors
from tff_binary import layers
from tff_binary import learning
from tff_binary import wire

_SGD = tff.learning.optimizers.build_sgdm(1.0)

# What a method decides by itself.
_OWN_DOWNLINK = (
    'fedbif', 'heterofl', 'lpt', 'signsgd_majority_vote', 'splitmix',
)  # pyformat: disable
_OWN_SERVER_STEP = ('fedpm', 'regularized_fedpm', 'signsgd_majority_vote')


class MethodTest(tf.test.TestCase, parameterized.TestCase):

  def test_defaults_are_fedavg(self):
    self.assertEqual(algorithms.FedAvg().method(), learning.Method())
    self.assertIsInstance(learning.Method().codec, wire.Float32Codec)

  @parameterized.parameters(*algorithms.names())
  def test_refuses_what_the_parts_decide(self, name):
    method = algorithms.get(name).hyperparameters().method()
    method.check_choices()
    self.assertEqual(method.takes_downlink_bits, name not in _OWN_DOWNLINK)
    self.assertEqual(
        method.takes_server_optimizer, name not in _OWN_SERVER_STEP
    )
    if method.takes_downlink_bits:
      method.check_choices(downlink_bits=8)
    else:
      with self.assertRaisesRegex(ValueError, 'downlink_bits=8 is for methods'):
        method.check_choices(downlink_bits=8)
    if method.takes_server_optimizer:
      method.check_choices(server_optimizer=_SGD)
    else:
      with self.assertRaisesRegex(ValueError, 'server_optimizer must be None'):
        method.check_choices(server_optimizer=_SGD)

  def test_refuses_a_keras_optimizer(self):
    with self.assertRaisesRegex(TypeError, 'build_sgdm.*, got .*Adam'):
      learning.Method().check_choices(
          server_optimizer=tf.keras.optimizers.Adam()
      )

  @parameterized.parameters(1, 17, 33, 8.0)
  def test_refuses_bits(self, bits):
    with self.assertRaisesRegex(
        ValueError, rf'downlink_bits must be 32 or .*\[2, 16\], got {bits}'
    ):
      learning.Method().check_choices(downlink_bits=bits)

  @parameterized.parameters(
      (dict(downlink_step_scale=-1.0), 'a number in .*, got -1.0'),
      (dict(downlink_step_scale=0.5), r'0.5 needs downlink_bits in \[2, 16\]'),
      (dict(downlink_coding='gzip'), 'one of packed, .*, got .gzip.'),
      (dict(downlink_coding='entropy'), r'downlink_bits in \[2, 8\], got 32'),
      (
          dict(downlink_coding='changes', downlink_bits=9),
          r'downlink_bits in \[2, 8\], got 9',
      ),
      (
          dict(downlink_coding='differences', downlink_bits=5),
          r'downlink_bits in \[2, 4\], got 5',
      ),
      (
          dict(
              downlink_coding='differences',
              downlink_bits=3,
              downlink_step_scale=0.5,
          ),
          "downlink_step_scale must be 0 with .*'differences', .* got 0.5",
      ),
      (
          dict(downlink_difference_bits=0.5, downlink_bits=4),
          "0.5 needs downlink_coding='differences', got 'packed'",
      ),
      (
          dict(downlink_difference_bits=0.0),
          r'downlink_difference_bits must be a number in \[0.01, 4\], got 0.0',
      ),
      (dict(other_bits=5), r'other_bits must be 32 or .*\[6, 16\], got 5'),
  )
  def test_refuses_codings(self, choices, message):
    with self.assertRaisesRegex(ValueError, message):
      learning.Method().check_choices(**choices)

  def test_parts_are_given_what_they_have_parameters_for(self):
    vector = tff.TensorType(np.float32, [2])
    tensors = distributors.ModelTensors(
        tff.to_type(tff.learning.models.ModelWeights([vector] * 3, [])),
        [True, False, True],
        [],
    )
    weights = tff.learning.models.ModelWeights(
        [tf.constant([w, w]) for w in (1.0, 2.0, 3.0)], []
    )
    of_place = learning.Method(
        build_weight_layer=lambda index, tensors: (index, tensors),
        initial_kernel=lambda tensors, index: tf.zeros([2]) + index,
        inference_kernel=lambda w, index, round_num: w + 10 * index + round_num,
    )
    of_nothing = learning.Method(
        build_weight_layer=lambda: 'layer', inference_kernel=tf.negative
    )
    self.assertEqual(
        of_place.weight_layers(tensors), [(0, tensors), None, (2, tensors)]
    )
    self.assertEqual(
        of_nothing.weight_layers(tensors), ['layer', None, 'layer']
    )
    self.assertEqual(
        learning.Method().weight_layers(tensors), [None, None, None]
    )
    for result, expected in (
        (of_place.initial_weights(tensors, weights), [0.0, 2.0, 2.0]),
        (
            of_place.inference_weights(tensors, weights, round_num=4),
            [5.0, 2.0, 27.0],
        ),
        (
            of_nothing.inference_weights(tensors, weights, round_num=4),
            [-1.0, 2.0, -3.0],
        ),
    ):
      self.assertAllEqual(
          result.trainable, [[w, w] for w in expected]
      )

  def test_low_precision_computes_with_what_the_parts_train(self):
    vector = tff.TensorType(np.float32, [2])
    tensors = distributors.ModelTensors(
        tff.to_type(tff.learning.models.ModelWeights([vector] * 2, [])),
        [True, False],
        [],
    )
    seen = []

    def build_weight_layer(index):
      seen.append(index)
      return layers.LearnableBinarization()

    model = tf.keras.Sequential([tf.keras.Input([3]), tf.keras.layers.Dense(2)])
    prepared = []
    method = learning.Method(
        build_weight_layer=build_weight_layer,
        prepare_model=lambda model, variables: prepared.append(variables),
    )
    self.assertIs(method.with_local_bits(32), method)
    for low in (
        method.with_local_bits(8), learning.Method().with_local_bits(8)
    ):  # pyformat: disable
      first, second = low.weight_layers(tensors)
      self.assertIsInstance(first, layers.LowPrecisionComputation)
      self.assertIsNone(second)
      self.assertIs(low.codec, learning.Method().codec)
    self.assertEqual(seen, [0])
    with self.assertRaisesRegex(ValueError, 'a model from tff_binary'):
      method.with_local_bits(8).prepare_model(model, [1])
    self.assertEqual(prepared, [[1]])
    with self.assertRaisesRegex(
        ValueError, r'local_bits must be 32 or .*\[2, 16\], got 1'
    ):
      method.with_local_bits(1)

  def test_refuses_parts_that_do_not_fit(self):
    with self.assertRaisesRegex(ValueError, 'weighting must be one of'):
      learning.Method(weighting='batches')
    with self.assertRaisesRegex(ValueError, 'needs a level_schedule'):
      learning.Method(levels_by_weight=True)


if __name__ == '__main__':
  tf.test.main()
