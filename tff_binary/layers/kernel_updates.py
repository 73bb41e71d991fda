# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Learnable binarization of a kernel's update under `tf.keras` training.

What the adapters `keras_wrapper` and `tfmot_quantizer` share. The kernel of a
layer is trained as usual; the layer computes with `anchor + S(kernel - anchor,
alpha)`, where the anchor is the kernel's value at conversion.

Source: Li et al., "FedBAT: Communication-Efficient Federated Learning via
Learnable Binarization", ICML 2024.
"""

import dataclasses
import itertools
import math

import numpy as np
import tensorflow as tf

from tff_binary.layers import kernels
from tff_binary.layers import learnable_binarization
from tff_binary.ops import binarize
from tff_binary.ops import seeds


@dataclasses.dataclass(frozen=True)
class Options:
  """How the updates of a layer's kernels are binarized.

  Attributes:
    rho: The pace at which the step size is learned, `alpha = alpha' exp(rho
      alpha_e)` (eq. 10); 0 keeps the initial step size. The paper's default.
    step_size: `'learned'`, or `'max_norm'`: the largest absolute entry of the
      update, without a gradient, as in the paper's section 4.
    clamp_step_size: Whether the learned step size is kept within
      `[min_step_size, max_step_size]`, without a gradient outside, as in the
      authors' code.
    min_step_size: The lower end of the clamp, the authors' value.
    max_step_size: The upper end of the clamp, the authors' value.
    seed: An integer in [0, 2**31) that determines the noise of the layer.
  """

  rho: float = 6.0
  step_size: str = 'learned'
  clamp_step_size: bool = True
  min_step_size: float = 5e-4
  max_step_size: float = 5e-2
  seed: int = 0

  def __post_init__(self):
    if not 0 <= self.rho <= 100:
      raise ValueError(f'rho must be in [0, 100], got {self.rho}')
    if self.step_size not in ('learned', 'max_norm'):
      raise ValueError(
          f"step_size must be 'learned' or 'max_norm', got {self.step_size!r}"
      )
    if not 0 < self.min_step_size <= self.max_step_size < math.inf:
      raise ValueError(
          'min_step_size and max_step_size must satisfy 0 < min_step_size <= '
          f'max_step_size, got {self.min_step_size} and {self.max_step_size}'
      )
    if not 0 <= self.seed < 2**31:
      raise ValueError(f'seed must be in [0, 2**31), got {self.seed}')


class KernelUpdate:
  """The binarized update of one kernel, with its variables.

  The variables belong to `owner`: `<name>_anchor`, the frozen w_t;
  `<name>_step_exponent`, the trained alpha_e, unless the step size is the max
  norm; `<name>_step_base`, alpha', which is 0 during the full-precision
  warm-up; and `<name>_draw`, the number of the current noise draw.
  """

  def __init__(self, kernel, owner, name, options):
    """Creates the variables.

    Args:
      kernel: A `tf.Variable`.
      owner: The `tf.keras.layers.Layer` that owns the new variables.
      name: The prefix of their names.
      options: An `Options`.
    """
    # Past Keras' attribute tracking: the owner tracks the variables already.
    siblings = vars(owner).setdefault('_kernel_updates', [])
    self._seed = (options.seed, len(siblings))
    siblings.append(self)
    self._options = options
    self.kernel = kernel
    self.anchor = owner.add_weight(
        f'{name}_anchor',
        kernel.shape,
        kernel.dtype,
        lambda *args, **kwargs: kernel.read_value(),
        trainable=False,
    )
    if options.step_size == 'learned':
      self.step_exponent = owner.add_weight(
          f'{name}_step_exponent', (), kernel.dtype, 'zeros'
      )
    self.step_base = owner.add_weight(
        f'{name}_step_base', (), kernel.dtype, 'zeros', trainable=False
    )
    self.draw = owner.add_weight(
        f'{name}_draw',
        (),
        tf.int64,
        'zeros',
        trainable=False,
        # Every replica advances its own copy, all by the same amount.
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )

  def set_anchor(self):
    """Makes the kernel's present value the anchor."""
    self.anchor.assign(self.kernel)

  def start_binarizing(self):
    """Ends the full-precision warm-up, with alpha' of equation 13."""
    mean = binarize.initial_step_size(self.kernel - self.anchor)
    floor = learnable_binarization.STEP_SIZE_FLOOR
    self.step_base.assign(tf.maximum(mean, floor))

  def is_binarizing(self):
    """Returns a bool scalar: whether the full-precision warm-up is over."""
    return self.step_base > 0.0

  def step_size(self):
    """Returns alpha, a scalar; 0 while all of the update is zero (eq. 10)."""
    update = self.kernel - self.anchor
    options = self._options
    if options.step_size == 'max_norm':
      return tf.stop_gradient(binarize.max_norm(update))
    bounds = (
        (options.min_step_size, options.max_step_size)
        if options.clamp_step_size
        else None
    )
    return binarize.trained_step_size(
        update, self.step_base, self.step_exponent, options.rho, bounds
    )

  def effective_kernel(self):
    """Returns the kernel to compute with, a tensor of the kernel's shape.

    The kernel itself during the warm-up, `anchor + S(kernel - anchor, alpha)`
    afterwards.

    The draw advances when the kernel's gradient is taken. So all calls of a
    training step share one draw, a layer used twice has one kernel, and
    everything until the next step, evaluation and `strip` included, computes
    with the same fresh draw, like the one that the FedBAT paper uploads.
    """
    draw = self.draw.read_value()

    @tf.custom_gradient
    def advance_draw(x):
      def grad(upstream):
        with tf.control_dependencies([self.draw.assign(draw + 1)]):
          return tf.identity(upstream)

      return tf.identity(x), grad

    def binarized():
      noise = seeds.uniform(self.kernel.shape, seeds.fold_in(self._seed, draw))
      return self.anchor + binarize.binarize(
          self.kernel - self.anchor,
          self.step_size(),
          tf.cast(noise, self.kernel.dtype),
      )

    return advance_draw(
        tf.cond(self.is_binarizing(), binarized, self.kernel.read_value)
    )


