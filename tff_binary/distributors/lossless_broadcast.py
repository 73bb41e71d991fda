# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Broadcast of tensors that have few different values, without loss."""

import collections

import tensorflow as tf
import tensorflow_federated as tff

from tff_binary.distributors import model_tensors
from tff_binary.ops import sizes
from tff_binary.wire import bit_packing
from tff_binary.wire import range_coding

_MAX_BITS = 8
_COUNTS = range_coding.counts(1, _MAX_BITS)


def build_lossless_broadcast(
    tensors: model_tensors.ModelTensors,
) -> tff.learning.templates.DistributionProcess:
  """Sends each compressed tensor as its values and which entry has which.

  It is for means of few masks: those of K clients have K + 1 different entries,
  and take at most `log2(K + 1)` bits, less where some are frequent, as
  `wire.range_coding` codes them. A tensor of more than 256 values is sent in
  float32. What clients receive is equal to what the server has, but for the
  sign of zeros.

  All other tensors are sent as they are. The process has no state; measurements
  are those of `build_float32_broadcast`, taken from what is broadcast.

  Args:
    tensors: The model's tensors.

  Returns:
    A `tff.learning.templates.DistributionProcess`.
  """
  weights_type, is_compressed, _ = tensors

  @tff.federated_computation
  def init_fn():
    return tff.federated_value((), tff.SERVER)

  @tff.tensorflow.computation(weights_type)
  @tf.function
  def pack(weights):
    message = tff.learning.models.ModelWeights(
        [
            encode(x) if c else x
            for x, c in zip(weights.trainable, is_compressed)
        ],
        weights.non_trainable,
    )
    updated, static = model_tensors.measure_non_trainable(
        tensors, message.non_trainable
    )
    compressed = [m for m, c in zip(message.trainable, is_compressed) if c]
    return message, collections.OrderedDict(
        downlink_bytes_per_client=(
            sizes.num_bytes(message.trainable) + updated
        ),
        static_downlink_bytes_per_client=static,
        compressed_downlink_bytes_per_client=sizes.num_bytes(
            compressed
        ),
    )

  @tff.tensorflow.computation(pack.type_signature.result[0])
  @tf.function
  def unpack(message):
    trainable = [
        decode(part, tf.TensorSpec(t.shape, t.dtype.type)) if c else part
        for part, t, c in zip(
            message.trainable, weights_type.trainable, is_compressed
        )
    ]
    return tff.learning.models.ModelWeights(trainable, message.non_trainable)

  @tff.federated_computation(
      init_fn.type_signature.result,
      tff.FederatedType(weights_type, tff.SERVER),
  )
  def next_fn(state, weights):
    message, measurements = tff.federated_map(pack, weights)
    return tff.templates.MeasuredProcessOutput(
        state,
        tff.federated_map(unpack, tff.federated_broadcast(message)),
        measurements,
    )

  return tff.learning.templates.DistributionProcess(init_fn, next_fn)


def encode(tensor):
  """Returns the message of a tensor.

  Args:
    tensor: A float tensor of static shape.

  Returns:
    An `OrderedDict` of `values`, the tensor's different entries in increasing
    order, and `codes`, uint8 of shape `[m]`: which of these each entry has, as
    `range_coding.encode` codes it in as few bits as number them. Where there
    are too many of them `values` are the tensor's entries, one by one, and
    `codes` is empty.
  """
  entries = tf.reshape(tensor, [-1])
  values = tf.sort(tf.unique(entries).y)
  num_values = tf.size(values)
  has_few = tf.logical_and(
      num_values <= 2**_MAX_BITS, num_values < tf.size(entries)
  )

  def codes():
    which = tf.searchsorted(values, entries)
    return range_coding.encode(which, _width(values), _COUNTS)

  return collections.OrderedDict(
      values=tf.cond(has_few, lambda: values, lambda: entries),
      codes=tf.cond(has_few, codes, lambda: tf.zeros([0], tf.uint8)),
  )


def decode(message, spec):
  """Returns the tensor of a message.

  Args:
    message: What `encode` has returned.
    spec: The tensor's `tf.TensorSpec`.

  Returns:
    A tensor of `spec`'s shape and dtype.
  """
  values = message['values']
  num_entries = spec.shape.num_elements()

  def from_codes():
    which = range_coding.decode(
        message['codes'], num_entries, _width(values), _COUNTS
    )
    return tf.gather(values, which)

  entries = tf.cond(
      tf.size(values) < num_entries, from_codes, lambda: values
  )
  return tf.reshape(entries, spec.shape)


def _width(values):
  """Returns the bits of a code, an int32 scalar."""
  return bit_packing.bit_length(tf.maximum(tf.size(values) - 1, 1))
