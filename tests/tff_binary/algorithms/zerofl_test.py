# Copyright 2026 The tff_binary Authors.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Tests for zerofl."""

import functools

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests.tff_binary import tiny
from tff_binary import algorithms
from tff_binary import learning

_KERNELS = {0: 30, 2: 15}  # Sizes, by place in the tensors of `dense_model`.
_UPLOADS = ('top_k_weights', 'diff_on_top_k_weights', 'top_k_weights_diff')


@functools.lru_cache(maxsize=None)
def _build(name='zerofl', build_model=tiny.dense_model, **kwargs):
  algorithm = algorithms.get(name)
  return algorithm.build(
      learning.keras_model_fn(build_model, tiny.element_spec()),
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

  @parameterized.parameters(*_UPLOADS)
  def test_without_sparsity_it_is_fedavg(self, upload):
    _, expected, _ = _run(_build('fedavg'), (12, 5))
    _, actual, _ = _run(_build(sparsity=0.0, upload=upload), (12, 5))
    # The mean of weights is rounded in other places than that of updates.
    atol = 1e-6 if upload == 'top_k_weights' else 0.0
    for a, e in zip(actual, expected):
      self.assertAllClose(a, e, rtol=0.0, atol=atol)

  @parameterized.parameters(*_UPLOADS)
  def test_a_client_sends_the_largest_entries(self, upload):
    process = _build(sparsity=0.8, mask_ratio=0.2, upload=upload)
    before, after, output = _run(process)
    for i, size in _KERNELS.items():
      sent = after[i] if upload == 'top_k_weights' else after[i] - before[i]
      self.assertBetween(np.count_nonzero(sent), 1, round(0.4 * size))
      if upload != 'diff_on_top_k_weights':
        self.assertEqual(np.count_nonzero(sent), round(0.4 * size))
    # 12 and 6 float32 values; gaps of one bit of remainder and at most 18 / 2
    # and 9 / 2 zeros.
    row = learning.round_metrics(output.metrics)
    num_bytes = row['uplink_bits_per_param'] * 45 / 8
    self.assertBetween(num_bytes, 4 * 18 + 3, 4 * 18 + 8)

  def test_is_evaluated_sparse_and_trained_dense(self):
    process = _build(sparsity=0.8)
    _, dense, output = _run(process, (12, 5))
    used = process.get_model_weights(output.state).trainable
    for i, size in _KERNELS.items():
      self.assertEqual(np.count_nonzero(dense[i]), size)
      threshold = np.sort(np.abs(dense[i]).ravel())[-round(0.2 * size)]
      self.assertAllEqual(
          used[i], np.where(np.abs(dense[i]) >= threshold, dense[i], 0)
      )
    dense_process = _build(sparsity=0.8, evaluation='dense')
    tf.nest.map_structure(
        self.assertAllEqual,
        dense_process.get_model_weights(output.state).trainable,
        dense,
    )

  def test_an_unusable_round_changes_nothing(self):
    before, after, _ = _run(_build(upload='top_k_weights'), (5,), num_nan=5)
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
