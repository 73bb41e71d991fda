# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for signsgd_majority_vote."""

import functools

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tests.tff_binary import tiny
from tff_binary import algorithms
from tff_binary import learning

_KERNELS = (0, 2)  # Of the trainable tensors of `dense_model`.
_VOTE_BYTES = 4 + 2  # Of 30 and 15 entries.
_KERNEL_BYTES = 4 * (30 + 15)
# Biases, version and number of the round.
_OTHER_BYTES = 4 * (5 + 3) + 4 + 4


@functools.lru_cache(maxsize=None)
def _build():
  return algorithms.build_signsgd_majority_vote(
      learning.keras_model_fn(tiny.dense_model, tiny.element_spec()),
      element_spec=tiny.element_spec(),
      hyperparameters=algorithms.SignSGDMajorityVote(fixed_step_size=0.125),
      local_training=learning.LocalTraining(local_epochs=2, batch_size=4),
      seed=3,
  )


class _Run:
  """A run whose clients take part in some of its rounds.

  Attributes:
    state: The server's state.
    client_states: The clients' states, by id.
  """

  def __init__(self):
    process = _build()
    self.state = process.initialize()
    self.client_states = {i: process.initialize_client(i) for i in range(3)}

  def weights(self):
    return _build().get_model_weights(self.state)

  def next(self, *ids, num_nan=0):
    """Runs a round and returns its metrics."""
    self.state, kept, metrics = _build().next(
        self.state,
        [self.client_states[i] for i in ids],
        [tiny.client(8 + i, i, num_nan) for i in ids],
    )
    self.client_states.update(zip(ids, kept))
    return learning.round_metrics(metrics)


class SignSGDMajorityVoteTest(tf.test.TestCase):

  def _assert_received(self, row, *compressed_bytes):
    """Asserts what the round's clients took, one number for each."""
    total = sum(compressed_bytes)
    num_clients = len(compressed_bytes)
    self.assertEqual(row['num_clients'], num_clients)
    self.assertEqual(
        row['downlink_bytes'], total + num_clients * _OTHER_BYTES
    )
    self.assertAllClose(
        row['downlink_bits_per_param'], 8.0 * total / (num_clients * 45)
    )

  def test_clients_take_the_votes_that_they_missed(self):
    run = _Run()
    whole, vote = _KERNEL_BYTES, _VOTE_BYTES
    self._assert_received(run.next(0, 1), whole, whole)
    self._assert_received(run.next(0, 1), vote, vote)
    self._assert_received(run.next(0), vote)
    self._assert_received(run.next(0, 1, 2), vote, 2 * vote, whole)
    before = run.weights().trainable
    row = run.next(2, 1)
    self._assert_received(row, vote, vote)
    # Signs, biases and the client's weight.
    self.assertEqual(row['uplink_bytes'], 2 * (_VOTE_BYTES + 4 * (5 + 3) + 4))
    for client_id in (1, 2):
      for state, i in zip(run.client_states[client_id], _KERNELS):
        self.assertAllEqual(state['kept']['copy'], before[i])

  def test_every_weight_moves_by_a_step(self):
    run = _Run()
    before = run.weights().trainable
    run.next(0, 1, 2)
    after = run.weights().trainable
    for i in _KERNELS:
      self.assertAllClose(
          np.abs(after[i] - before[i]), np.full(before[i].shape, 0.125)
      )

  def test_alone_a_client_votes_for_its_own_update(self):
    # Followed by the others, it is outvoted where both disagree with it.
    steps = {}
    for ids in ((0,), (1,), (2,), (0, 1, 2)):
      run = _Run()
      before = run.weights().trainable[0]
      run.next(*ids)
      steps[ids] = np.sign(run.weights().trainable[0] - before)
    self.assertNotAllEqual(steps[(0,)], steps[(0, 1, 2)])
    self.assertAllEqual(
        steps[(0, 1, 2)], np.sign(steps[(0,)] + steps[(1,)] + steps[(2,)])
    )

  def test_an_unusable_round_changes_nothing_and_costs_no_vote(self):
    run = _Run()
    run.next(0)
    run.next(0)
    before = run.weights()
    row = run.next(0, 1, num_nan=8)
    self.assertEqual(row['non_finite_clients'], 2)
    self._assert_received(row, _VOTE_BYTES, _KERNEL_BYTES)
    tf.nest.map_structure(
        self.assertAllEqual, run.weights().trainable, before.trainable
    )
    # What they received then they have not kept; the round was no vote.
    self._assert_received(run.next(0, 1), _VOTE_BYTES, _KERNEL_BYTES)

  def test_after_weights_are_set_all_clients_take_them(self):
    run = _Run()
    run.next(0, 1)
    run.next(0, 1)
    zeros = tf.nest.map_structure(np.zeros_like, run.weights().trainable)
    run.state = _build().set_model_weights(
        run.state, tff.learning.models.ModelWeights(zeros, [])
    )
    self._assert_received(run.next(0, 1), _KERNEL_BYTES, _KERNEL_BYTES)
    self.assertAllEqual(run.client_states[0][0]['kept']['copy'], zeros[0])
    self._assert_received(run.next(0, 1), _VOTE_BYTES, _VOTE_BYTES)


if __name__ == '__main__':
  tf.test.main()
