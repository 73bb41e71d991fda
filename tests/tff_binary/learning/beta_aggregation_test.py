# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for beta_aggregation."""

import collections

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import distributors
from tff_binary import learning

_THETA = [0.2, 0.4, 0.6]
# The shares of ones in the masks of four rounds.
_MEANS = np.float32(
    [[0.0, 1.0, 0.25], [0.5, 1.0, 0.75], [0.0, 1.0, 0.5], [0.0, 1.0, 1.0]]
)


def _thetas(**kwargs):
  """Returns theta after each of the four rounds, and the biases at the end."""
  weights_type = tff.to_type(
      tff.learning.models.ModelWeights(
          [tff.TensorType(np.float32, [3]), tff.TensorType(np.float32, [2])], []
      )
  )
  mean_type = tff.StructWithPythonType(
      [
          ('trainable', weights_type.trainable),
          ('non_trainable', weights_type.non_trainable),
      ],
      collections.OrderedDict,
  )
  finalizer = learning.build_beta_finalizer(
      distributors.ModelTensors(weights_type, [True, False], []),
      mean_type,
      **kwargs,
  )
  weights = tff.learning.models.ModelWeights(
      [np.float32(_THETA), np.float32([1.0, 2.0])], []
  )
  state, thetas = finalizer.initialize(), []
  for mean in _MEANS:
    output = finalizer.next(
        state,
        weights,
        collections.OrderedDict(
            trainable=[2.0 * mean - 1.0, np.float32([0.5, -0.5])],
            non_trainable=[],
        ),
    )
    state, weights = output.state, output.result
    thetas.append(weights.trainable[0])
  return np.asarray(thetas), weights.trainable[1]


class BetaFinalizerTest(tf.test.TestCase):

  def test_takes_the_mean_mask_exactly_and_adds_all_else(self):
    thetas, biases = _thetas()
    self.assertAllEqual(thetas, _MEANS)
    self.assertAllEqual(biases, [3.0, 0.0])

  def test_posterior_mode_of_the_rounds_since_the_last_reset(self):
    thetas, _ = _thetas(prior=0.5, reset_every=3)
    # The fourth round is the first after a reset.
    for theta, rounds in zip(thetas, ([0], [0, 1], [0, 1, 2], [3])):
      ones = np.sum(_MEANS[rounds], axis=0)
      self.assertAllClose(theta, (0.5 + ones) / (1.0 + len(rounds)))

  def test_margin(self):
    thetas, _ = _thetas(mask_margin=0.01)
    self.assertAllClose(thetas, 0.01 + 0.98 * _MEANS)


if __name__ == '__main__':
  tf.test.main()
