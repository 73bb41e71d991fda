# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""A kernel that a client keeps, to be sent what has changed of it."""

import collections
from collections.abc import Callable
from typing import Any, Optional

import tensorflow as tf

from tff_binary.layers import weight_layer
from tff_binary.layers import wrapped_layer
from tff_binary.ops import seeds


class SynchronizedKernel(wrapped_layer.WrappedLayer):
  """Gives another layer a kernel that depends on what the client has kept."""

  def __init__(
      self,
      layer: Optional[weight_layer.WeightLayer],
      initial_state: Callable[[tf.TensorShape], Any],
      receive: Callable[
          [Any, Any, tf.Tensor], tuple[tf.Tensor, Any, tf.Tensor]
      ],
      **kwargs,
  ):
    """Initializes the layer.

    Args:
      layer: See `WrappedLayer`.
      initial_state: A TensorFlow function from a kernel's shape to what a
        client keeps of it before its first round.
      receive: A TensorFlow function from what the server offers, what the
        client keeps and a seed to the kernel, to what the client keeps from then
        on, and to the bytes that it took of the offer, an int64 scalar.
      **kwargs: Keyword arguments of `tf.keras.layers.Layer`.
    """
    super().__init__(layer, **kwargs)
    self._initial_kept = initial_state
    self._receive = receive

  def build(self, kernel_shape):
    self._kernel_shape = kernel_shape

    def add(name, shape, dtype):
      return self.add_weight(
          name, shape, dtype, initializer='zeros', trainable=False
      )

    self._kernel = add('kernel', kernel_shape, 'float32')
    self._received_bytes = add('received_bytes', (), 'int64')
    self._kept = tf.nest.map_structure(
        lambda x: add('kept', x.shape, x.dtype),
        self._initial_kept(kernel_shape),
    )
    super().build(kernel_shape)

  def initial_state(self, seed):
    return collections.OrderedDict(
        kept=self._initial_kept(self._kernel_shape),
        layer=super().initial_state(seed),
    )

  def receive(self, kernel, state, round_num, seed):
    own_seed = seeds.fold_in(seed, seeds.SERVER_DRAWS)
    kernel, kept, num_bytes = self._receive(kernel, state['kept'], own_seed)
    self._kernel.assign(kernel)
    self._received_bytes.assign(num_bytes)
    tf.nest.map_structure(lambda v, x: v.assign(x), self._kept, kept)
    super().receive(kernel, state['layer'], round_num, seed)

  def received_bytes(self):
    return self._received_bytes.read_value()

  def call(self, kernel, seed):
    return super().call(self._kernel.read_value(), seed)

  def update(self, kernel, seed):
    return super().update(self._kernel.read_value(), seed)

  def uncompressed_update(self, kernel):
    return super().uncompressed_update(self._kernel.read_value())

  def observations(self, kernel):
    return super().observations(self._kernel.read_value())

  def state(self):
    return collections.OrderedDict(
        kept=tf.nest.map_structure(lambda v: v.read_value(), self._kept),
        layer=super().state(),
    )
