# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What a client that has had a kernel before needs to know of the next one."""

import collections
import dataclasses

import tensorflow as tf

from tff_binary.distributors import packed_broadcast
from tff_binary.ops import rounding
from tff_binary.wire import range_coding


@dataclasses.dataclass(frozen=True)
class KernelChanges:
  """Codes a kernel's new codes for a client that keeps those it got last.

  Both ends know what the old kernel would be in the new step size. An entry's
  new code is coded in the context of that, by the counts of entries before it
  in the same context, see `wire.range_coding`; where most codes stay what they
  were, that takes little. For a client's first kernel there is one context.
  Without loss: the client gets exactly the new codes, however long it was away.

  Ours.

  Attributes:
    quantizer: How the kernel is quantized, with up to 8 bits.
  """

  quantizer: packed_broadcast.KernelQuantizer

  def initial_state(self, shape):
    """Returns what a client keeps before its first round.

    Args:
      shape: The kernel's static shape.

    Returns:
      An `OrderedDict` of `codes`, uint8 of that shape, and `step_size`, a
      float32 scalar, zero as long as there was no kernel.
    """
    return collections.OrderedDict(
        codes=tf.zeros(shape, tf.uint8), step_size=tf.constant(0.0)
    )

  def encode(self, quantized, state):
    """Returns what is sent to one client besides the step size.

    Args:
      quantized: `KernelQuantizer.quantize`'s result for the new kernel.
      state: What the client keeps.

    Returns:
      A uint8 tensor of shape `[m]`, `m` at most that of packed codes.
    """
    return range_coding.encode(
        tf.reshape(quantized['codes'], [-1]),
        self.quantizer.bits,
        self._counts(),
        self._contexts(quantized['step_size'], state),
    )

  def decode(self, sent, step_size, state):
    """Returns the new kernel's codes and step size.

    Args:
      sent: What `encode` has returned.
      step_size: The new step size.
      state: What the client keeps.

    Returns:
      `KernelQuantizer.quantize`'s result for the new kernel.
    """
    shape = state['codes'].shape
    codes = range_coding.decode(
        sent,
        shape.num_elements(),
        self.quantizer.bits,
        self._counts(),
        self._contexts(step_size, state),
    )
    return collections.OrderedDict(
        codes=tf.reshape(codes, shape), step_size=step_size
    )

  def receive(self, offered, state, seed=None):
    """Returns the kernel, the client's new state and the bytes that it took.

    Args:
      offered: What `build_packed_broadcast` yields for the kernel.
      state: What the client keeps.
      seed: Unused; nothing is drawn.

    Returns:
      A float32 tensor, a structure like `state`, and an int64 scalar.
    """
    del seed
    sent = self.encode(offered, state)
    received = self.decode(sent, offered['step_size'], state)
    new_state = collections.OrderedDict(
        codes=tf.cast(received['codes'], tf.uint8),
        step_size=received['step_size'],
    )
    return (
        self.quantizer.dequantize(received),
        new_state,
        tf.size(sent, tf.int64),
    )

  def _counts(self):
    bits = self.quantizer.bits
    return range_coding.counts(2**bits + 1, bits)

  def _contexts(self, step_size, state):
    """Returns the context of each code, int32 of shape `[n]`."""
    old = collections.OrderedDict(
        state, codes=tf.cast(state['codes'], tf.int32)
    )
    expected = rounding.encode_to_nearest(
        self.quantizer.dequantize(old), step_size, self.quantizer.bits
    )
    contexts = tf.where(old['step_size'] > 0.0, 1 + expected, 0)
    return tf.reshape(contexts, [-1])
