# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for bit_freezing."""

import collections

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import layers
from tff_binary.ops import bit_planes
from tff_binary.ops import rounding

_CODES = np.random.RandomState(0).randint(16, size=(6, 5))
_STEP_SIZE = np.float32(0.25)


def _received(codes=_CODES):
  return collections.OrderedDict(
      codes=tf.constant(codes), step_size=tf.constant(_STEP_SIZE)
  )


def _layer(active=(3,), bits=4, state=None, seed=(1, 2), **kwargs):
  """Returns a layer at the beginning of a round, and its first state."""
  layer = layers.BitFreezing(
      bits, len(active), lambda round_num: tf.constant(active), **kwargs
  )
  layer.build(_CODES.shape)
  if state is None:
    state = layer.initial_state(tf.constant([7, 8]))
  layer.receive(_received(), state, 0, tf.constant(seed))
  layer.start()
  return layer, state


def _train(layer, gradient, learning_rate=1.0):
  """Takes one step of SGD on the virtual bits."""
  with tf.GradientTape() as tape:
    kernel = layer(_received(), None)
  virtual_gradient = tape.gradient(kernel, layer.virtual_bits, gradient)
  layer.virtual_bits.assign_sub(learning_rate * virtual_gradient)
  return virtual_gradient


def _kernel_codes(layer):
  """Returns the codes of the layer's kernel."""
  codes = layer(_received(), None) / _STEP_SIZE + 8.0
  return np.round(codes).astype(np.int32)


class BitFreezingTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters([[3]], [[3, 2]], [[0, -1]])
  def test_observes_the_share_of_flipped_bits(self, active):
    layer, _ = _layer(active)
    self.assertEqual(layer.observations(_received())['flipped_bits'], 0.0)
    # Seven of the 30 bits of one plane turn; a slot without a plane has none.
    used = [i for i, plane in enumerate(active) if plane >= 0]
    bits = layer.virtual_bits.numpy()
    bits[used[-1]].flat[:7] *= -1.0
    layer.virtual_bits.assign(bits)
    observed = layer.observations(_received())
    self.assertAllClose(observed['flipped_bits'], 7 / (30 * len(used)))
    self.assertEqual(observed['step_size'], _STEP_SIZE)

  @parameterized.parameters([[3]], [[0]], [[3, 2]], [[0, -1]], [[-1, 2]])
  def test_starts_from_the_received_kernel(self, active):
    layer, _ = _layer(active)
    self.assertAllEqual(
        layer(_received(), None), rounding.decode(_CODES, _STEP_SIZE, 4)
    )

  @parameterized.product(
      active=((3,), (1,), (3, 2), (0, -1), (-1, 2)), gradient=('chain', 'identity')
  )
  def test_frozen_bits_never_change(self, active, gradient):
    layer, _ = _layer(active, gradient=gradient)
    random = np.random.RandomState(1)
    for _ in range(3):
      _train(layer, tf.constant(random.randn(6, 5), tf.float32))
    codes = _kernel_codes(layer)
    for bit in range(4):
      changed = (codes >> bit & 1) != (_CODES >> bit & 1)
      # Steps this large flip about half of the active bits.
      self.assertEqual(changed.any(), bit in active)

  @parameterized.parameters('chain', 'identity')
  def test_gradient(self, gradient):
    layer, _ = _layer((3, 0), gradient=gradient)
    upstream = tf.constant(np.random.RandomState(2).randn(6, 5), tf.float32)
    scales = [8 * _STEP_SIZE, _STEP_SIZE] if gradient == 'chain' else [1.0, 1.0]
    self.assertAllClose(
        _train(layer, upstream), np.multiply.outer(scales, upstream)
    )

  def test_sends_the_active_bits_of_its_kernel(self):
    layer, _ = _layer((3, 1, -1))
    _train(layer, tf.constant(np.random.RandomState(3).randn(6, 5), tf.float32))
    sent = layer.update(_received(), None)
    codes = _kernel_codes(layer)
    self.assertAllEqual(sent[0], 2 * (codes >> 3 & 1) - 1)
    self.assertAllEqual(sent[1], 2 * (codes >> 1 & 1) - 1)
    self.assertAllEqual(sent[2], np.zeros_like(codes))

  @parameterized.parameters([[2, -1]], [[-1, 2]])
  def test_keeps_the_magnitudes_of_all_bits(self, active):
    layer, state = _layer(active)
    _train(layer, tf.ones([6, 5]), learning_rate=0.01)
    kept = layer.state()
    self.assertAllEqual(kept.shape, [4, 6, 5])
    trained = layer.virtual_bits[active.index(2)]
    self.assertAllEqual(kept[2], tf.abs(trained))
    self.assertNotAllClose(kept[2], state[2])
    for frozen in (0, 1, 3):
      self.assertAllEqual(kept[frozen], state[frozen])

  def test_inherits_magnitudes_and_takes_signs_from_the_bits(self):
    _, state = _layer()
    kept = state + 1.0
    layer, _ = _layer((2,), state=kept)
    self.assertAllEqual(
        layer.virtual_bits[0], np.where(_CODES >> 2 & 1, kept[2], -kept[2])
    )

  def test_without_inheritance_magnitudes_differ_from_round_to_round(self):
    first, state = _layer(inherit=False)
    self.assertEmpty(tf.nest.flatten((state, first.state())))
    again, _ = _layer(inherit=False)
    other, _ = _layer(inherit=False, seed=(1, 3))
    self.assertAllEqual(again.virtual_bits, first.virtual_bits)
    self.assertNotAllClose(
        tf.abs(other.virtual_bits), tf.abs(first.virtual_bits)
    )
    self.assertAllEqual(
        bit_planes.step(first.virtual_bits[0]), _CODES >> 3 & 1
    )

  def test_kaiming_magnitudes(self):
    layer = layers.BitFreezing(8, 1, lambda round_num: tf.constant([0]))
    layer.build([3, 3, 8, 64])
    magnitudes = layer.initial_state(tf.constant([1, 2])).numpy()
    self.assertAllInRange(magnitudes, 0.0, 10.0)
    # The second moment of 36,864 draws, within five standard deviations.
    ratio = np.mean(magnitudes**2) / (2.0 / 72)
    self.assertAllClose(ratio, 1.0, rtol=0, atol=5 * np.sqrt(2 / 36_864))

  def test_uniform_magnitudes_grow_with_the_bit(self):
    layer = layers.BitFreezing(
        4, 1, lambda round_num: tf.constant([0]), magnitudes='uniform'
    )
    layer.build([100, 100])
    magnitudes = layer.initial_state(tf.constant([1, 2])).numpy()
    for bit, plane in enumerate(magnitudes):
      limit = 1e-3 * 2**bit
      self.assertAllInRange(plane, 0.0, limit)
      # A plane without an entry in the top 1 %: once in e^100 seeds.
      self.assertGreater(plane.max(), 0.99 * limit)

  def test_sign_bit(self):
    codes = np.int32([[8 + 3, 3, 8]])  # 3, -3 and 0.
    received = _received(codes)
    layer = layers.BitFreezing(
        4, 1, lambda round_num: tf.constant([3]), has_sign_bit=True
    )
    layer.build(codes.shape)
    state = layer.initial_state(tf.constant([1, 2]))
    layer.receive(received, state, 0, tf.constant([1, 2]))
    self.assertAllEqual(layer(received, None), [[0.75, -0.75, 0.0]])
    layer.virtual_bits.assign(-layer.virtual_bits)
    self.assertAllEqual(layer(received, None), [[-0.75, 0.75, 0.0]])

  def test_learned_step_size(self):
    layer, _ = _layer(learn_step_size=True)
    kernel = rounding.decode(_CODES, _STEP_SIZE, 4)
    upstream = tf.constant(np.random.RandomState(4).randn(6, 5), tf.float32)
    with tf.GradientTape() as tape:
      effective = layer(_received(), None)
    self.assertAllClose(effective, kernel)
    gradient = tape.gradient(effective, layer.step_size, upstream)
    self.assertAllClose(
        gradient,
        tf.reduce_sum(upstream * kernel) / _STEP_SIZE / np.sqrt(30 * 7),
        rtol=1e-5,
    )
    layer.step_size.assign(2.0 * _STEP_SIZE)
    self.assertAllClose(layer(_received(), None), 2.0 * kernel)
    sent = layer.update(_received(), None)
    self.assertAllEqual(sent['step_size'], 2.0 * _STEP_SIZE)
    self.assertAllEqual(sent['signs'][0], 2 * (_CODES >> 3 & 1) - 1)


if __name__ == '__main__':
  tf.test.main()
