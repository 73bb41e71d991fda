# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What travels of a model's tensors, and how."""

import collections
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf
import tensorflow_federated as tff

from tff_binary.ops import sizes


class ModelTensors(NamedTuple):
  """The tensors of a model, as those that send and apply them see them.

  Attributes:
    weights_type: The `tff.Type` of the model's
      `tff.learning.models.ModelWeights`.
    is_compressed: One bool for each trainable tensor: whether the method's
      codec compresses it.
    is_updated: One bool for each non-trainable tensor: whether training changes
      it and clients send the change. Moving statistics are; frozen layers, and
      tensors that are not floats, are not.
  """

  weights_type: tff.Type
  is_compressed: Sequence[bool]
  is_updated: Sequence[bool]


def measure_non_trainable(tensors: ModelTensors, non_trainable):
  """Returns the bytes of the non-trainable tensors that rounds change, and not.

  A client needs the latter only once. In a simulation TFF, whose clients keep
  nothing, broadcasts them in every round all the same.

  Args:
    tensors: The model's tensors.
    non_trainable: The non-trainable tensors that are broadcast.

  Returns:
    Two int64 scalars.
  """
  pairs = list(zip(non_trainable, tensors.is_updated))
  return sizes.num_bytes([x for x, u in pairs if u]), sizes.num_bytes(
      [x for x, u in pairs if not u]
  )


def measure(tensors: ModelTensors, message):
  """Returns what a broadcast measures of its message.

  Args:
    tensors: The model's tensors.
    message: `ModelWeights` of what is broadcast: a tensor or a structure of
      tensors for each of the model's.

  Returns:
    An `OrderedDict` of int64 scalars, see `build_float32_broadcast`.
  """
  updated, static = measure_non_trainable(tensors, message.non_trainable)
  pairs = zip(message.trainable, tensors.is_compressed)
  return collections.OrderedDict(
      downlink_bytes_per_client=sizes.num_bytes(message.trainable) + updated,
      static_downlink_bytes_per_client=static,
      compressed_downlink_bytes_per_client=sizes.num_bytes(
          [x for x, c in pairs if c]
      ),
  )
