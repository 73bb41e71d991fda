# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What a client that has kept a kernel is sent of the next one, roughly."""

import collections
import dataclasses

import tensorflow as tf

from tff_binary import wire
from tff_binary.ops import sizes


@dataclasses.dataclass(frozen=True)
class KernelDifferences:
  """Sends what a kernel differs by from what a client has kept, in a few bits.

  The difference is rotated and rounded, see `wire.RotatedCodec`, and the client
  adds it to what it has kept, which is zero before its first round. What the
  rounding leaves out stays a part of the next difference: it is not lost, and
  what a client computes with stays close to the server's kernel, however long it
  was away. A server that sends this has to know what each client has kept.

  Ours.

  Attributes:
    bits: The entropy of an entry of the difference, see `wire.RotatedCodec`.
    first_bits: The same for a client that has not had the kernel before.
  """

  bits: float
  first_bits: float

  def initial_state(self, shape):
    """Returns what a client keeps before its first round.

    Args:
      shape: The kernel's static shape.

    Returns:
      An `OrderedDict` of `kernel`, float32 of that shape, and `is_known`, a bool
      scalar, false as long as there was no kernel.
    """
    return collections.OrderedDict(
        kernel=tf.zeros(shape), is_known=tf.constant(False)
    )

  def receive(self, offered, state, seed):
    """Returns the kernel, the client's new state and the bytes that it took.

    Args:
      offered: The server's kernel, float32.
      state: What the client keeps.
      seed: An int32 tensor of shape `[2]`, of the rotation; it is sent.

    Returns:
      A float32 tensor, a structure like `state`, and an int64 scalar.
    """
    difference = offered - state['kernel']
    received, num_bytes = tf.cond(
        state['is_known'],
        lambda: _sent(difference, self.bits, seed),
        lambda: _sent(difference, self.first_bits, seed),
    )
    kernel = state['kernel'] + received
    new_state = collections.OrderedDict(
        kernel=kernel, is_known=tf.constant(True)
    )
    return kernel, new_state, num_bytes


def _sent(difference, bits, seed):
  """Returns what arrives of a difference, and the bytes that this takes."""
  codec = wire.EntropyCodec(wire.RotatedCodec(bits, 'nearest', 'entropy'))
  payload = codec.encode(difference, seed)
  spec = tf.TensorSpec(difference.shape, difference.dtype)
  return codec.decode(payload, spec), sizes.num_bytes(payload)