def updates(model):
  """Returns the `KernelUpdate`s of all layers of a converted model."""
  # pylint: disable=protected-access
  return [
      update
      for layer in model._flatten_layers()
      for update in vars(layer).get('_kernel_updates', ())
  ]


def convert(model, wrap, is_compressed, options):
  """Returns a copy of `model` in which every layer with kernels is wrapped.

  Args:
    model: A built Sequential or functional `tf.keras.Model`; left unchanged.
    wrap: A function `(layer, kernel_paths, options) -> wrapper`, see
      `kernels.wrap_kernels`; `options` has the layer's own seed.
    is_compressed: A function from a `tf.Variable` to a bool.
    options: An `Options`.

  Returns:
    A new, uncompiled model of the same weights, which are also the anchors.

  Raises:
    ValueError: If a kernel is out of reach or tied to another layer, see
      `kernels.wrap_kernels`.
  """
  numbers = itertools.count()

  def wrap_with_seed(layer, kernel_paths):
    words = np.random.SeedSequence([options.seed, next(numbers)])
    seed = int(words.generate_state(1)[0]) % 2**31
    return wrap(layer, kernel_paths, dataclasses.replace(options, seed=seed))

  converted = kernels.wrap_kernels(model, wrap_with_seed, is_compressed)
  for update in updates(converted):
    update.set_anchor()
  return converted


def _require_updates(model):
  found = updates(model)
  if not found:
    raise ValueError(
        f'model {model.name!r} has no binarized kernel; convert it first'
    )
  return found


def start_binarizing(model):
  """Ends the full-precision warm-up of a converted model.

  The step size of each kernel becomes the mean absolute entry of its update
  (eq. 13). Kernels that are past their warm-up remain as they are.

  Args:
    model: A model converted by `keras_wrapper` or `tfmot_quantizer`.

  Raises:
    ValueError: If `model` has no binarized kernel.
  """
  for update in _require_updates(model):
    if not update.is_binarizing():
      update.start_binarizing()


class WarmUp(tf.keras.callbacks.Callback):
  """Starts binarization after the full-precision steps of a `model.fit`.

  Steps are counted by the optimizer, so an interrupted and resumed training
  with the same optimizer counts on.
  """

  def __init__(self, warmup_ratio=0.5, warmup_steps=None):
    """Initializes the callback.

    Args:
      warmup_ratio: The share, phi in the FedBAT paper, of all steps of the
        `fit` that stay in full precision, rounded down, but at least one step
        if the ratio is not 0.
      warmup_steps: The number of those steps, instead of the ratio.

    Raises:
      ValueError: If an argument is out of range.
    """
    super().__init__()
    if not 0 <= warmup_ratio <= 1:
      raise ValueError(f'warmup_ratio must be in [0, 1], got {warmup_ratio}')
    if warmup_steps is not None and warmup_steps < 0:
      raise ValueError(f'warmup_steps must be >= 0, got {warmup_steps}')
    self._ratio = warmup_ratio
    self._steps = warmup_steps

  def on_train_begin(self, logs=None):
    del logs
    if self.model.built:  # Otherwise the first step builds it.
      _require_updates(self.model)
    self._waiting = True
    self._last = self._steps
    if self._last is None:
      if self.params['steps'] is None:
        raise ValueError(
            'the number of steps of an epoch is unknown: give WarmUp a '
            'warmup_steps, or fit a steps_per_epoch'
        )
      total = self.params['epochs'] * self.params['steps']
      # The ratio is a decimal number: 0.29 * 100 is below 29 in float64.
      self._last = math.floor(self._ratio * total + 1e-6)
      if self._ratio > 0:
        self._last = max(self._last, 1)

  def on_train_batch_begin(self, batch, logs=None):
    del batch, logs
    if self._waiting and self.model.optimizer.iterations >= self._last:
      start_binarizing(self.model)
      self._waiting = False

  def on_train_end(self, logs=None):
    # A warm-up as long as the training still ends in binarized updates.
    self.on_train_batch_begin(None, logs)


def strip(model):
  """Returns the plain model with the effective kernels of `model`.

  Args:
    model: A model converted by `keras_wrapper` or `tfmot_quantizer`; left
      unchanged.

  Returns:
    A new, uncompiled model of plain layers that computes the same.

  Raises:
    ValueError: If `model` has no binarized kernel, or if it cannot be copied,
      see `kernels.replace_layers`.
  """
  _require_updates(model)

  def source(layer):
    if isinstance(layer, tf.keras.Model) and updates(layer):
      return strip(layer)
    return layer.layer if '_kernel_updates' in vars(layer) else layer

  stripped, copies = kernels.replace_layers(
      model, source, lambda layer, copy: copy
  )
  for layer in model.layers:
    for update in vars(layer).get('_kernel_updates', ()):
      copies[update.kernel.ref()].assign(update.effective_kernel())
  return stripped
