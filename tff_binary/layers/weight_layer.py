# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Keras layers that act on weights: the interface of the local loop."""

import abc

import tensorflow as tf

from tff_binary.ops import autograph


class WeightLayer(tf.keras.layers.Layer, abc.ABC):
  """Maps the server's kernel w_t to the kernel that a client computes with.

  One layer serves one kernel of the model for one client's round, and owns
  whatever the client trains in the kernel's place (`trainable_variables`). The
  local training loop calls

  1.  `receive(kernel, state, round_num, seed)` and `start()` once,
  2.  before every local step `advance(step, num_steps)`, then the layer itself
      to get the effective kernel for the step's forward and backward pass; the
      gradient with respect to the effective kernel is pulled back through the
      layer to its trainable variables,
  3.  `advance(num_steps, num_steps)`, which may be beyond the steps taken,
      `update(kernel, seed)` and then `state()` once after the last step.

  What a layer returns as its state the client keeps, and the layer receives it
  in the client's next round, before which there is `initial_state(seed)`.

  The user's model never sees the layer; it only has its kernel assigned.

  The loop does 2 for all layers at once, by `advance_all` and `call_all`, and
  asks for all `measurements` by `measure_all`. Of layers with one `group` the
  first one's class does so, which may make one graph of what all have in common.

  Attributes:
    needs_num_steps: Whether `advance` uses the number of steps, which may have
      to be counted in a pass over the client's data.
    group: A hashable value, of which layers that are advanced, called and
      measured together have the same; by default the class.
  """

  needs_num_steps = False

  @property
  def group(self):
    return type(self)

  @classmethod
  def advance_group(cls, layers, step, num_steps):
    """Does `advance` for all layers of a group.

    Args:
      layers: A list of layers.
      step: See `advance`.
      num_steps: See `advance`.
    """
    for layer in layers:
      layer.advance(step, num_steps)

  @classmethod
  def call_group(cls, layers, kernels, all_seeds):
    """Does `call` for all layers of a group.

    Args:
      layers: A list of layers.
      kernels: For each layer its kernel.
      all_seeds: For each layer its seed.

    Returns:
      The list of the effective kernels.
    """
    return [
        layer(kernel, seed)
        for layer, kernel, seed in zip(layers, kernels, all_seeds)
    ]

  @classmethod
  def measure_group(cls, layers):
    """Returns the `measurements` of all layers of a group.

    Args:
      layers: A list of layers.

    Returns:
      A dict from name to the sum of the values, a float32 scalar, and their
      number, a Python int.
    """
    values = {}
    for layer in layers:
      for name, value in layer.measurements().items():
        values.setdefault(name, []).append(value)
    return {name: (tf.add_n(v), len(v)) for name, v in values.items()}

  def initial_state(self, seed):
    """Returns what a client keeps for this kernel before its first round.

    Args:
      seed: An int32 tensor of shape `[2]`, for this client and tensor alone.

    Returns:
      A structure of tensors of static shapes; an empty one, the default, for
      nothing.
    """
    del seed
    return ()

  def receive(self, kernel, state, round_num, seed):
    """Takes in what the server sends and what the client has kept.

    Args:
      kernel: What the distributor yields for this kernel: the kernel or, for a
        layer that trains its codes, `KernelQuantizer.quantize`'s result. The
        methods below get the same.
      state: What `state` has returned in the client's last round, or
        `initial_state`.
      round_num: An int32 scalar, counted from 0.
      seed: An int32 tensor of shape `[2]`, for this client, round and tensor
        alone.
    """
    del kernel, state, round_num, seed

  def received_bytes(self):
    """Returns the bytes that `receive` has taken of what the server offers.

    Returns:
      An int64 scalar; None, the default, if a client takes all that the
      distributor has measured.
    """
    return None

  def state(self):
    """Returns what the client keeps, a structure like `initial_state`'s."""
    return ()

  @autograph.as_written  # AutoGraph cannot read a function without a body.
  def start(self):
    """Resets the layer's variables for a client that is about to train."""

  def advance(self, step, num_steps):
    """Brings the layer into the phase of local step `step`.

    Args:
      step: An int32 scalar, counted from 0.
      num_steps: An int32 scalar, the steps that the client takes, tau in the
        papers; 0 unless `needs_num_steps`.
    """
    del step, num_steps

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
      A tensor on the codec's grid; of `kernel`'s shape and dtype, unless the
      finalizer expects another.
    """

  def measurements(self):
    """Returns float32 scalars by name; their mean over clients is reported."""
    return {}

  def uncompressed_update(self, kernel):
    """Returns what `update` would if it neither rounded nor left out anything.

    Args:
      kernel: See `update`.

    Returns:
      A tensor of `update`'s shape; None, the default, where nothing of the kind
      exists.
    """
    del kernel
    return None

  def observations(self, kernel):
    """Returns more float32 scalars by name, which only an analysis asks for.

    Args:
      kernel: See `update`.
    """
    del kernel
    return {}


@autograph.as_written
def advance_all(layers, step, num_steps):
  """Advances layers, see `WeightLayer.advance`.

  Args:
    layers: A list of `WeightLayer`s.
    step: An int32 scalar, counted from 0.
    num_steps: An int32 scalar, the steps that the client takes.
  """
  for indices in _groups(layers):
    group = [layers[i] for i in indices]
    autograph.of_user(group[0].advance_group)(group, step, num_steps)


@autograph.as_written
def call_all(layers, kernels, all_seeds):
  """Returns the list of the layers' effective kernels.

  Args:
    layers: A list of `WeightLayer`s.
    kernels: For each layer its kernel.
    all_seeds: For each layer its seed.
  """
  effective = [None] * len(layers)
  for indices in _groups(layers):
    group, *inputs = (
        [values[i] for i in indices] for values in (layers, kernels, all_seeds)
    )
    values = autograph.of_user(group[0].call_group)(group, *inputs)
    for i, value in zip(indices, values):
      effective[i] = value
  return effective


@autograph.as_written
def measure_all(layers):
  """Returns what all layers measure.

  Args:
    layers: A list of `WeightLayer`s.

  Returns:
    A dict from name to a list of sums and to their common number of values, see
    `WeightLayer.measure_group`.
  """
  measured = {}
  for indices in _groups(layers):
    group = [layers[i] for i in indices]
    of_group = autograph.of_user(group[0].measure_group)(group)
    for name, (total, count) in of_group.items():
      totals, counted = measured.get(name, ([], 0))
      measured[name] = [*totals, total], counted + count
  return measured


@autograph.as_written
def _groups(layers):
  """Returns the positions of the layers of each group."""
  groups = {}
  for i, layer in enumerate(layers):
    groups.setdefault(layer.group, []).append(i)
  return groups.values()
