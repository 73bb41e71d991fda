# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Error feedback: what a message left out goes into the next one."""

from collections.abc import Callable

import tensorflow as tf

from tff_binary.layers import weight_layer
from tff_binary.ops import signs


class ErrorFeedback(weight_layer.WeightLayer):
  """Trains the update m in full precision and sends `C(m + e)`.

  The residual `e`, which starts at zero, becomes `m + e - C(m + e)`. The client
  keeps it until it takes part again.

  Source: EF-SignSGD (Karimireddy et al., ICML 2019), Algorithm 1, with the
  client's update of a round in place of a step's gradient, tensor by tensor.
  """

  def __init__(
      self,
      compress: Callable[[tf.Tensor], tf.Tensor] = signs.scaled_sign,
      **kwargs,
  ):
    """Initializes the layer.

    Args:
      compress: C, a TensorFlow function from a float32 tensor to one of the
        same shape, on the codec's grid; by default the paper's scaled sign.
      **kwargs: Keyword arguments of `tf.keras.layers.Layer`.
    """
    # Update and residual stay in float32 under mixed precision.
    super().__init__(dtype='float32', **kwargs)
    self._compress = compress

  def build(self, kernel_shape):
    self._kernel_shape = kernel_shape
    self.update_variable = self.add_weight(
        'update', kernel_shape, initializer='zeros'
    )
    self._residual = self.add_weight(
        'residual', kernel_shape, initializer='zeros', trainable=False
    )
    super().build(kernel_shape)

  def initial_state(self, seed):
    del seed  # Nothing is drawn.
    return tf.zeros(self._kernel_shape)

  def receive(self, kernel, state, round_num, seed):
    del kernel, round_num, seed
    self._residual.assign(state)

  def start(self):
    self.update_variable.assign(tf.zeros_like(self.update_variable))

  def call(self, kernel, seed):
    return kernel + self.update_variable

  def update(self, kernel, seed):
    return self._compress(self.update_variable + self._residual)

  def uncompressed_update(self, kernel):
    return self.update_variable + self._residual

  def state(self):
    corrected = self.update_variable + self._residual
    return corrected - self._compress(corrected)
