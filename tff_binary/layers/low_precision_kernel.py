# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Kernels and their gradients in block floating point."""

from typing import Optional

import tensorflow as tf

from tff_binary.layers import weight_layer
from tff_binary.layers import wrapped_layer
from tff_binary.ops import block_floating_point
from tff_binary.ops import seeds

# Apart from what an inner layer may draw by the same seed.
_KERNEL_DRAWS = 1 << 20


class LowPrecisionKernel(weight_layer.WeightLayer):
  """Trains a kernel that is never kept with more than b bits an entry.

  What the optimizer makes of the kernel is rounded after every step, and every
  gradient before; the optimizer itself, with its moments, is in full precision.
  The client sends the kernel, which is no update.

  Source: LPT (Li et al., NeurIPS 2024), see `ops.block_floating_point`. Where
  the paper is silent: a kernel that is received with more bits is rounded
  before the first step (the authors' code: after it).

  Attributes:
    trained: A trainable variable of the kernel's shape.
  """

  def __init__(self, bits: int, blocks: str, **kwargs):
    """Initializes the layer; the values are checked by `LPT`.

    Args:
      bits: b, in `[2, 16]`.
      blocks: One of `block_floating_point.BLOCKS`.
      **kwargs: Keyword arguments of `tf.keras.layers.Layer`.
    """
    # The numbers of b bits are float32s, under mixed precision too.
    super().__init__(dtype='float32', **kwargs)
    self._format = (bits, blocks)

  def build(self, kernel_shape):
    self.trained = self.add_weight(
        'trained', kernel_shape, initializer='zeros'
    )
    super().build(kernel_shape)

  def receive(self, kernel, state, round_num, seed):
    del state, round_num, seed
    self.trained.assign(kernel)

  def call(self, kernel, seed):
    # The step before left it as the optimizer did. Once rounded it stays.
    self.trained.assign(self._rounded(seeds.fold_in(seed, 0)))
    return block_floating_point.quantize_gradient(
        self.trained.read_value(), *self._format, seeds.fold_in(seed, 1)
    )

  def update(self, kernel, seed):
    return self._rounded(seed)

  def uncompressed_update(self, kernel):
    return self.trained.read_value()

  def _rounded(self, seed):
    return block_floating_point.quantize(
        self.trained.read_value(), *self._format, seed
    )


class LowPrecisionComputation(wrapped_layer.WrappedLayer):
  """Computes with b bits what another layer trains in full precision.

  The model computes with the other layer's kernel rounded to b bits, and the
  other layer gets the gradient rounded to b bits; the rest, what is sent most
  of all, is left to it.
  """

  def __init__(
      self,
      layer: Optional[weight_layer.WeightLayer],
      bits: int,
      blocks: str,
      **kwargs,
  ):
    """Initializes the layer.

    Args:
      layer: See `WrappedLayer`.
      bits: b, in `[2, 16]`.
      blocks: One of `block_floating_point.BLOCKS`.
      **kwargs: Keyword arguments of `tf.keras.layers.Layer`.
    """
    super().__init__(layer, **kwargs)
    self._format = (bits, blocks)

  def call(self, kernel, seed):
    return block_floating_point.quantize_both_ways(
        super().call(kernel, seed),
        *self._format,
        seeds.fold_in(seed, _KERNEL_DRAWS),
    )
