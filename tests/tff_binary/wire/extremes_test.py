# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Every codec on every kind of number that floats can be."""

import functools

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import wire

_SEED = (3, 5)
_LENGTH = 12
_MAX = float(np.finfo(np.float32).max)
_CODECS = {
    'binary': wire.BinaryCodec(),
    'distinct_values': wire.DistinctValuesCodec(),
    'entropy': wire.EntropyCodec(wire.BinaryCodec()),
    'entropy_quantized': wire.EntropyCodec(wire.QuantizedCodec(8)),
    'block': wire.BlockFloatingPointCodec(),
    'block_2_bits': wire.BlockFloatingPointCodec(2, 'channel'),
    'block_16_bits': wire.BlockFloatingPointCodec(16, 'kernel'),
    'float32': wire.Float32Codec(),
    'masked_noise': wire.MaskedNoiseCodec(),
    'masked_noise_signed': wire.MaskedNoiseCodec('signed', 'gaussian'),
    'minifloat': wire.MinifloatCodec(),
    'minifloat_6_bits': wire.MinifloatCodec(6),
    'minifloat_entropy': wire.EntropyCodec(wire.MinifloatCodec()),
    'noisy_sign': wire.NoisySignCodec(0.1, 0.1),
    'noisy_sign_largest': wire.NoisySignCodec(_MAX, _MAX),
    'qsgd': wire.QSGDCodec(7),
    'qsgd_elias': wire.QSGDCodec(1, coding='elias'),
    'qsgd_max': wire.QSGDCodec(7, 'max'),
    'qsgd_max_elias': wire.QSGDCodec(32767, 'max', 'elias'),
    'quantized': wire.QuantizedCodec(8),
    'quantized_1_bit': wire.QuantizedCodec(1),
    'quantized_qsgd': wire.QuantizedCodec(8, 'qsgd'),
    'range': wire.RangeCodec(),
    'range_coarse': wire.RangeCodec(1e38),
    'entropy_rotated': wire.EntropyCodec(wire.RotatedCodec(2)),
    'entropy_rotated_multiples': wire.EntropyCodec(
        wire.RotatedCodec(0.5, quantizer='entropy')
    ),
    'rotated': wire.RotatedCodec(),
    'rotated_4_bits': wire.RotatedCodec(4, 'nearest'),
    'rotated_multiples': wire.RotatedCodec(3.5, 'nearest', 'entropy'),
    'sign': wire.SignCodec(),
    'sign_fixed': wire.SignCodec(0.1),
    'sign_planes': wire.SignPlanesCodec(),
    'sign_planes_trimmed': wire.SignPlanesCodec(trim=True),
    'sparse': wire.SparseCodec(0.25),
    'stochastic_sign': wire.StochasticSignCodec(0.1),
    'stochastic_sign_2_norm': wire.StochasticSignCodec(0.1, '2_norm'),
    'ternary': wire.TernaryCodec(),
}
# What these return changes with the value's scale as it does, bit by bit, as
# long as no number is subnormal.
_SCALING = (
    'binary', 'block', 'block_16_bits', 'distinct_values', 'entropy',
    'entropy_quantized', 'float32', 'minifloat', 'minifloat_6_bits', 'qsgd',
    'qsgd_elias', 'qsgd_max', 'qsgd_max_elias', 'quantized', 'quantized_1_bit',
    'quantized_qsgd', 'sign', 'sparse', 'ternary',
)  # pyformat: disable
_EXTREMES = {
    'zeros': [0.0, -0.0],
    'smallest': [1e-45, -1e-45],
    'smallest_and_zero': [1e-45, 0.0, 0.0],
    'subnormal': [1e-40, -3e-42, 0.0],
    'smallest_normal': [2.0**-126, -(2.0**-126)],
    'smallest_and_one': [1e-45, 1.0],
    'square_is_zero': [1e-30, -1e-25],
    'all_equal': [0.3],
    'square_is_infinite': [1e20, 1.0],
    'square_is_infinite_signs': [1e20, -2e20, 3e19],
    'sum_is_infinite': [1e38],
    'range_is_infinite': [1e38, -3e38, 0.0],
    'largest': [_MAX],
    'largest_signs': [_MAX, -_MAX],
    'largest_and_its_neighbour': [_MAX, np.nextafter(np.float32(_MAX), 0)],
    'largest_and_zero': [_MAX, 0.0, 0.0],
    'largest_and_smallest': [-_MAX, 1e-45, 0.0],
}
_WEIGHTS = (1.0, 0.0, 1e-3, 600.0)


