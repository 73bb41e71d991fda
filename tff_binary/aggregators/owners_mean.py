# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The mean of what clients send of different parts of a model."""

import collections
from collections.abc import Callable, Sequence
from typing import Any, Optional

import tensorflow as tf
import tensorflow_federated as tff

from tff_binary.aggregators import messages
from tff_binary.ops import sizes
from tff_binary.ops import sub_tensors as sub_tensors_lib
from tff_binary.wire import packing

_FLOAT32_BYTES = 4


class SubModelFormat:
  """How the tensors of sub-models become vectors, and back.

  Sub-models are numbered by rate, and among those of a rate by block, see
  `learning.SubModels`.

  Attributes:
    num_blocks: The number of blocks of each rate.
    sizes: For each rate the length of a vector.
  """

  def __init__(
      self,
      sub_tensors: Sequence[Sequence[sub_tensors_lib.SubTensor]],
      num_blocks: int = 1,
      first_rate_only: Optional[Sequence[bool]] = None,
  ):
    """Initializes the format.

    Args:
      sub_tensors: For each rate one `SubTensor` for each tensor.
      num_blocks: The number of blocks.
      first_rate_only: For each tensor whether only the vectors of the first
        rate have it; it is 0 in the others' place. By default none is.
    """
    self._sub_tensors = sub_tensors
    self.num_blocks = num_blocks
    everywhere = [True] * len(sub_tensors[0])
    others = everywhere
    if first_rate_only is not None:
      others = [not only for only in first_rate_only]
    self._is_in = [everywhere] + [others] * (len(sub_tensors) - 1)
    self.sizes = self.sizes_of(everywhere)

  def sizes_of(self, chosen: Sequence[bool]) -> list[int]:
    """Returns for each rate how many entries the chosen tensors have."""
    return [
        sum(s.size for s, c, i in zip(of_rate, chosen, is_in) if c and i)
        for of_rate, is_in in zip(self._sub_tensors, self._is_in)
    ]

  def take(self, tensors, number):
    """Returns the vector of a sub-model, of no entries for a number too high.

    Args:
      tensors: The tensors of the whole model.
      number: An int32 scalar.
    """
    block = number % self.num_blocks

    def of_rate(rate):
      return lambda: self.join(
          [s.take(x, block) for s, x in zip(self._sub_tensors[rate], tensors)],
          rate,
      )

    branches = [of_rate(rate) for rate in range(len(self._sub_tensors))]
    branches.append(lambda: tf.zeros([0]))
    return tf.switch_case(number // self.num_blocks, branches)

  def put(self, vector, number):
    """Returns tensors of the whole model that are 0 elsewhere.

    Args:
      vector: A vector that begins with that of the sub-model.
      number: An int32 scalar.
    """
    block = number % self.num_blocks

    def of_rate(rate):
      return lambda: [
          s.put(x, block)
          for s, x in zip(self._sub_tensors[rate], self.split(vector, rate))
      ]

    return tf.switch_case(
        number // self.num_blocks,
        [of_rate(rate) for rate in range(len(self._sub_tensors))],
    )

  def join(self, tensors, rate):
    """Returns the vector of the tensors of a sub-model of a rate, an index."""
    return tf.concat(
        [tf.reshape(x, [-1]) for x, i in zip(tensors, self._is_in[rate]) if i],
        axis=0,
    )

  def split(self, vector, rate):
    """Returns the tensors of a sub-model of a rate, an index."""
    pairs = list(zip(self._sub_tensors[rate], self._is_in[rate]))
    pieces = iter(
        tf.split(vector[: self.sizes[rate]], [s.size for s, i in pairs if i])
    )
    return [
        tf.reshape(next(pieces), s.sub_shape) if i else tf.zeros(s.sub_shape)
        for s, i in pairs
    ]


def build_owners_mean(
    model_format: SubModelFormat,
    specs: Sequence[tf.TensorSpec],
    is_compressed: Sequence[bool],
    is_of_labels: Sequence[bool],
    message_type: tff.Type,
    num_id_bytes: int = 0,
) -> Callable[[Any], Any]:
  """Builds the weighted mean over the clients that own a weight.

  A client owns the weights of its sub-models. Where messages have `labels`, it
  owns those weights of the output layers only, by their last axis, that belong
  to one of its labels. A weight that no client owns is 0.

  A message is an `OrderedDict` of `models`, the int32 numbers of the client's
  sub-models; `weights`, how much it counts for each of them, float32, NaN for
  one that is left out; `values`, their vectors one after the other, float32;
  and perhaps `labels`, a packed bit for each. All are of unknown length, so
  that a message is as long as the client's sub-models are.

  The measurements are those of `PackedMeanFactory`. The numbers of sub-models
  count twice in the bytes: clients ask for them before.

  Args:
    model_format: What vectors consist of.
    specs: The specs of the whole model's tensors.
    is_compressed: For each whether it counts as compressed.
    is_of_labels: For each whether its last axis are labels.
    message_type: The type of a message.
    num_id_bytes: What a client has sent besides, in bytes.

  Returns:
    A function, to be called while a `tff.federated_computation` is traced, from
    messages at CLIENTS to `<mean, measurements>` at SERVER; the mean is a list.
  """
  compressed_sizes = model_format.sizes_of(is_compressed)
  num_compressed_params = sum(
      spec.shape.num_elements() for spec, c in zip(specs, is_compressed) if c
  )

  @tff.tensorflow.computation
  def zero():
    zeros = lambda: [tf.zeros(s.shape, s.dtype) for s in specs]
    return collections.OrderedDict(
        sums=zeros(), weights=zeros(), counts=messages.no_counts()
    )

  accumulator_type = zero.type_signature.result

  def owned(number, weight, labels):
    """Returns a client's weight where it owns a sub-model's weights."""
    ones = tf.ones([max(model_format.sizes)])
    owners = []
    for x, c in zip(model_format.put(ones, number), is_of_labels):
      if labels is not None and c:  # Python values.
        x *= tf.cast(labels, x.dtype)
      owners.append(weight * x)
    return owners

  @tff.tensorflow.computation(accumulator_type, message_type)
  @tf.function
  def accumulate(accumulator, message):
    labels = None
    if 'labels' in message:  # Python values.
      num_labels = next(
          s.shape[-1] for s, c in zip(specs, is_of_labels) if c
      )
      signs = packing.unpack_signs(
          message['labels'], num_labels, tf.constant(1.0)
      )
      labels = signs > 0.0
    models, values = message['models'], message['values']
    rates = models // model_format.num_blocks
    ends = tf.cumsum(tf.gather(model_format.sizes, rates))
    sums, weights = accumulator['sums'], accumulator['weights']
    for i in tf.range(tf.size(models)):
      number = models[i]
      length = tf.gather(model_format.sizes, rates[i])
      # Of the length of the longest, of which `put` takes the beginning.
      vector = values[ends[i] - length : ends[i]]
      vector = tf.pad(vector, [[0, max(model_format.sizes) - length]])
      weight = messages.usable(message['weights'][i])
      owners = owned(number, weight, labels)
      put = model_format.put(vector, number)
      sums = [s + x * w for s, x, w in zip(sums, put, owners)]
      weights = [s + w for s, w in zip(weights, owners)]
    compressed_bytes = _FLOAT32_BYTES * tf.reduce_sum(
        tf.gather(tf.constant(compressed_sizes, tf.int64), rates)
    )
    counts = messages.counts_of(
        tf.reduce_sum(message['weights']),
        compressed_bytes,
        sizes.num_bytes(message) + sizes.num_bytes(models) + num_id_bytes,
    )
    return collections.OrderedDict(
        sums=sums,
        weights=weights,
        counts=tf.nest.map_structure(tf.add, accumulator['counts'], counts),
    )

  @tff.tensorflow.computation(accumulator_type, accumulator_type)
  def merge(a, b):
    return tf.nest.map_structure(tf.add, a, b)

  @tff.tensorflow.computation(accumulator_type)
  def report(accumulator):
    mean = [
        messages.mean_of(x, w, spec)
        for x, w, spec in zip(
            accumulator['sums'], accumulator['weights'], specs
        )
    ]
    return mean, collections.OrderedDict(
        accumulator['counts'],
        num_compressed_params=tf.constant(num_compressed_params, tf.int64),
    )

  return lambda clients_messages: tff.federated_aggregate(
      clients_messages, zero(), accumulate, merge, report
  )
