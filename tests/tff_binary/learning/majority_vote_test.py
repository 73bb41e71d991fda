# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for majority_vote."""

import collections

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import distributors
from tff_binary import learning

_STEP_SIZE = 0.25
_VECTOR = tff.TensorType(np.float32, [64])
_WEIGHTS_TYPE = tff.to_type(
    tff.learning.models.ModelWeights([_VECTOR, _VECTOR], [_VECTOR])
)
_MEAN_TYPE = tff.to_type(
    collections.OrderedDict(
        trainable=[_VECTOR, _VECTOR], non_trainable=[_VECTOR]
    )
)


def _build(**kwargs):
  return learning.build_majority_vote_finalizer(
      distributors.ModelTensors(_WEIGHTS_TYPE, [True, False], [True]),
      _MEAN_TYPE,
      _STEP_SIZE,
      **kwargs,
  )


def _run(process, signs, other=0.0, num_rounds=1):
  """Returns the weights after some rounds of which all have the same mean."""
  zeros = np.zeros([64], np.float32)
  weights = tff.learning.models.ModelWeights([zeros, zeros], [zeros])
  mean = collections.OrderedDict(
      trainable=[zeros + np.float32(signs), zeros + np.float32(other)],
      non_trainable=[zeros + np.float32(other)],
  )
  state, results = process.initialize(), []
  for _ in range(num_rounds):
    output = process.next(state, weights, mean)
    state = output.state
    results.append(output.result)
  return results


class MajorityVoteTest(tf.test.TestCase):

  def test_majorities_are_one_step_and_other_tensors_means(self):
    means = np.repeat([-1.0, -1 / 3, 1 / 3, 0.2], 16)
    (weights,) = _run(_build(), means, other=0.7)
    self.assertAllEqual(
        weights.trainable[0], np.repeat([-0.25, -0.25, 0.25, 0.25], 16)
    )
    self.assertAllClose(weights.trainable[1], np.full([64], 0.7))
    self.assertAllClose(weights.non_trainable[0], np.full([64], 0.7))

  def test_ties_are_drawn_anew_each_round_from_the_seed(self):
    results = {}
    for seed in (1, 2):
      for name in ('first', 'again'):
        process = _build(seed=seed)
        results[seed, name] = [
            w.trainable[0] for w in _run(process, 0.0, 0.1, num_rounds=2)
        ]
    self.assertAllEqual(results[1, 'first'], results[1, 'again'])
    first, second = results[1, 'first']
    for steps in (first, second):
      # Both ways: 64 draws are all alike with a chance of 2**-63.
      self.assertAllEqual(np.unique(steps), [-0.25, 0.25])
    # Equal with a chance of 2**-64 each.
    self.assertNotAllEqual(first, second)
    self.assertNotAllEqual(first, results[2, 'first'][0])

  def test_without_voters_nothing_changes(self):
    (weights,) = _run(_build(), 0.0)
    for tensor in (*weights.trainable, *weights.non_trainable):
      self.assertAllEqual(tensor, np.zeros([64]))


if __name__ == '__main__':
  tf.test.main()
