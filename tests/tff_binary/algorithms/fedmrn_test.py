# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for fedmrn."""

import functools

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests.tff_binary import tiny
from tff_binary import algorithms
from tff_binary import learning

_KERNELS = {0: 30, 2: 15}  # Sizes, by place in the tensors of `dense_model`.
_MAGNITUDE = 0.125


@functools.lru_cache(maxsize=None)
def _build(mask):
  return algorithms.build_fedmrn(
      learning.keras_model_fn(tiny.dense_model, tiny.element_spec()),
      element_spec=tiny.element_spec(),
      hyperparameters=algorithms.FedMRN(
          mask=mask, noise='bernoulli', noise_magnitude=_MAGNITUDE
      ),
      local_training=learning.LocalTraining(local_epochs=4, batch_size=4),
  )


def _changes(mask, num_nan=0):
  """Returns by how much a client changes the server's tensors, and metrics."""
  process = _build(mask)
  state = process.initialize()
  output = process.next(state, [tiny.client(12, num_nan=num_nan)])
  changes = [
      w - w0
      for w, w0 in zip(
          output.state.global_model_weights.trainable,
          state.global_model_weights.trainable,
      )
  ]
  return changes, learning.round_metrics(output.metrics)


class FedMRNTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      ('binary', [0.0, _MAGNITUDE]), ('signed', [_MAGNITUDE])
  )
  def test_an_update_is_masked_noise(self, mask, magnitudes):
    # A client that is alone in a round is the mean.
    changes, row = _changes(mask)
    for i, size in _KERNELS.items():
      self.assertEqual(changes[i].size, size)
      found = np.unique(np.round(np.abs(changes[i]), 6))
      self.assertAllClose(found, magnitudes, atol=1e-6)
    # A bit an entry in whole bytes, and 8 bytes of the seed.
    num_bytes = sum(-(-size // 8) + 8 for size in _KERNELS.values())
    self.assertAllClose(
        row['uplink_bits_per_param'], 8 * num_bytes / sum(_KERNELS.values())
    )

  @parameterized.parameters('binary', 'signed')
  def test_an_unusable_round_changes_nothing(self, mask):
    changes, row = _changes(mask, num_nan=12)
    self.assertEqual(row['non_finite_clients'], 1)
    for change in changes:
      self.assertAllEqual(change, np.zeros_like(change))


if __name__ == '__main__':
  tf.test.main()
