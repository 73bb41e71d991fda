# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for model_update."""

import collections

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import aggregators
from tff_binary import wire

_FLOAT = tff.TensorType(np.float32)


def _update_type(num_statistics):
  return tff.to_type(
      collections.OrderedDict(
          trainable=[tff.TensorType(np.float32, [2, 2])],
          non_trainable=[tff.TensorType(np.float32, [2])] * num_statistics,
      )
  )


def _float32_mean():
  return aggregators.PackedMeanFactory(wire.Float32Codec())


class ModelUpdateFactoryTest(tf.test.TestCase):

  def test_clipping_reaches_the_trainable_half_alone(self):
    process = aggregators.ModelUpdateFactory(
        trainable=tff.aggregators.clipping_factory(
            1.0, aggregators.PackedMeanFactory(wire.BinaryCodec())
        ),
        non_trainable=_float32_mean(),
    ).create(_update_type(1), _FLOAT)
    update = collections.OrderedDict(
        trainable=[np.float32([[1.0, -1.0], [1.0, 1.0]])],
        non_trainable=[np.float32([100.0, 200.0])],
    )
    output = process.next(process.initialize(), [update], [3.0])
    # Norm 2 clipped to 1 keeps the update on the grid of the codec.
    self.assertAllClose(
        output.result['trainable'][0], update['trainable'][0] / 2.0
    )
    self.assertAllClose(
        output.result['non_trainable'][0], update['non_trainable'][0]
    )
    self.assertEqual(
        output.measurements['non_trainable']['uplink_bytes'], 2 * 4 + 4
    )

  def test_without_non_trainable_tensors(self):
    process = aggregators.ModelUpdateFactory(
        trainable=_float32_mean(), non_trainable=_float32_mean()
    ).create(_update_type(0), _FLOAT)
    update = collections.OrderedDict(
        trainable=[np.float32([[1.0, -1.0], [1.0, 1.0]])], non_trainable=[]
    )
    output = process.next(process.initialize(), [update], [3.0])
    self.assertEmpty(output.result['non_trainable'])
    self.assertEqual(list(output.measurements), ['trainable'])
    self.assertEqual(
        process.next.type_signature.result.result.member, _update_type(0)
    )

  def test_refuses_unweighted_factories(self):
    with self.assertRaisesRegex(TypeError, 'WeightedAggregationFactory'):
      aggregators.ModelUpdateFactory(
          tff.aggregators.SumFactory(), _float32_mean()
      )


if __name__ == '__main__':
  tf.test.main()