def _value(entries, dtype=tf.float32, length=_LENGTH):
  # Two rows: the planes of SignPlanesCodec.
  value = np.resize(np.array(entries, np.float64), [2, length // 2])
  return tf.constant(value, dtype)


def _round_trip(codec, value):
  """Returns the payload, and what is decoded with each of the weights."""
  payload = codec.encode(value, _SEED)
  spec = tf.TensorSpec(value.shape, value.dtype)
  return payload, [codec.decode(payload, spec, w) for w in _WEIGHTS]


@functools.lru_cache(None)
def _graph(name):
  return tf.function(
      functools.partial(_round_trip, _CODECS[name]),
      input_signature=[tf.TensorSpec([2, _LENGTH // 2])],
  )


class ExtremesTest(tf.test.TestCase, parameterized.TestCase):

  def _assert_finite(self, payload, decoded):
    for name, field in payload.items():
      if field.dtype.is_floating:
        self.assertTrue(np.all(np.isfinite(field)), f'{name}: {field}')
    self.assertTrue(np.all(np.isfinite(decoded)), decoded)

  def test_all_codecs_are_here(self):
    codecs = {
        x
        for x in vars(wire).values()
        if isinstance(x, type) and issubclass(x, wire.Codec)
    }
    self.assertEqual(
        {type(codec) for codec in _CODECS.values()}, codecs - {wire.Codec}
    )

  @parameterized.parameters(*_CODECS)
  def test_draws_or_needs_no_seed(self, name):
    codec = _CODECS[name]
    value = _value(0.1 * np.random.RandomState(1).normal(size=_LENGTH))
    payloads = [codec.encode(value, seed) for seed in ((1, 2), (3, 4), (5, 6))]
    if not codec.draws:
      payloads.append(codec.encode(value))
    fields = [
        np.concatenate([np.ravel(x) for x in payload.values()])
        for payload in payloads
    ]
    is_equal = all(np.array_equal(x, fields[0]) for x in fields)
    self.assertEqual(is_equal, not codec.draws)

  @parameterized.product(name=tuple(_CODECS), graph=(False, True))
  def test_finite_in_finite_out(self, name, graph):
    round_trip = functools.partial(_round_trip, _CODECS[name])
    if graph:
      round_trip = _graph(name)
    for extreme, entries in _EXTREMES.items():
      value = _value(entries)
      with self.subTest(extreme):
        payload, (decoded, *others) = round_trip(value)
        self._assert_finite(payload, decoded)
        for weight, weighted in zip(_WEIGHTS[1:], others):
          product = np.float64(weight) * decoded
          fits = np.abs(product) < 0.999999 * _MAX
          self.assertAllClose(
              weighted[fits], product[fits], rtol=1e-6, atol=1e-37
          )
          self.assertFalse(np.any(np.isnan(weighted)), weighted)

  @parameterized.parameters(*_SCALING)
  def test_scale_does_not_matter(self, name):
    # All magnitudes are in [1/4, 1): with the largest factor the 2-norm is
    # below the largest number, with the smallest a level of 32767 is normal.
    random = np.random.RandomState(1)
    value = random.uniform(0.25, 1.0, _LENGTH) * random.choice([-1, 1], _LENGTH)
    value = _value(value)
    _, (expected, *_) = _graph(name)(value)
    for exponent in (-108, -70, 60, 70, 125):
      scaled = tf.constant(np.ldexp(value, exponent))
      _, (decoded, *_) = _graph(name)(scaled)
      self.assertAllEqual(np.ldexp(decoded, -exponent), expected)

  @parameterized.parameters(*_SCALING, 'range')
  def test_is_right_next_to_overflow(self, name):
    # Off by less than a step, of the 2-norm at most.
    value = _value([_MAX, -_MAX, 0.5 * _MAX])
    _, (decoded, *_) = _graph(name)(value)
    self.assertAllGreater(
        np.sign(value) * np.float64(decoded), -1e-6 * _MAX
    )
    if name in ('float32', 'qsgd_max_elias', 'range'):
      self.assertAllClose(decoded / _MAX, value / _MAX, atol=1e-4)

  @parameterized.parameters(*_CODECS)
  def test_many_of_the_largest(self, name):
    length = 10_000
    value = _value([_MAX, _MAX, -_MAX], length=length)
    payload, (decoded, *_) = _round_trip(_CODECS[name], value)
    self._assert_finite(payload, decoded)

  @parameterized.product(
      name=tuple(_CODECS), dtype=(tf.float16, tf.bfloat16, tf.float64)
  )
  def test_other_dtypes(self, name, dtype):
    for entries in (
        [dtype.max], [dtype.max, dtype.min, 0.0], [0.3 * dtype.max, 1.0]
    ):  # pyformat: disable
      payload, (decoded, *_) = _round_trip(
          _CODECS[name], _value(entries, dtype)
      )
      self.assertEqual(decoded.dtype, dtype)
      self._assert_finite(payload, tf.cast(decoded, tf.float64))

  @parameterized.parameters(*_CODECS)
  def test_not_finite_is_zero_with_weight_zero(self, name):
    for entries in ([np.nan], [np.inf, 1.0], [np.nan, -np.inf, 1.0]):
      _, (_, decoded, *_) = _graph(name)(_value(entries))
      self.assertAllEqual(decoded, np.zeros_like(decoded))


if __name__ == '__main__':
  tf.test.main()
