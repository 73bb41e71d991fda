# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for packed_mean."""

import collections
import warnings

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import aggregators
from tff_binary import wire

_FLOAT = tff.TensorType(np.float32)
# The keys are not in alphabetic order, and a rank-1 tensor comes between.
_TYPE = tff.to_type(
    collections.OrderedDict(
        kernel=tff.TensorType(np.float32, [3, 3]),
        bias=tff.TensorType(np.float32, [5]),
        attention=[tff.TensorType(np.float32, [2, 2, 2])],
    )
)


def _update(step_size, seed):
  rng = np.random.RandomState(seed)
  sign = lambda shape: rng.choice(np.float32([-1.0, 1.0]), shape)
  return collections.OrderedDict(
      kernel=np.float32(step_size) * sign([3, 3]),
      bias=rng.randn(5).astype(np.float32),
      attention=[np.float32(2 * step_size) * sign([2, 2, 2])],
  )


def _weighted_mean(updates, weights):
  total = sum(weights)
  return tf.nest.map_structure(
      lambda *x: sum(w * v for w, v in zip(weights, x)) / total, *updates
  )


class ComputationTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('struct', _TYPE),
      ('tensor', tff.TensorType(np.float32, [4, 2])),
      ('list', tff.to_type([tff.TensorType(np.float32, [4, 2])])),
      ('float64', tff.TensorType(np.float64, [4, 2])),
  )
  def test_result_has_the_type_of_the_value(self, value_type):
    process = aggregators.PackedMeanFactory(wire.BinaryCodec()).create(
        value_type, _FLOAT
    )
    signature = process.next.type_signature
    self.assertEqual(signature.parameter.value.member, value_type)
    self.assertEqual(signature.result.result.member, value_type)

  def test_no_state(self):
    process = aggregators.PackedMeanFactory(wire.BinaryCodec()).create(
        _TYPE, _FLOAT
    )
    self.assertEqual(
        process.initialize.type_signature.result,
        tff.FederatedType((), tff.SERVER),
    )

  def test_refuses_integers(self):
    with self.assertRaisesRegex(TypeError, 'float16, float32 or float64, got'):
      aggregators.PackedMeanFactory(wire.BinaryCodec()).create(
          tff.TensorType(np.int32, [4]), _FLOAT
      )

  def test_refuses_unknown_shape(self):
    with self.assertRaisesRegex(TypeError, 'static shape, got'):
      aggregators.PackedMeanFactory(wire.BinaryCodec()).create(
          tff.TensorType(np.float32, [None, 4]), _FLOAT
      )

  def test_refuses_bad_arguments(self):
    with self.assertRaisesRegex(TypeError, "Codec, got 'binary'"):
      aggregators.PackedMeanFactory('binary')
    with self.assertRaisesRegex(TypeError, 'other_codec must be a Codec'):
      aggregators.PackedMeanFactory(wire.BinaryCodec(), other_codec=8)
    with self.assertRaisesRegex(ValueError, "'raise' or 'drop', got 'zero'"):
      aggregators.PackedMeanFactory(wire.BinaryCodec(), on_off_grid='zero')
    with self.assertRaisesRegex(ValueError, '3 tensors of the value, got 2'):
      aggregators.PackedMeanFactory(
          wire.BinaryCodec(), is_compressed=[True, False]
      ).create(_TYPE, _FLOAT)


  @parameterized.named_parameters(
      (
          'packed',
          lambda **kwargs: aggregators.PackedMeanFactory(
              wire.BinaryCodec(), **kwargs
          ),
      ),
      (
          'adaptive',
          lambda **kwargs: aggregators.AdaptiveMeanFactory(
              wire.QSGDCodec(), aggregators.LossRatio(), **kwargs
          ),
      ),
      (
          'joint',
          lambda **kwargs: aggregators.PackedMeanFactory(
              wire.QSGDCodec(is_joint=True), **kwargs
          ),
      ),
  )
  def test_refuses_a_value_without_compressed_tensors(self, build):
    nothing = r'Codec has nothing to compress: .*{}\. .*is_compressed=lambda'
    vectors = tff.to_type([(np.float32, [5]), (np.float32, [4])])
    kernels = tff.to_type([(np.float32, [5, 4])])
    for kwargs, value_type, shapes in (
        ({}, vectors, r'\[0\] \(5,\), \[1\] \(4,\)'),
        ({'is_compressed': [False, False]}, vectors, r'\[1\] \(4,\)'),
        ({'is_compressed': lambda spec: False}, kernels, r'\[0\] \(5, 4\)'),
    ):
      with self.assertRaisesRegex(ValueError, nothing.format(shapes)):
        build(**kwargs).create(value_type, _FLOAT)
    # Where TFF joins all tensors to a vector, the user says what that means.
    joined = tff.aggregators.concat_factory(build())
    with self.assertRaisesRegex(ValueError, nothing.format(r'\(20,\)')):
      joined.create(kernels, _FLOAT)
    joined = tff.aggregators.concat_factory(
        build(is_compressed=lambda spec: True)
    )
    self.assertEqual(
        joined.create(kernels, _FLOAT).next.type_signature.result.result.member,
        kernels,
    )

  def test_float32_needs_no_compressed_tensors(self):
    with warnings.catch_warnings():
      warnings.simplefilter('error', UserWarning)
      aggregators.PackedMeanFactory(
          wire.Float32Codec(), is_compressed=lambda spec: False
      ).create(_TYPE, _FLOAT)


