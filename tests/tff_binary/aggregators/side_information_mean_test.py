# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for SideInformationMeanFactory."""

import collections

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import aggregators
from tff_binary import wire

_SHAPES = ([40, 5], [7], [30])
_IS_COMPRESSED = (True, False, True)
_CODEC = wire.EntropyCodec(wire.SignCodec(1.0))
_UPDATE_TYPE = tff.to_type([(np.float32, shape) for shape in _SHAPES])
_VALUE_TYPE = tff.to_type(
    collections.OrderedDict(
        update=_UPDATE_TYPE,
        received=[(np.float32, _SHAPES[0]), (np.float32, _SHAPES[2])],
    )
)
_WEIGHT_TYPE = tff.TensorType(np.float32)


def _factory(codec=_CODEC):
  return aggregators.SideInformationMeanFactory(codec, _IS_COMPRESSED)


def _chances(seed=1):
  random = np.random.RandomState(seed)
  return [
      np.float32(random.binomial(8, random.beta(0.3, 0.3, shape)) / 8)
      for shape, c in zip(_SHAPES, _IS_COMPRESSED)
      if c
  ]


def _value(seed, chances):
  random = np.random.RandomState(seed)
  signs = [np.where(random.rand(*p.shape) < p, 1.0, -1.0) for p in chances]
  update = [signs[0], random.randn(*_SHAPES[1]), signs[1]]
  return collections.OrderedDict(
      update=[np.float32(x) for x in update], received=chances
  )


class SideInformationMeanTest(tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.process = _factory().create(_VALUE_TYPE, _WEIGHT_TYPE)
    cls.chances = _chances()
    cls.state = _factory().with_received(
        cls.process.initialize(), cls.chances
    )

  def test_is_the_mean_of_packed_updates_in_fewer_bytes(self):
    values = [_value(i, self.chances) for i in range(4)]
    # Who has not trained, or not to anything finite, does not know the chances.
    values.append(tf.nest.map_structure(np.zeros_like, values[0]))
    values.append(_value(5, _chances(5)))
    values[-1]['update'][1][2] = np.inf
    weights = [1.0, 2.5, 0.25, 3.0, 0.0, 1.0]
    output = self.process.next(self.state, values, weights)
    packed = aggregators.PackedMeanFactory(
        wire.SignCodec(1.0), _IS_COMPRESSED
    ).create(_UPDATE_TYPE, _WEIGHT_TYPE)
    expected = packed.next(
        packed.initialize(), [v['update'] for v in values], weights
    )
    self.assertAllClose(output.result, expected.result, rtol=1e-6)
    measured, others = output.measurements, dict(expected.measurements)
    for name in ('compressed_uplink_bytes', 'uplink_bytes'):
      self.assertLess(measured[name], others.pop(name))
    self.assertEqual(
        {name: measured[name] for name in others}, others
    )
    self.assertAllClose(
        output.state['chances'], self.state['chances'], atol=0.0
    )

  def test_other_tensors_have_a_codec_of_their_own(self):
    process = aggregators.SideInformationMeanFactory(
        _CODEC, _IS_COMPRESSED, other_codec=wire.MinifloatCodec()
    ).create(_VALUE_TYPE, _WEIGHT_TYPE)
    values = [_value(i, self.chances) for i in range(2)]
    output, expected = (
        p.next(self.state, values, [1.0, 2.0]) for p in (process, self.process)
    )
    for i in (0, 2):
      self.assertAllEqual(output.result[i], expected.result[i])
    self.assertNotAllEqual(output.result[1], expected.result[1])
    largest = max(np.max(np.abs(v['update'][1])) for v in values)
    self.assertAllClose(
        output.result[1], expected.result[1], atol=largest / 4
    )
    measured = expected.measurements
    measured['uplink_bytes'] -= 2 * (4 * 7 - 7 - 4)
    self.assertEqual(output.measurements, measured)

  def test_counts_what_is_sent(self):
    values = [_value(i, self.chances) for i in range(2)]
    output = self.process.next(self.state, values, [1.0, 1.0])
    num_bytes = 0
    for value in values:
      for name, signs, p in zip(
          ('[0]', '[2]'), value['update'][::2], self.chances
      ):
        codec = _CODEC.named(name)
        payload = codec.encode(tf.constant(signs), None, tf.constant(p))
        num_bytes += payload['bits'].shape[0] + 4  # And its size.
    measured = output.measurements
    self.assertEqual(measured['compressed_uplink_bytes'], num_bytes)
    self.assertEqual(measured['uplink_bytes'], num_bytes + 2 * 4 * (7 + 1))
    self.assertEqual(measured['num_compressed_params'], 200 + 30)

  def test_without_clients(self):
    output = self.process.next(self.state, [], [])
    for x in output.result:
      self.assertAllEqual(x, np.zeros_like(x))
    self.assertEqual(output.measurements['num_clients'], 0)

  def test_other_chances_are_an_error(self):
    values = [_value(i, self.chances) for i in range(2)]
    values[1]['received'] = [values[1]['received'][0], _chances(2)[1]]
    with self.assertRaisesRegex(
        Exception, r'tensor \[2\] of shape \(30,\)(.|\n)*Client(.|\n)*1'
    ):
      self.process.next(self.state, values, [1.0, 1.0])

  def test_with_received_finds_the_state(self):
    nested = {'inner': ([self.process.initialize()], 3)}
    told = _factory().with_received(nested, self.chances)
    self.assertAllEqual(
        told['inner'][0][0]['chances'][1], self.chances[1]
    )
    with self.assertRaisesRegex(ValueError, 'SideInformationMeanFactory, got'):
      _factory().with_received({'a': 1}, self.chances)

  def test_errors(self):
    with self.assertRaisesRegex(TypeError, 'other_codec must be a Codec'):
      aggregators.SideInformationMeanFactory(_CODEC, other_codec=8)
    with self.assertRaisesRegex(TypeError, 'Only an EntropyCodec .* got <'):
      _factory(wire.SignCodec(1.0))
    value_type = tff.to_type(
        collections.OrderedDict(
            update=_UPDATE_TYPE, received=[(np.float32, _SHAPES[0])]
        )
    )
    with self.assertRaisesRegex(TypeError, r'shapes .*\(30,\)\], got '):
      _factory().create(value_type, _WEIGHT_TYPE)
    with self.assertRaisesRegex(ValueError, "'bits' alone, got .*'step_size'"):
      _factory(wire.EntropyCodec(wire.SignCodec())).create(
          _VALUE_TYPE, _WEIGHT_TYPE
      )


if __name__ == '__main__':
  tf.test.main()
