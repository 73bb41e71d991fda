# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""A binary kernel that is trained by real auxiliary weights."""

import tensorflow as tf

from tff_binary.layers import weight_layer
from tff_binary.ops import straight_through


class BinaryKernel(weight_layer.WeightLayer):
  """Trains auxiliary weights a and computes with `mean|a| * sign(a)`.

  The server's kernel is where a starts; `sign(0)` is +1. The client sends
  either `sign(a)`, -1 and +1, which is no update but what the server averages
  to its new kernel, or the update of a.

  Source: BiFL (Yang et al., arXiv 2110.02226) as described in appendix B.1 of
  the FedBAT paper. Scale, straight-through gradient (`ops.straight_through`)
  and that sign are our choices.

  Attributes:
    auxiliary: a, a trainable variable of the kernel's shape.
  """

  def __init__(self, sends_signs: bool, **kwargs):
    """Initializes the layer.

    Args:
      sends_signs: Whether signs are sent, or updates of a.
      **kwargs: Keyword arguments of `tf.keras.layers.Layer`.
    """
    # Auxiliary weights stay in float32 under mixed precision.
    super().__init__(dtype='float32', **kwargs)
    self._sends_signs = sends_signs

  def build(self, kernel_shape):
    self.auxiliary = self.add_weight(
        'auxiliary', kernel_shape, initializer='zeros'
    )
    super().build(kernel_shape)

  def receive(self, kernel, state, round_num, seed):
    del state, round_num, seed
    self.auxiliary.assign(kernel)

  def call(self, kernel, seed):
    return straight_through.scaled_sign(self.auxiliary)

  def update(self, kernel, seed):
    if self._sends_signs:
      return tf.where(self.auxiliary >= 0.0, 1.0, -1.0)
    return self.auxiliary - kernel
