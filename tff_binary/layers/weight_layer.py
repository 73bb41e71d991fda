# Copyright 2026 The tff_binary Authors.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Keras layers that act on weights: the interface of the local loop."""

import abc

import tensorflow as tf


class WeightLayer(tf.keras.layers.Layer, abc.ABC):
  """Maps the server's kernel w_t to the kernel that a client computes with.

  One layer serves one kernel of the model for one client's round, and owns
  whatever the client trains in the kernel's place (`trainable_variables`). The
  local training loop calls

  1.  `start(num_steps)` once,
  2.  before every local step `advance(step)`, then the layer itself to get the
      effective kernel for the step's forward and backward pass; the gradient
      with respect to the effective kernel is pulled back through the layer to
      its trainable variables,
  3.  `advance(num_steps)` and `update(kernel, seed)` once after the last step.

  The user's model never sees the layer; it only has its kernel assigned.
  """

  @abc.abstractmethod
  def start(self, num_steps):
    """Resets the layer's variables for a client that takes `num_steps` steps.

    Args:
      num_steps: An int32 scalar, tau in the papers.
    """

  @abc.abstractmethod
  def advance(self, step):
    """Brings the layer into the phase of local step `step`.

    Args:
      step: An int32 scalar, counted from 0.
    """

  @abc.abstractmethod
  def call(self, kernel, seed):
    """Returns the effective kernel.

    Args:
      kernel: A float tensor, the server's kernel.
      seed: An int32 tensor of shape `[2]`, for this step and tensor alone.

    Returns:
      A tensor of `kernel`'s shape and dtype.
    """

  @abc.abstractmethod
  def update(self, kernel, seed):
    """Returns what the client sends for this kernel: trained minus initial.

    Args:
      kernel: A float tensor, the server's kernel.
      seed: An int32 tensor of shape `[2]`, for this tensor alone.

    Returns:
      A tensor of `kernel`'s shape and dtype, on the codec's grid.
    """

  def measurements(self):
    """Returns float32 scalars by name; their mean over clients is reported."""
    return {}
