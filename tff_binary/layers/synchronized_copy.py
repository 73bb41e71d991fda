# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""A copy of the server's kernel that a client keeps from round to round."""

import collections
from collections.abc import Callable

import tensorflow as tf

from tff_binary.layers import weight_layer

# Older than any version of the server's.
_NO_VERSION = -(2**30)


class SynchronizedCopy(weight_layer.WeightLayer):
  """Trains the update of a kernel that is sent as the steps it has taken.

  The server offers its kernel and, in a few bytes each, the last steps that led
  to it. A client whose copy is at most that many steps behind takes the steps
  that it missed, one after the other; its copy is then the server's kernel, bit
  by bit. Any other client takes the kernel.

  Of every kernel it is offered an `OrderedDict` of `kernel`, of `steps`, a
  tensor whose first dimension counts the steps, the last one first, and of
  `version`, an int32 scalar >= 0, which grows by one with each step and by more
  than `steps` are long where the kernel has changed in any other way.
  """

  def __init__(
      self, apply_step: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], **kwargs
  ):
    """Initializes the layer.

    Args:
      apply_step: A TensorFlow function from a kernel and one of `steps` to the
        kernel after this step, computed as the server computes it.
      **kwargs: Keyword arguments of `tf.keras.layers.Layer`.
    """
    # Update and copy stay in float32 under mixed precision.
    super().__init__(dtype='float32', **kwargs)
    self._apply_step = apply_step

  def build(self, kernel_shape):
    self._kernel_shape = kernel_shape

    def add(name, shape, dtype='float32', trainable=False):
      return self.add_weight(
          name, shape, dtype, initializer='zeros', trainable=trainable
      )

    self.update_variable = add('update', kernel_shape, trainable=True)
    self._copy = add('copy', kernel_shape)
    self._version = add('version', (), 'int32')
    self._received_bytes = add('received_bytes', (), 'int64')
    super().build(kernel_shape)

  def initial_state(self, seed):
    del seed  # Nothing is drawn.
    return collections.OrderedDict(
        copy=tf.zeros(self._kernel_shape), version=tf.constant(_NO_VERSION)
    )

  def receive(self, kernel, state, round_num, seed):
    del round_num, seed
    steps = kernel['steps']
    missed = kernel['version'] - state['version']
    takes_steps = tf.logical_and(missed >= 0, missed <= steps.shape[0])
    missed = tf.where(takes_steps, missed, 0)
    # A loop over as many steps as were missed, most often one of all these.
    _, copy = tf.while_loop(
        lambda i, copy: i >= 0,
        lambda i, copy: (i - 1, self._apply_step(copy, steps[i])),
        (missed - 1, tf.where(takes_steps, state['copy'], kernel['kernel'])),
    )
    self._copy.assign(copy)
    self._version.assign(kernel['version'])
    step_bytes = steps.shape[1:].num_elements() * steps.dtype.size
    kernel_bytes = self._kernel_shape.num_elements() * copy.dtype.size
    self._received_bytes.assign(
        tf.where(
            takes_steps,
            tf.cast(missed, tf.int64) * step_bytes,
            tf.constant(kernel_bytes, tf.int64),
        )
    )

  def received_bytes(self):
    return self._received_bytes.read_value()

  def start(self, num_steps):
    del num_steps
    self.update_variable.assign(tf.zeros_like(self.update_variable))

  def call(self, kernel, seed):
    del kernel, seed  # The copy is the kernel.
    return self._copy + self.update_variable

  def update(self, kernel, seed):
    del kernel, seed
    return self.update_variable.read_value()

  def uncompressed_update(self, kernel):
    return self.update_variable.read_value()

  def state(self):
    return collections.OrderedDict(
        copy=self._copy.read_value(), version=self._version.read_value()
    )
