# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""ZeroFL's kernels: dense training of weights that are used sparsely."""

import tensorflow as tf

from tff_binary.layers import weight_layer
from tff_binary.ops import sparsity
from tff_binary.ops import straight_through


class SparseKernel(weight_layer.WeightLayer):
  """Trains all weights and computes with those of largest magnitude.

  The effective kernel has the share `keep_ratio` of the weights and zeros
  elsewhere, chosen anew at every step; its gradient reaches all weights.

  What a client sends is what the codec takes the largest entries of:

  *   `'top_k_weights'`: the weights, which are no update.
  *   `'diff_on_top_k_weights'`: their difference to the server's kernel where
      the weights themselves are the largest, the share `upload_ratio` of them,
      and zeros elsewhere.
  *   `'top_k_weights_diff'`: their difference to the server's kernel.

  Source: ZeroFL (Qiu et al., ICLR 2022); for the training SWAT (Raihan and
  Aamodt, NeurIPS 2020).

  Attributes:
    trained: The weights, a trainable variable of the kernel's shape.
  """

  def __init__(
      self, keep_ratio: float, upload: str, upload_ratio: float, **kwargs
  ):
    """Initializes the layer; the values are checked by `ZeroFL`.

    Args:
      keep_ratio: The share of weights that are used, in (0, 1].
      upload: One of the three above.
      upload_ratio: The share of entries that are sent, in (0, 1].
      **kwargs: Keyword arguments of `tf.keras.layers.Layer`.
    """
    # All weights stay in float32 under mixed precision.
    super().__init__(dtype='float32', **kwargs)
    self._keep_ratio = keep_ratio
    self._upload = upload
    self._upload_ratio = upload_ratio

  def build(self, kernel_shape):
    self.trained = self.add_weight(
        'trained', kernel_shape, initializer='zeros'
    )
    super().build(kernel_shape)

  def _num_largest(self, ratio):
    return sparsity.num_largest(ratio, self.trained.shape.num_elements())

  def receive(self, kernel, state, round_num, seed):
    del state, round_num, seed
    self.trained.assign(kernel)

  def call(self, kernel, seed):
    return straight_through.keep_largest(
        self.trained, self._num_largest(self._keep_ratio)
    )

  def update(self, kernel, seed):
    if self._upload == 'top_k_weights':
      return tf.identity(self.trained)
    difference = self.trained - kernel
    if self._upload == 'top_k_weights_diff':
      return difference
    is_largest = sparsity.is_largest(
        self.trained, self._num_largest(self._upload_ratio)
    )
    return tf.where(is_largest, difference, 0.0)

  def uncompressed_update(self, kernel):
    if self._upload == 'top_k_weights':
      return tf.identity(self.trained)
    return self.trained - kernel
