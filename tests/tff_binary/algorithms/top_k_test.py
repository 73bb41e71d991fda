# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for top_k."""

import functools

import numpy as np
import tensorflow as tf

from tests.tff_binary import tiny
from tff_binary import algorithms
from tff_binary import learning

_NUM_SENT = {0: 6, 2: 3}  # A fifth, by place in the tensors of `dense_model`.


@functools.lru_cache(maxsize=None)
def _build(name='top_k', **kwargs):
  algorithm = algorithms.get(name)
  return algorithm.build(
      learning.keras_model_fn(tiny.dense_model, tiny.element_spec()),
      element_spec=tiny.element_spec(),
      hyperparameters=algorithm.hyperparameters(**kwargs),
      local_training=learning.LocalTraining(local_epochs=4, batch_size=4),
  )


def _changes(before, after):
  return [
      w - w0
      for w, w0 in zip(
          after.global_model_weights.trainable,
          before.global_model_weights.trainable,
      )
  ]


def _fedavg_changes():
  process = _build('fedavg')
  state = process.initialize()
  return _changes(state, process.next(state, [tiny.client(12)]).state)


class TopKTest(tf.test.TestCase):

  def test_what_is_sent_and_what_stays_are_the_update(self):
    process = _build(ratio=0.2)
    state = process.initialize()
    after, (kept,), metrics = process.next(
        state, [process.initialize_client(0)], [tiny.client(12)]
    )
    sent, trained = _changes(state, after), _fedavg_changes()
    for (i, k), residual in zip(_NUM_SENT.items(), kept):
      is_sent = sent[i] != 0.0
      self.assertEqual(np.count_nonzero(is_sent), k)
      self.assertAllEqual(residual[is_sent], np.zeros(k))
      self.assertGreater(
          np.min(np.abs(sent[i][is_sent])), np.max(np.abs(residual)) - 1e-6
      )
      # FedAvg's steps change the weights, these what is added to them.
      self.assertAllClose(sent[i] + residual, trained[i], atol=1e-6)
    # The values, and for the gaps 1 to 4 bytes a kernel.
    row = learning.round_metrics(metrics)
    num_bytes = row['uplink_bits_per_param'] * 45 / 8
    self.assertBetween(num_bytes - 4 * sum(_NUM_SENT.values()), 2, 8)

  def test_what_stays_is_sent_later(self):
    process = _build(ratio=0.2)
    state, kept = process.initialize(), process.initialize_client(0)
    # No example, no step: the client sends nothing and keeps what it has.
    residual = [np.full_like(x, 0.5) for x in kept]
    after, (same,), _ = process.next(state, [residual], [tiny.client(0)])
    for x, y in zip(same, residual):
      self.assertAllEqual(x, y)
    after, (rest,), _ = process.next(state, [residual], [tiny.client(12)])
    sent = _changes(state, after)
    for i, left in zip(_NUM_SENT, rest):
      trained = _fedavg_changes()[i]
      self.assertAllClose(sent[i] + left, trained + 0.5, atol=1e-6)

  def test_all_entries_without_error_feedback_are_fedavg(self):
    process = _build(ratio=1.0, error_feedback=False)
    self.assertNotIsInstance(process, learning.StatefulLearningProcess)
    state = process.initialize()
    after = process.next(state, [tiny.client(12)]).state
    for x, y in zip(_changes(state, after), _fedavg_changes()):
      self.assertAllEqual(x, y)


if __name__ == '__main__':
  tf.test.main()
