# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Blocks of a tensor: what a narrower model has of it."""

from collections.abc import Sequence
import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class SubTensor:
  """Blocks of one size that lie behind each other in a tensor.

  Block b begins, on each axis on which blocks are smaller than the tensor, at b
  times their size, and on the others at 0. So block 0 has the leading channels,
  and blocks of half the channels, say, lie on the diagonal of a kernel.

  The first axis may hold channels position by position, as those of a
  flattened image. A block has its channels of each position.

  Attributes:
    shape: The shape of the tensor.
    sub_shape: The shape of a block, of the same rank.
    num_positions: How many positions the first axis holds.
  """

  shape: Sequence[int]
  sub_shape: Sequence[int]
  num_positions: int = 1

  @property
  def size(self) -> int:
    """The number of a block's entries."""
    return tf.TensorShape(self.sub_shape).num_elements()

  def take(self, tensor, block=0):
    """Returns a block.

    Args:
      tensor: A tensor of `shape`.
      block: The number of the block, a Python int or an int32 scalar.

    Returns:
      A tensor of `sub_shape`.
    """
    full, size = self._by_position()
    begin = [block * s if s < f else 0 for f, s in zip(full, size)]
    taken = tf.slice(tf.reshape(tensor, full), begin, size)
    return tf.reshape(taken, self.sub_shape)

  def put(self, sub_tensor, block=0):
    """Returns a tensor that is 0 outside of a block.

    Args:
      sub_tensor: The block, of `sub_shape`.
      block: Its number, a Python int or an int32 scalar.

    Returns:
      A tensor of `shape`.
    """
    full, size = self._by_position()
    paddings = [
        [block * s, f - (block + 1) * s] if s < f else [0, 0]
        for f, s in zip(full, size)
    ]
    padded = tf.pad(tf.reshape(sub_tensor, size), paddings)
    return tf.reshape(padded, self.shape)

  def _by_position(self):
    """Returns both shapes with the positions as an axis of their own."""
    shapes = self.shape, self.sub_shape
    if self.num_positions > 1:
      n = self.num_positions
      shapes = [[n, s[0] // n, *s[1:]] for s in shapes]
    return [list(s) for s in shapes]
