# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for moving_average."""

import collections

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import distributors
from tff_binary import learning

_VECTOR = tff.TensorType(np.float32, [2])
_TENSORS = distributors.ModelTensors(
    tff.to_type(tff.learning.models.ModelWeights([_VECTOR], [_VECTOR])),
    [True],
    [True],
)
_UPDATE_TYPE = tff.to_type(
    collections.OrderedDict(trainable=[_VECTOR], non_trainable=[_VECTOR])
)
_UPDATES = ([4.0, 8.0], [0.0, 0.0], [-2.0, 1.0], [0.3, 0.7])


def _build(moving_average, optimizer=None, **kwargs):
  return learning.build_moving_average_finalizer(
      _TENSORS, _UPDATE_TYPE, optimizer, moving_average=moving_average, **kwargs
  )


def _run(process, updates=_UPDATES):
  """Returns the trainable and the non-trainable weights of every round."""
  weights = tff.learning.models.ModelWeights(
      [np.float32([1.0, 2.0])], [np.float32([3.0, 4.0])]
  )
  state, history = process.initialize(), []
  for update in updates:
    update = np.float32(update)
    output = process.next(
        state,
        weights,
        collections.OrderedDict(trainable=[update], non_trainable=[update]),
    )
    state, weights = output.state, output.result
    history.append([weights.trainable[0], weights.non_trainable[0]])
  return np.array(history)


class MovingAverageTest(tf.test.TestCase):

  def test_is_a_server_learning_rate(self):
    rate = tff.learning.optimizers.build_sgdm(0.1)
    expected = _run(
        learning.build_model_update_finalizer(_TENSORS, _UPDATE_TYPE, rate)
    )
    self.assertAllClose(_run(_build(0.9)), expected, rtol=1e-6)

  def test_nothing_changes_without_it_or_without_clients(self):
    plain = learning.build_model_update_finalizer(_TENSORS, _UPDATE_TYPE)
    self.assertAllEqual(_run(_build(0.0)), _run(plain))
    averaged = _run(_build(0.7))
    self.assertAllEqual(averaged[1], averaged[0])  # The update of zeros.

  def test_starts_with_the_first_usable_round(self):
    history = _run(
        _build(0.5, start_with_first_round=True),
        [[0.0, 0.0], [4.0, 8.0], [0.0, 0.0], [-2.0, 4.0]],
    )
    self.assertAllEqual(
        history[:, 0], [[1, 2], [5, 10], [5, 10], [4, 12]]
    )
    # The other weights are no average.
    self.assertAllEqual(history[-1, 1], [5, 16])

  def test_goes_a_share_of_a_server_optimizers_step(self):
    adam = tff.learning.optimizers.build_adam(0.1)
    step = _run(
        learning.build_model_update_finalizer(_TENSORS, _UPDATE_TYPE, adam),
        [[4.0, -8.0]],
    )[0, 0] - [1.0, 2.0]
    self.assertAllClose(step, [0.1, -0.1], rtol=1e-3)
    averaged = _run(_build(0.9, adam), [[4.0, -8.0]])[0, 0] - [1.0, 2.0]
    self.assertAllClose(averaged, 0.1 * step, rtol=1e-4)


if __name__ == '__main__':
  tf.test.main()