class ExecutionTest(tf.test.TestCase, parameterized.TestCase):

  def test_weighted_mean_and_measurements(self):
    process = aggregators.PackedMeanFactory(wire.BinaryCodec()).create(
        _TYPE, _FLOAT
    )
    updates = [_update(0.5, 1), _update(0.25, 2), _update(0.0, 3)]
    output = process.next(process.initialize(), updates, [1.0, 2.0, 5.0])
    self.assertAllClose(
        output.result, _weighted_mean(updates, [1.0, 2.0, 5.0])
    )
    # A client sends 2 bytes and a step size for the 3x3 kernel, 1 byte and a
    # step size for the 8 others, 5 floats for the bias and its weight.
    self.assertEqual(
        output.measurements,
        collections.OrderedDict(
            num_clients=3,
            num_non_finite_clients=0,
            compressed_uplink_bytes=3 * (2 + 4 + 1 + 4),
            uplink_bytes=3 * (2 + 4 + 1 + 4 + 20 + 4),
            num_compressed_params=17,
        ),
    )

  def test_small_tensors_that_are_not_compressed_travel_as_one(self):
    random = np.random.RandomState(1)

    def update():
      shapes = [(4,), (3, 3), (9000,), (2,), (), (2, 2), (5,), (1,)]
      dtypes = [np.float32] * 8
      dtypes[3] = dtypes[7] = np.float64
      return [np.asarray(random.randn(*s), d) for s, d in zip(shapes, dtypes)]

    updates = [update() for _ in range(2)]
    value_type = tff.to_type([(x.dtype.type, x.shape) for x in updates[0]])
    for codec, num_payloads in (
        (wire.SignCodec('mean'), 5), (wire.QSGDCodec(is_joint=True), 4)
    ):
      factory = aggregators.PackedMeanFactory(codec)
      encode = factory.create_encode(value_type, _FLOAT)
      payloads = encode.type_signature.result[0][0]
      self.assertLen(payloads, num_payloads)
      values = [p.values.shape for p in payloads if hasattr(p, 'values')]
      self.assertCountEqual(values, [(4 + 1 + 5,), (2 + 1,), (9000,)])
      process = factory.create(value_type, _FLOAT)
      output = process.next(process.initialize(), updates, [1.0, 3.0])
      expected = _weighted_mean(updates, [1.0, 3.0])
      for x, y, z in zip(output.result, expected, updates[0]):
        self.assertEqual((x.shape, x.dtype), (z.shape, z.dtype))
        if x.ndim < 2:
          self.assertAllClose(x, y)
      num_floats = 4 + 1 + 5 + 2 + 1 + 9000 + 1
      self.assertEqual(
          output.measurements['uplink_bytes'],
          output.measurements['compressed_uplink_bytes'] + 2 * 4 * num_floats,
      )

  @parameterized.parameters(
      (wire.BinaryCodec(),),  # Has a pass of its own for what is on the grid.
      (wire.SignCodec('mean'),),
      (wire.StochasticSignCodec(1.0),),
  )
  def test_other_tensors_have_a_codec_of_their_own(self, codec):
    value_type = tff.to_type([(np.float32, [9]), (np.float32, [2, 8]), _FLOAT])
    exact = aggregators.PackedMeanFactory(codec).create(value_type, _FLOAT)
    factory = aggregators.PackedMeanFactory(
        codec, other_codec=wire.MinifloatCodec()
    )
    process = factory.create(value_type, _FLOAT)
    random = np.random.RandomState(1)
    signs = random.choice([-0.5, 0.5], [2, 8])
    updates = [
        [random.randn(9), factor * signs, random.randn()] for factor in (1, 2)
    ]
    updates = tf.nest.map_structure(np.float32, updates)
    weights = [1.0, 3.0]
    output, expected = (
        p.next(p.initialize(), updates, weights) for p in (process, exact)
    )
    bound = np.max(np.abs([update[0] for update in updates])) / 4
    for i in (0, 2):
      self.assertNotAllEqual(output.result[i], expected.result[i])
      self.assertAllClose(output.result[i], expected.result[i], atol=bound)
    if not codec.draws:
      self.assertAllEqual(output.result[1], expected.result[1])
    # Ten floats of a byte each and their scale, in the place of float32.
    saved = 2 * (4 * 10 - 10 - 4)
    measured = expected.measurements
    measured['uplink_bytes'] -= saved
    self.assertEqual(output.measurements, measured)
    # What is drawn is a function of the value.
    again = process.next(process.initialize(), updates, weights)
    self.assertAllEqual(again.result[0], output.result[0])
    # One that is not finite is left out as without the codec.
    updates.append([np.float32(np.inf) * updates[0][0], *updates[0][1:]])
    more = process.next(process.initialize(), updates, [*weights, 1.0])
    self.assertAllEqual(more.result[0], output.result[0])
    self.assertEqual(more.measurements['num_non_finite_clients'], 1)

  def test_other_tensors_draw_without_the_kernels(self):
    value_type = tff.to_type([(np.float32, [400]), (np.float32, [2, 4])])
    encode = aggregators.PackedMeanFactory(
        wire.BinaryCodec(), other_codec=wire.MinifloatCodec(6)
    ).create_encode(value_type, _FLOAT)

    def codes(bias, kernel):
      ((payload, _), _) = encode([bias, np.full([2, 4], kernel, 'f')], 1.0)
      return payload[0]['codes'].tobytes()

    bias = np.linspace(0.1, 1.0, 400, dtype=np.float32)
    other_bias = np.concatenate([bias[:1] + 1e-3, bias[1:]])
    self.assertEqual(codes(bias, 0.5), codes(bias, -2.0))
    # A draw rounds an entry like another one with a chance of 2/3 in the mean:
    # all 400 of them once in 10^70.
    self.assertNotEqual(codes(bias, 0.5), codes(other_bias, 0.5))

  def test_powers_of_two_are_exact(self):
    process = aggregators.PackedMeanFactory(wire.BinaryCodec()).create(
        tff.TensorType(np.float32, [3, 3]), _FLOAT
    )
    updates = [_update(0.5, 1)['kernel'], _update(0.25, 2)['kernel']]
    output = process.next(process.initialize(), updates, [1.0, 3.0])
    self.assertAllEqual(output.result, (updates[0] + 3.0 * updates[1]) / 4.0)

  def test_weight_zero_everywhere_gives_zeros(self):
    process = aggregators.PackedMeanFactory(wire.BinaryCodec()).create(
        _TYPE, _FLOAT
    )
    output = process.next(
        process.initialize(), [_update(0.5, 1), _update(0.5, 2)], [0.0, 0.0]
    )
    for tensor in tf.nest.flatten(output.result):
      self.assertAllEqual(tensor, np.zeros_like(tensor))

  def test_off_grid_value_fails_the_round_naming_the_tensor(self):
    process = aggregators.PackedMeanFactory(wire.BinaryCodec()).create(
        _TYPE, _FLOAT
    )
    updates = [_update(0.5, 1), _update(0.5, 2)]
    updates[1]['attention'][0][0, 1, 0] = 0.125
    with self.assertRaisesRegex(
        Exception, r'Tensor \[attention\]\[0\] of shape \(2, 2, 2\)'
    ):
      process.next(process.initialize(), updates, [1.0, 1.0])

  def test_off_grid_client_is_dropped_and_counted(self):
    process = aggregators.PackedMeanFactory(
        wire.BinaryCodec(), on_off_grid='drop'
    ).create(_TYPE, _FLOAT)
    updates = [_update(0.5, 1), _update(0.5, 2)]
    updates[1]['kernel'][0, 0] = 0.125
    updates.append(_update(0.5, 3))
    updates[2]['kernel'][0, 0] = np.nan
    output = process.next(process.initialize(), updates, [1.0, 7.0, 7.0])
    self.assertAllClose(output.result, updates[0])
    self.assertEqual(output.measurements['num_dropped_clients'], 1)
    self.assertEqual(output.measurements['num_non_finite_clients'], 1)
    self.assertEqual(output.measurements['num_clients'], 3)

  @parameterized.named_parameters(
      ('binary', wire.BinaryCodec()),
      ('qsgd', wire.QSGDCodec(7)),
      ('range', wire.RangeCodec()),
      ('fixed_sign', wire.SignCodec(0.1)),
      ('stochastic_sign', wire.StochasticSignCodec(0.1)),
  )
  def test_client_that_is_not_finite_is_left_out_and_counted(self, codec):
    value_type = tff.to_type(
        [(np.float32, [2, 4]), (np.float32, [3]), (np.float64, [2, 1])]
    )
    process = aggregators.PackedMeanFactory(codec).create(value_type, _FLOAT)

    def update(**changes):
      value = [np.full([2, 4], 0.5), np.ones([3]), -np.ones([2, 1])]
      for position, entry in changes.items():
        value[int(position[1:])].flat[0] = entry
      return [x.astype(t.dtype.type) for x, t in zip(value, value_type)]

    good = [update(), update(_1=-3.0)]
    expected = process.next(process.initialize(), good, [1.0, 3.0])
    bad = [
        (update(_0=np.nan), 2.0),
        (update(_0=-np.inf), 0.0),
        (update(_1=np.inf), 2.0),
        (update(_2=np.nan), 2.0),
        (update(), np.nan),
        (update(), np.inf),
        # What is sent is finite, but not what it would add to the sum.
        (update(_1=1e38), 600.0),
    ]
    output = process.next(
        process.initialize(),
        [good[0], *(value for value, _ in bad), good[1]],
        [1.0, *(weight for _, weight in bad), 3.0],
    )
    self.assertAllEqual(output.result[0], expected.result[0])
    self.assertAllEqual(output.result[1], expected.result[1])
    self.assertAllEqual(output.result[2], expected.result[2])
    self.assertEqual(expected.measurements['num_non_finite_clients'], 0)
    self.assertEqual(output.measurements['num_non_finite_clients'], len(bad))
    self.assertEqual(output.measurements['num_clients'], len(bad) + 2)

  def test_large_tensors_are_treated_like_small_ones(self):
    # Of 2**16 entries on, they are packed in one pass.
    value_type = tff.to_type([(np.float32, [256, 264]), (np.float32, [3, 3])])
    process = aggregators.PackedMeanFactory(
        wire.BinaryCodec(), on_off_grid='drop'
    ).create(value_type, _FLOAT)
    signs = np.random.RandomState(1).choice(np.float32([-1, 1]), [256, 264])

    def update(entry=None):
      large, small = 0.25 * signs, np.full([3, 3], -0.5, np.float32)
      if entry is not None:
        large[3, 5] = entry
      return [large, small]

    clients = [
        (update(), 1.0),
        (update(0.125), 7.0),  # Off the grid.
        (update(np.nan), 7.0),
        ([np.inf * signs, update()[1]], 7.0),
        (update(), np.inf),
        ([-0.75 * signs, update()[1]], 3.0),
    ]
    output = process.next(
        process.initialize(), [c for c, _ in clients], [w for _, w in clients]
    )
    self.assertAllEqual(output.result[0], -0.5 * signs)
    self.assertAllEqual(output.result[1], update()[1])
    self.assertEqual(output.measurements['num_dropped_clients'], 1)
    self.assertEqual(output.measurements['num_non_finite_clients'], 3)
    self.assertEqual(
        output.measurements['compressed_uplink_bytes'],
        len(clients) * (256 * 264 // 8 + 4 + 2 + 4),
    )

  @parameterized.named_parameters(
      ('qsgd', wire.QSGDCodec(7)),
      ('quantized', wire.QuantizedCodec(4, 'qsgd')),
      ('range', wire.RangeCodec()),
      ('mean_sign', wire.SignCodec()),
  )
  def test_huge_updates_have_a_finite_mean(self, codec):
    process = aggregators.PackedMeanFactory(codec).create(
        tff.TensorType(np.float32, [2, 2]), _FLOAT
    )
    updates = np.float32([[[1e20, 1.0]] * 2, [[2e38, -2e38]] * 2])
    output = process.next(process.initialize(), list(updates), [0.5, 0.25])
    self.assertTrue(np.all(np.isfinite(output.result)), output.result)
    self.assertEqual(output.measurements['num_non_finite_clients'], 0)

  @parameterized.parameters(
      (wire.BinaryCodec(),), (wire.SignCodec('mean'),), (wire.Float32Codec(),)
  )
  def test_sums_of_half_precision_are_not(self, codec):
    value_type = tff.TensorType(np.float16, [2, 8])
    process = aggregators.PackedMeanFactory(codec).create(value_type, _FLOAT)
    for magnitude, weight, number in (
        (1.0, 40_000.0, 2), (100.0, 100.0, 10), (0.01, 10.0, 500)
    ):
      value = np.full([2, 8], magnitude, np.float16)
      output = process.next(
          process.initialize(), [value] * number, [weight] * number
      )
      self.assertEqual(output.result.dtype, np.float16)
      self.assertAllClose(output.result, value, rtol=1e-3)

  def test_what_sums_to_infinity_has_a_finite_mean(self):
    value_type = tff.TensorType(np.float32, [2])
    for weight_dtype in (np.float16, np.float32):
      process = aggregators.PackedMeanFactory(wire.Float32Codec()).create(
          value_type, tff.TensorType(weight_dtype)
      )
      run = lambda values, weights: process.next(
          process.initialize(),
          list(np.float32(values)),
          list(weight_dtype(weights)),
      ).result
      # The weights alone.
      self.assertAllClose(
          run([[1.0, 2.0]] * 3, [4e4] * 3), [1.0, 2.0], rtol=1e-6
      )
    # Both the weights and one of the sums count as float32's largest number.
    self.assertAllClose(
        run([[1.0, 0.25]] * 2, [2e38] * 2), [1.0, 0.29], rtol=0.02
    )
    huge = 2e38 * np.repeat([[1.0, -1.0], [-1.0, 1.0]], 3, axis=0)
    self.assertTrue(np.all(np.isfinite(run(huge, [1.0] * 6))))
    self.assertTrue(np.all(np.isfinite(run(huge[:3], [1.0] * 3))))

  def test_weights_may_be_integers(self):
    process = aggregators.PackedMeanFactory(wire.BinaryCodec()).create(
        tff.TensorType(np.float32, [3, 3]), tff.TensorType(np.int32)
    )
    updates = [_update(0.5, 1)['kernel'], _update(0.25, 2)['kernel']]
    output = process.next(process.initialize(), updates, [1, 3])
    self.assertAllEqual(output.result, (updates[0] + 3.0 * updates[1]) / 4.0)

  def test_is_compressed_by_name_and_by_position(self):
    updates = [_update(0.5, 1)]
    bytes_of = []
    for is_compressed in (
        lambda spec: spec.name == '[kernel]',
        [True, False, False],
    ):
      process = aggregators.PackedMeanFactory(
          wire.BinaryCodec(), is_compressed
      ).create(_TYPE, _FLOAT)
      output = process.next(process.initialize(), updates, [1.0])
      self.assertAllEqual(output.result['kernel'], updates[0]['kernel'])
      bytes_of.append(output.measurements['compressed_uplink_bytes'])
    self.assertEqual(bytes_of, [6, 6])

  def test_messages_of_different_lengths_are_measured(self):
    value_type = tff.TensorType(np.float32, [4, 25])
    factory = aggregators.PackedMeanFactory(wire.RangeCodec(0.25))
    ranges = np.array([0.25, 1.0, 1e3], np.float32)
    updates = [np.linspace(0, r, 100).reshape(4, 25) for r in ranges]
    updates = [u.astype(np.float32) for u in updates]
    encode = factory.create_encode(value_type, _FLOAT)
    num_bytes = [
        sum(np.asarray(x).nbytes for x in tf.nest.flatten(encode(u, 1.0)[0]))
        for u in updates
    ]
    # 1, 2 and 12 bits an entry, 9 bytes of header, 4 of weight.
    self.assertEqual(num_bytes, [13 + 13, 25 + 13, 150 + 13])
    process = factory.create(value_type, _FLOAT)
    output = process.next(process.initialize(), updates, [1.0, 1.0, 2.0])
    self.assertEqual(output.measurements['uplink_bytes'], sum(num_bytes))
    self.assertEqual(
        output.measurements['compressed_uplink_bytes'], sum(num_bytes) - 3 * 4
    )
    step = 1e3 / (2**12 - 1)
    self.assertAllClose(
        output.result,
        (updates[0] + updates[1] + 2.0 * updates[2]) / 4.0,
        atol=0.25 + step / 2.0,
    )

  def test_different_updates_and_tensors_draw_differently(self):
    value_type = tff.to_type([(np.float32, [1, 64]), (np.float32, [1, 64])])
    factory = aggregators.PackedMeanFactory(wire.StochasticSignCodec(1.0))
    encode = factory.create_encode(value_type, _FLOAT)
    other = aggregators.PackedMeanFactory(
        wire.StochasticSignCodec(1.0), seed=1
    ).create_encode(value_type, _FLOAT)

    def bits(encode, value):
      (payload, _), _ = encode([value, value], 1.0)
      return [p['bits'].tobytes() for p in payload]

    zeros = np.zeros([1, 64], np.float32)
    spike = np.eye(1, 64, dtype=np.float32)
    drawn = [*bits(encode, zeros), *bits(encode, spike), *bits(other, zeros)]
    # At least 63 fair bits each: two are equal by chance once in 10^17.
    self.assertLen(set(drawn), 6)
    self.assertEqual(bits(encode, zeros), drawn[:2])

  def test_codecs_may_have_python_control_flow(self):
    class Codec(wire.SignCodec):

      def encode(self, value, seed=None):
        if tf.reduce_max(value) > 100.0:
          value = -value
        return super().encode(value, seed)

      def num_off_grid(self, value):
        if tf.reduce_max(value) > 10.0:
          return tf.constant(0, tf.int64)
        return super().num_off_grid(value)

      def decode(self, payload, spec, weight=1.0):
        decoded = super().decode(payload, spec, weight)
        if tf.reduce_min(decoded) > 0.0:
          decoded = 2.0 * decoded
        return decoded

    process = aggregators.PackedMeanFactory(Codec()).create(
        tff.TensorType(np.float32, [2, 2]), _FLOAT
    )
    output = process.next(
        process.initialize(),
        [np.full([2, 2], x, np.float32) for x in (1.0, -1.0, 200.0)],
        [1.0, 1.0, 1.0],
    )
    self.assertAllClose(output.result, np.full([2, 2], (2 - 1 - 200) / 3))

  def test_lossy_codec_takes_any_value(self):
    process = aggregators.PackedMeanFactory(wire.SignCodec()).create(
        tff.TensorType(np.float32, [2, 2]), _FLOAT
    )
    value = np.float32([[3.0, -1.0], [0.0, 0.0]])
    output = process.next(process.initialize(), [value], [1.0])
    self.assertAllEqual(output.result, [[1.0, -1.0], [1.0, 1.0]])

  @parameterized.parameters(0, 1, 7, 8, 9)
  def test_any_length(self, length):
    process = aggregators.PackedMeanFactory(
        wire.BinaryCodec(), is_compressed=[True]
    ).create(tff.to_type([tff.TensorType(np.float32, [length])]), _FLOAT)
    value = np.random.RandomState(length).choice(
        np.float32([-0.3, 0.3]), length
    )
    output = process.next(process.initialize(), [[value]], [1.0])
    self.assertAllEqual(output.result[0], value)
    self.assertEqual(
        output.measurements['uplink_bytes'], (length + 7) // 8 + 4 + 4
    )


if __name__ == '__main__':
  tf.test.main()
