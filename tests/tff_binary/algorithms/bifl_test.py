# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for bifl and bifl_full."""

import functools

import numpy as np
import tensorflow as tf

from tests.tff_binary import tiny
from tff_binary import algorithms
from tff_binary import learning
from tff_binary.ops import signs

_SIZES = {0: 12, 1: 5}  # Examples of the clients.


@functools.lru_cache(maxsize=None)
def _build(name, **kwargs):
  algorithm = algorithms.get(name)
  return algorithm.build(
      learning.keras_model_fn(tiny.batch_norm_model, tiny.element_spec()),
      element_spec=tiny.element_spec(),
      hyperparameters=algorithm.hyperparameters(**kwargs),
      local_training=learning.LocalTraining(local_epochs=4, batch_size=4),
  )


def _run(process, ids=(0, 1), num_nan=0):
  """Returns the server's kernels after a round, and the metrics."""
  data = [tiny.client(_SIZES[i], i, num_nan) for i in ids]
  output = process.next(process.initialize(), data)
  weights = output.state.global_model_weights
  return weights.trainable, learning.round_metrics(output.metrics)


class BiFLTest(tf.test.TestCase):

  def test_server_averages_votes(self):
    process = _build('bifl')
    first, _ = _run(process, ids=(0,))
    second, _ = _run(process, ids=(1,))
    together, row = _run(process)
    # The votes of a client by itself, by the number of its examples.
    self.assertAllInSet(np.round(first[0], 6), [-1.0, 1.0])
    self.assertNotAllClose(first[0], second[0])
    for both, x, y in zip(together, first, second):
      self.assertAllClose(both, 12 / 17 * x + 5 / 17 * y, atol=1e-6)
    # 30 bits in 4 bytes; the last kernel is not among them.
    self.assertAllClose(row['uplink_bits_per_param'], 8 * 4 / 30)

  def test_is_evaluated_with_the_binary_kernels(self):
    process = _build('bifl')
    clients = [tiny.client(12, 0), tiny.client(5, 1)]
    output = process.next(process.initialize(), clients)
    real = output.state.global_model_weights
    used = process.get_model_weights(output.state).trainable
    self.assertAllClose(used[0], signs.scaled_sign(real.trainable[0]))
    self.assertNotAllClose(used[0], real.trainable[0])
    for u, r in zip(used[1:], real.trainable[1:]):  # The classifier is last.
      self.assertAllEqual(u, r)
    # What is set are the server's own.
    state = process.set_model_weights(process.initialize(), real)
    tf.nest.map_structure(
        self.assertAllEqual, state.global_model_weights, real
    )

  def test_an_unusable_round_changes_nothing(self):
    process = _build('bifl')
    after, row = _run(process, ids=(1,), num_nan=5)
    self.assertEqual(row['non_finite_clients'], 1)
    before = process.initialize().global_model_weights.trainable
    tf.nest.map_structure(self.assertAllEqual, after, before)

  def test_refuses_a_model_of_one_kernel(self):
    def build_model():
      return tf.keras.Sequential([
          tf.keras.Input((tiny.NUM_FEATURES,)),
          tf.keras.layers.Dense(tiny.NUM_CLASSES),
      ])

    with self.assertRaisesRegex(ValueError, 'compress_last=False refused'):
      algorithms.build_bifl(
          learning.keras_model_fn(build_model, tiny.element_spec())
      )


class BiFLFullTest(tf.test.TestCase):

  def test_server_averages_real_kernels(self):
    process = _build('bifl_full', evaluate_real_kernels=True)
    kernel = _run(process)[0][0]
    self.assertLen(np.unique(np.abs(kernel)), kernel.size)

  def test_is_evaluated_with_real_kernels_on_request(self):
    process = _build('bifl_full', evaluate_real_kernels=True)
    state = process.initialize()
    tf.nest.map_structure(
        self.assertAllEqual,
        process.get_model_weights(state),
        state.global_model_weights,
    )

  def test_classifier_is_binary_on_request(self):
    process = _build('bifl_full', binary_classifier=True)
    kernels = [
        w
        for w in process.get_model_weights(process.initialize()).trainable
        if w.ndim >= 2
    ]
    self.assertLen(kernels, 2)
    for kernel in kernels:
      self.assertTrue(tiny.is_on_grid(kernel))


if __name__ == '__main__':
  tf.test.main()
