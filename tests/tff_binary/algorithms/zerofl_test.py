# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for zerofl."""

import functools

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests.tff_binary import tiny
from tff_binary import algorithms
from tff_binary import learning

_KERNELS = {0: 30, 2: 15}  # Sizes, by place in the tensors of `dense_model`.
_OF_WEIGHTS = dict(sparsity=0.8, mask_ratio=0.2, upload='top_k_weights')


@functools.lru_cache(maxsize=None)
def _build(name='zerofl', build_model=tiny.dense_model, **kwargs):
  algorithm = algorithms.get(name)
  return algorithm.build(
      learning.keras_model_fn(build_model, tiny.element_spec()),
      element_spec=tiny.element_spec(),
      hyperparameters=algorithm.hyperparameters(**kwargs),
      local_training=learning.LocalTraining(local_epochs=4, batch_size=4),
  )


def _run(process, sizes=(12,), num_nan=0):
  """Returns the server's weights before and after a round, and metrics."""
  state = process.initialize()
  data = [tiny.client(size, i, num_nan) for i, size in enumerate(sizes)]
  output = process.next(state, data)
  return (
      state.global_model_weights.trainable,
      output.state.global_model_weights.trainable,
      output,
  )


class ZeroFLTest(tf.test.TestCase, parameterized.TestCase):

  def test_without_sparsity_it_is_fedavg(self):
    _, expected, _ = _run(_build('fedavg'), (12, 5))
    _, actual, _ = _run(_build(sparsity=0.0), (12, 5))
    for a, e in zip(actual, expected):
      self.assertAllEqual(a, e)

  @parameterized.parameters(
      (dict(sparsity=0.8), 6, 3),
      (_OF_WEIGHTS, 12, 6),
  )
  def test_a_client_sends_the_largest_entries(self, options, *num_sent):
    before, after, output = _run(_build(**options))
    for i, k in zip(_KERNELS, num_sent):
      # Alone in a round, a client's weights are the result.
      sent = after[i] if options is _OF_WEIGHTS else after[i] - before[i]
      self.assertEqual(np.count_nonzero(sent), k)
    # The values, and for the gaps 1 to 4 bytes a kernel.
    row = learning.round_metrics(output.metrics)
    num_bytes = row['uplink_bits_per_param'] * 45 / 8
    self.assertBetween(num_bytes - 4 * sum(num_sent), 2, 8)

  def test_is_evaluated_sparse_and_trained_dense(self):
    process = _build(sparsity=0.8)
    _, dense, output = _run(process)
    used = process.get_model_weights(output.state).trainable
    for i, size in _KERNELS.items():
      self.assertEqual(np.count_nonzero(dense[i]), size)
      threshold = np.sort(np.abs(dense[i]).ravel())[-round(0.2 * size)]
      self.assertAllEqual(
          used[i], np.where(np.abs(dense[i]) >= threshold, dense[i], 0)
      )

  def test_an_unusable_round_changes_nothing(self):
    before, after, _ = _run(_build(**_OF_WEIGHTS), (5,), num_nan=5)
    tf.nest.map_structure(self.assertAllEqual, before, after)

  def test_names_a_layer_that_it_cannot_change(self):
    def build_model():
      return tf.keras.Sequential([
          tf.keras.Input((tiny.NUM_FEATURES,)),
          tf.keras.layers.Reshape((2, 3)),
          tf.keras.layers.GRU(tiny.NUM_CLASSES, name='recurrent'),
      ])

    with self.assertRaisesRegex(ValueError, "kernel.* of type GRU"):
      _build(build_model=build_model)

  def test_refuses_a_share_above_one(self):
    with self.assertRaisesRegex(
        ValueError, 'mask_ratio must be at most sparsity.*got 0.2 > 0.1'
    ):
      algorithms.ZeroFL(sparsity=0.1, mask_ratio=0.2)


if __name__ == '__main__':
  tf.test.main()
