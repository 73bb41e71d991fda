# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Weight layers that change what another one gets or gives."""

from typing import Optional

import tensorflow as tf

from tff_binary.layers import weight_layer


class PlainKernel(weight_layer.WeightLayer):
  """Trains a kernel in full precision and sends its update."""

  def __init__(self, **kwargs):
    super().__init__(dtype='float32', **kwargs)

  def build(self, kernel_shape):
    self._trained = self.add_weight(
        'trained', kernel_shape, initializer='zeros'
    )
    super().build(kernel_shape)

  def receive(self, kernel, state, round_num, seed):
    del state, round_num, seed
    self._trained.assign(kernel)

  def call(self, kernel, seed):
    del kernel, seed
    return tf.identity(self._trained)

  def update(self, kernel, seed):
    del seed
    return self._trained - kernel

  def uncompressed_update(self, kernel):
    return self._trained - kernel


class TrainedUpdate(weight_layer.WeightLayer):
  """Trains the update of a kernel, from zero, and sends it.

  Attributes:
    update_variable: The update, a trainable variable of the kernel's shape.
  """

  def __init__(self, unit=1.0, **kwargs):
    """Initializes the layer.

    Args:
      unit: What the server makes of a 1 that the codec sends.
      **kwargs: Those of a Keras layer.
    """
    # In float32 under mixed precision.
    super().__init__(dtype='float32', **kwargs)
    self._unit = unit

  def build(self, kernel_shape):
    self.update_variable = self.add_weight(
        'update', kernel_shape, initializer='zeros'
    )
    super().build(kernel_shape)

  def start(self):
    self.update_variable.assign(tf.zeros_like(self.update_variable))

  def call(self, kernel, seed):
    del seed
    return kernel + self.update_variable

  def update(self, kernel, seed):
    del kernel, seed
    return self.update_variable.read_value()

  def uncompressed_update(self, kernel):
    del kernel
    return self.update_variable / self._unit


class WrappedLayer(weight_layer.WeightLayer):
  """Does what another layer does, but for what a subclass says.

  Attributes:
    layer: The other layer.
  """

  def __init__(
      self, layer: Optional[weight_layer.WeightLayer] = None, **kwargs
  ):
    """Initializes the layer.

    Args:
      layer: The other layer; None for a kernel that is trained in place.
      **kwargs: Keyword arguments of `tf.keras.layers.Layer`.
    """
    super().__init__(dtype='float32', **kwargs)
    self.layer = PlainKernel() if layer is None else layer
    self.needs_num_steps = self.layer.needs_num_steps

  def build(self, kernel_shape):
    self.layer.build(kernel_shape)
    super().build(kernel_shape)

  def initial_state(self, seed):
    return self.layer.initial_state(seed)

  def receive(self, kernel, state, round_num, seed):
    self.layer.receive(kernel, state, round_num, seed)

  def received_bytes(self):
    return self.layer.received_bytes()

  def state(self):
    return self.layer.state()

  def start(self):
    self.layer.start()

  def advance(self, step, num_steps):
    self.layer.advance(step, num_steps)

  def call(self, kernel, seed):
    return self.layer(kernel, seed)

  def update(self, kernel, seed):
    return self.layer.update(kernel, seed)

  def measurements(self):
    return self.layer.measurements()

  def uncompressed_update(self, kernel):
    return self.layer.uncompressed_update(kernel)

  def observations(self, kernel):
    return self.layer.observations(kernel)
