# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for vote_broadcast."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import distributors

_STEP_SIZE = 1e-3
_SHAPES = ((5, 3), (16,))


def _kernels(seed=0):
  random = np.random.RandomState(seed)
  return [tf.constant(random.randn(*s), tf.float32) for s in _SHAPES]


def _voted(kernels, random):
  """Returns the kernels after a random vote, and the vote."""
  signs = [random.choice([-1.0, 1.0], k.shape) for k in kernels]
  return [
      k + np.float32(_STEP_SIZE) * tf.constant(s, tf.float32)
      for k, s in zip(kernels, signs)
  ], signs


def _history():
  history = distributors.VoteHistory(_STEP_SIZE)
  state = history.initialize(_SHAPES)
  kernels = _kernels()
  return history, history.update(state, kernels), kernels


def _bits(x):
  return np.asarray(x).view(np.int32)


class VoteHistoryTest(tf.test.TestCase, parameterized.TestCase):

  def test_votes_are_packed_the_last_one_first(self):
    history, state, kernels = _history()
    random = np.random.RandomState(1)
    version = state['version']
    all_signs = []
    for _ in range(3):
      kernels, signs = _voted(kernels, random)
      state = history.update(state, kernels)
      all_signs.append(signs)
    self.assertEqual(state['version'], version + 3)
    for i, votes in enumerate(state['votes']):
      for vote, signs in zip(votes, all_signs[::-1]):
        self.assertAllEqual(vote, np.packbits(signs[i].ravel() > 0.0))

  @parameterized.parameters(
      # One less than fill 4 bytes an entry: of ceil(n / 8) bytes each.
      (1, 3), (8, 31), (9, 17), (15, 29), (1024, 31), (1025, 31),
  )
  def test_keeps_votes_that_take_less_than_the_kernel(self, size, num_votes):
    state = distributors.VoteHistory(_STEP_SIZE).initialize([[size]])
    self.assertAllEqual(state['votes'][0].shape, [num_votes, -(-size // 8)])
    self.assertLess(num_votes * -(-size // 8), 4 * size)
    self.assertGreaterEqual((num_votes + 1) * -(-size // 8), 4 * size)

  def test_an_unchanged_model_is_no_vote(self):
    history, state, kernels = _history()
    kernels, _ = _voted(kernels, np.random.RandomState(1))
    state = history.update(state, kernels)
    tf.nest.map_structure(
        self.assertAllEqual, history.update(state, kernels), state
    )

  @parameterized.named_parameters(
      ('one_entry', lambda k: [k[0] + np.eye(5, 3) * 1e-3, k[1]]),
      ('one_kernel', lambda k: [k[0] + 1e-3, k[1]]),
      ('two_votes_at_once', lambda k: [x + 2e-3 for x in k]),
      ('not_a_number', lambda k: [k[0] * np.nan, k[1] + 1e-3]),
  )
  def test_any_other_change_makes_copies_void(self, change):
    history, state, kernels = _history()
    changed = [tf.cast(k, tf.float32) for k in change(kernels)]
    new = history.update(state, changed)
    for votes in state['votes']:
      self.assertGreater(new['version'] - state['version'], len(votes))

  def test_copies_are_the_server_s_kernels_whatever_was_missed(self):
    random = np.random.RandomState(2)
    history, state, kernels = _history()
    receive = tf.function(history.receive)
    is_voted = lambda r: r % 10 < 9  # Every tenth round is unusable.
    kept = {}  # By the rounds between two in which a client takes part.
    seen = set()
    for round_num in range(71):
      for period in (3, 29, 33, 35):
        if round_num % period:
          continue
        missed = sum(map(is_voted, range(round_num - period, round_num)))
        states = kept.get(
            period, [history.initial_state(k.shape) for k in kernels]
        )
        kept[period] = []
        for kernel, votes, old in zip(kernels, state['votes'], states):
          offer = {
              'kernel': kernel, 'steps': votes, 'version': state['version']
          }
          received, new, num_bytes = receive(offer, old)
          self.assertAllEqual(_bits(received), _bits(kernel))
          self.assertAllEqual(_bits(new['copy']), _bits(kernel))
          self.assertEqual(new['version'], state['version'])
          expected = 4 * kernel.shape.num_elements()
          if round_num:
            expected = min(expected, missed * len(votes[0]))
          self.assertEqual(num_bytes, expected)
          kept[period].append(new)
        seen.add(missed if round_num else 'first')
      if is_voted(round_num):
        kernels, _ = _voted(kernels, random)
      state = history.update(state, kernels)
    self.assertContainsSubset({'first', 2, 3, 27, 30, 31, 32}, seen)

  @parameterized.named_parameters(
      ('more_votes_than_are_kept', 40 - 32),
      ('a_copy_of_the_future', 41),
      ('the_first_round', None),
  )
  def test_takes_the_kernel_after(self, version):
    history = distributors.VoteHistory(_STEP_SIZE)
    kernel = tf.constant(np.arange(21.0).reshape(7, 3), tf.float32)
    state = history.initial_state(kernel.shape)
    if version is not None:
      state['version'] = tf.constant(version)
    votes = tf.fill([31, 3], tf.constant(255, tf.uint8))
    offer = {'kernel': kernel, 'steps': votes, 'version': tf.constant(40)}
    received, new, num_bytes = history.receive(offer, state)
    self.assertAllEqual(received, kernel)
    self.assertAllEqual(new['copy'], kernel)
    self.assertEqual(new['version'], 40)
    self.assertEqual(num_bytes, 4 * 21)

  def test_what_a_copy_does_not_need_it_does_not_look_at(self):
    history = distributors.VoteHistory(_STEP_SIZE)
    copy = tf.constant(np.arange(21.0).reshape(7, 3), tf.float32)
    offer = {
        'kernel': copy * np.nan,
        'steps': tf.fill([31, 3], tf.constant(255, tf.uint8)),
        'version': tf.constant(40),
    }
    state = {'copy': copy, 'version': tf.constant(40)}
    received, _, num_bytes = history.receive(offer, state)
    self.assertAllEqual(received, copy)
    self.assertEqual(num_bytes, 0)


if __name__ == '__main__':
  tf.test.main()
