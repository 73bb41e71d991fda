# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for owners_mean."""

import collections

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import aggregators
from tff_binary.ops import sub_tensors
from tff_binary.wire import packing

# A hidden layer of 4 channels with biases, and one of 3 labels.
_SHAPES = ((2, 4), (4,), (4, 3), (3,))
_IS_KERNEL = (True, False, True, False)
_IS_OF_LABELS = (False, False, True, True)


def _of_width(width):
  return [
      sub_tensors.SubTensor(shape, sub_shape)
      for shape, sub_shape in zip(
          _SHAPES, ((2, width), (width,), (width, 3), (3,))
      )
  ]


def _message_type(has_labels):
  message = collections.OrderedDict()
  if has_labels:
    message['labels'] = tff.TensorType(np.uint8, [1])
  message.update(
      models=tff.TensorType(np.int32, [None]),
      weights=tff.TensorType(np.float32, [None]),
      values=tff.TensorType(np.float32, [None]),
  )
  return tff.to_type(message)


def _mean(model_format, clients_messages, has_labels=False):
  """Returns the mean of messages and the measurements."""
  message_type = _message_type(has_labels)
  mean = aggregators.build_owners_mean(
      model_format,
      [tf.TensorSpec(shape) for shape in _SHAPES],
      _IS_KERNEL,
      _IS_OF_LABELS,
      message_type,
      num_id_bytes=4,
  )

  @tff.federated_computation(tff.FederatedType(message_type, tff.CLIENTS))
  def aggregate(messages):
    return mean(messages)

  return aggregate(clients_messages)


def _owned(width, block=0, labels=(0, 1, 2)):
  """Returns, by the rules alone, which weights a client owns."""
  channels = range(block * width, (block + 1) * width)
  owned = [np.zeros(shape, bool) for shape in _SHAPES]
  for c in channels:
    owned[0][:, c] = owned[1][c] = True
    owned[2][c, list(labels)] = True
  owned[3][list(labels)] = True
  return owned


class OwnersMeanTest(tf.test.TestCase):

  def test_is_the_mean_over_the_owners_of_each_weight(self):
    random = np.random.RandomState(0)
    widths = (4, 2, 1)
    model_format = aggregators.SubModelFormat([_of_width(w) for w in widths])
    clients = [  # Rate, weight, labels.
        (1, 2.0, (0, 1)),
        (2, 0.5, (1,)),
        (1, 3.0, (1, 2)),
        (2, float('nan'), (0, 1, 2)),
    ]
    messages, sums, weights = [], [np.zeros(s) for s in _SHAPES], [
        np.zeros(s) for s in _SHAPES
    ]
    for rate, weight, labels in clients:
      tensors = [random.randn(*shape).astype(np.float32) for shape in _SHAPES]
      messages.append(
          collections.OrderedDict(
              labels=packing.pack_signs(
                  tf.constant([i in labels for i in range(3)])
              ).numpy(),
              models=np.array([rate], np.int32),
              weights=np.array([weight], np.float32),
              values=model_format.take(tensors, tf.constant(rate)).numpy(),
          )
      )
      if np.isfinite(weight):
        owned = _owned(widths[rate], labels=labels)
        for i, x in enumerate(tensors):
          sums[i] += weight * np.where(owned[i], x, 0.0)
          weights[i] += weight * owned[i]
    mean, measurements = _mean(model_format, messages, has_labels=True)
    for x, s, w in zip(mean, sums, weights):
      self.assertAllClose(x, np.divide(s, w, out=np.zeros_like(s), where=w > 0))
    # Of width 2 and 1: kernels of 4 + 6 and 2 + 3, all of 15 and 9 entries.
    self.assertEqual(measurements['num_clients'], 4)
    self.assertEqual(measurements['num_non_finite_clients'], 1)
    self.assertEqual(measurements['num_compressed_params'], 8 + 12)
    self.assertEqual(
        measurements['compressed_uplink_bytes'], 4 * 2 * (10 + 5)
    )
    # Labels, number, weight, the number before that and the id.
    overhead = 1 + 4 + 4 + 4 + 4
    self.assertEqual(
        measurements['uplink_bytes'], 4 * 2 * (15 + 9) + 4 * overhead
    )

  def test_client_of_several_blocks_counts_for_each(self):
    random = np.random.RandomState(1)
    model_format = aggregators.SubModelFormat([_of_width(2)], num_blocks=2)
    tensors = [random.randn(*shape).astype(np.float32) for shape in _SHAPES]
    vectors = [
        model_format.take(tensors, tf.constant(block)).numpy()
        for block in (0, 1)
    ]
    both = collections.OrderedDict(
        models=np.array([1, 0], np.int32),
        weights=np.array([3.0, 1.0], np.float32),
        values=np.concatenate([2.0 * vectors[1], vectors[0]]),
    )
    one = collections.OrderedDict(
        models=np.array([1], np.int32),
        weights=np.array([1.0], np.float32),
        values=vectors[1],
    )
    mean, measurements = _mean(model_format, [both, one])
    # (3 * 2 + 1) / 4 in block 1; what both have, the biases of the output,
    # counts three times, (3 * 2 + 1 + 1) / 5.
    for i, x in enumerate(tensors):
      in_0, in_1 = (_owned(2, block)[i] for block in (0, 1))
      factors = np.where(in_0 & in_1, 1.6, in_0 + 1.75 * in_1)
      self.assertAllClose(mean[i], factors * x)
    sent = 4 * (2 * 15 + 2 + 2) + 4 * (15 + 1 + 1)
    asked = 4 * (2 + 1) + 4 * 2
    self.assertEqual(measurements['uplink_bytes'], sent + asked)

  def test_first_rate_alone_has_some_tensors(self):
    model_format = aggregators.SubModelFormat(
        [_of_width(4), _of_width(2)],
        first_rate_only=[False, True, False, False],
    )
    tensors = [tf.ones(shape) for shape in _SHAPES]
    messages = []
    for rate, weight in ((0, 1.0), (1, 3.0)):
      vector = model_format.take(tensors, tf.constant(rate)).numpy()
      self.assertLen(vector, model_format.sizes[rate])
      messages.append(
          collections.OrderedDict(
              models=np.array([rate], np.int32),
              weights=np.array([weight], np.float32),
              values=vector * (rate + 1),
          )
      )
    self.assertEqual(model_format.sizes, [27, 15 - 2])
    mean, _ = _mean(model_format, messages)
    self.assertAllEqual(mean[1], [1.0] * 4)  # Of the first client alone.
    self.assertAllEqual(mean[0], [[1.75, 1.75, 1.0, 1.0]] * 2)
    parts = model_format.split(messages[1]['values'], 1)
    self.assertAllEqual(parts[1], [0.0, 0.0])

  def test_number_too_high_is_nothing(self):
    model_format = aggregators.SubModelFormat([_of_width(2)], num_blocks=2)
    tensors = [tf.ones(shape) for shape in _SHAPES]
    self.assertEmpty(model_format.take(tensors, tf.constant(2)).numpy())
    self.assertLen(model_format.take(tensors, tf.constant(1)).numpy(), 15)


if __name__ == '__main__':
  tf.test.main()
