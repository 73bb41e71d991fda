# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""FedBAT's learnable binarization of one kernel's update."""

import dataclasses
from typing import Optional

import tensorflow as tf

from tff_binary.layers import weight_layer
from tff_binary.ops import binarize
from tff_binary.ops import shared

# Where neither the clamp nor an update bounds the step size from below.
STEP_SIZE_FLOOR = 1e-8


@dataclasses.dataclass(frozen=True)
class Binarization:
  """S(m, alpha) as a function of tensors alone, for layers of equal settings.

  Attributes:
    rho: See `LearnableBinarization`.
    step_scale: See `LearnableBinarization`.
    learned: Whether the step size is learned; otherwise it is `max |m|`.
    bounds: The ends of the clamp, or None.
  """

  rho: float
  step_scale: float
  learned: bool = True
  bounds: Optional[tuple[float, float]] = None

  def initial_step_size(self, update):
    """Returns alpha', a float32 scalar (eq. 13)."""
    return self.step_scale * binarize.initial_step_size(update)

  def step_size(self, update, base, exponent):
    """Returns alpha, a float32 scalar; 0 while all of m is zero.

    Args:
      update: m.
      base: alpha'.
      exponent: alpha_e.
    """
    if not self.learned:
      return tf.stop_gradient(binarize.max_norm(update))
    return binarize.trained_step_size(
        update, base, exponent, self.rho, self.bounds
    )

  def __call__(self, update, base, exponent, seed):
    """Returns a draw of S(m, alpha).

    Args:
      update: See `step_size`.
      base: See `step_size`.
      exponent: See `step_size`.
      seed: An int32 tensor of shape `[2]`.
    """
    return binarize.draw(update, self.step_size(update, base, exponent), seed)

  def in_phase(self, update, base, exponent, seed):
    """Does the same after the warm-up, and returns m before it: alpha' is 0."""
    # What a custom gradient refers to must be a tensor of the branch itself.
    return tf.cond(
        base > 0.0,
        lambda: self(tf.identity(update), base, exponent, seed),
        lambda: tf.identity(update),
    )

  def is_clamped(self, base, exponent):
    """Returns where the clamp holds alpha, 1 or 0 of the operands' shape."""
    step_size = binarize.learned_step_size(base, exponent, self.rho)
    minimum, maximum = self.bounds
    return tf.cast(
        tf.logical_or(step_size < minimum, step_size > maximum), tf.float32
    )


class LearnableBinarization(weight_layer.WeightLayer):
  """Maps w_t to `w_t + S(m, alpha)` and learns the update m and alpha.

  Source: FedBAT (Li et al., ICML 2024), equations 5-14 and Algorithm 1, and the
  authors' code, github.com/Leopold1423/fedbat-icml24, model/bat.py and
  train/trainer.py.

  The first `floor(warmup_ratio * tau)` of a client's tau local steps train m in
  full precision (eq. 12): the effective kernel is `w_t + m`. Then alpha' is set
  to the mean absolute entry of m (eq. 13, times `step_scale`, ours) and the
  remaining steps train m and alpha_e, with `alpha = alpha' exp(rho alpha_e)`
  (eq. 10), through the stochastic binarization S (eqs. 6-9). The client sends
  `S(m, alpha)` of a fresh draw after the last step, as the authors' code does
  (Algorithm 1 reads as if the draw of the last step were sent).

  Where the paper is silent:

  *   With `warmup_ratio > 0` at least one full-precision step is taken, even if
      `floor(warmup_ratio * tau)` is 0.
  *   With `warmup_ratio = 0`, m and hence alpha' are still zero at the switch;
      the clamp, or without it a floor of 1e-8, keeps alpha positive.
  *   While all of m is zero, so is `S(m, alpha)`.

  Attributes:
    update_variable: The update m, a trainable variable of the kernel's shape.
    step_exponent: alpha_e, a trainable scalar.
  """

  needs_num_steps = True

  def __init__(
      self,
      rho=6.0,
      warmup_ratio=0.5,
      step_size='learned',
      step_scale=1.0,
      clamp_step_size=True,
      min_step_size=5e-4,
      max_step_size=5e-2,
      **kwargs,
  ):
    """Initializes the layer; the values are checked by `FedBAT`.

    Args:
      rho: The pace at which alpha is learned (eq. 10); 0 keeps it at alpha'.
      warmup_ratio: phi, the share of full-precision steps, in [0, 1].
      step_size: `'learned'`, or `'max_norm'` for `alpha = max |m|` at every
        step without clamp and without a gradient to alpha, the setting of the
        paper's section 4.
      step_scale: alpha' of a learned step size, in mean absolute entries of m.
        The paper's is 1.
      clamp_step_size: Whether alpha is clamped to `[min_step_size,
        max_step_size]`, with no gradient outside (authors' code only).
      min_step_size: The clamp's lower end.
      max_step_size: The clamp's upper end.
      **kwargs: Keyword arguments of `tf.keras.layers.Layer`.
    """
    # The update and its step size stay in float32 under mixed precision.
    super().__init__(dtype='float32', **kwargs)
    self._warmup_ratio = warmup_ratio
    self._operator = Binarization(
        rho,
        step_scale,
        step_size == 'learned',  # Python values.
        (min_step_size, max_step_size) if clamp_step_size else None,
    )

  def build(self, kernel_shape):
    # Layers of equal settings share them.
    number = tf.float32
    self._functions = {
        name: shared.method(self._operator, name, dtypes)
        for name, dtypes in {
            'initial_step_size': (number,),
            'in_phase': (number, number, number, tf.int32),
        }.items()
    }
    self.update_variable = self.add_weight(
        'update', kernel_shape, initializer='zeros'
    )
    self.step_exponent = self.add_weight(
        'step_exponent',
        (),
        initializer='zeros',
        trainable=self._operator.learned,
    )
    # 0 during the warm-up.
    self._step_base = self.add_weight(
        'step_base', (), initializer='zeros', trainable=False
    )
    super().build(kernel_shape)

  @tf.autograph.experimental.do_not_convert
  def start(self):
    self.update_variable.assign(tf.zeros_like(self.update_variable))
    self.step_exponent.assign(0.0)
    self._step_base.assign(0.0)

  @property
  def group(self):
    return type(self), self._warmup_ratio, self._operator

  def advance(self, step, num_steps):
    self.advance_group([self], step, num_steps)

  @classmethod
  @tf.autograph.experimental.do_not_convert
  def advance_group(cls, layers, step, num_steps):
    # All are in one phase. A condition for each would make most of the graph.
    # pylint: disable=protected-access
    first = layers[0]
    # The ratio is a decimal number: without the tolerance, 0.29 * 100 is below
    # 29 even in float64.
    exact = first._warmup_ratio * tf.cast(num_steps, tf.float64)
    warmup_steps = tf.cast(tf.floor(exact + 1e-6), tf.int32)
    if first._warmup_ratio > 0.0:
      warmup_steps = tf.maximum(warmup_steps, 1)

    def start_binarizing():
      for layer in layers:
        layer._start_binarizing()
      return True

    # Not only at that step: a client may have less data than it was counted to.
    tf.cond(
        tf.logical_and(
            step >= warmup_steps, tf.equal(first._step_base, 0.0)
        ),
        start_binarizing,
        lambda: False,
    )

  def _start_binarizing(self):
    initial = self._functions['initial_step_size'](
        tf.convert_to_tensor(self.update_variable)
    )
    self._step_base.assign(tf.maximum(initial, STEP_SIZE_FLOOR))

  def step_size(self):
    """Returns alpha, a float32 scalar; 0 while all of m is zero."""
    return self._operator.step_size(*self._operands())

  def quantized(self, seed):
    """Returns a draw of `S(m, alpha)`, a tensor of the kernel's shape.

    Args:
      seed: An int32 tensor of shape `[2]`.
    """
    return self._operator(*self._operands(), seed)

  def _operands(self):
    """Returns m, alpha' and alpha_e."""
    return [
        tf.convert_to_tensor(v)
        for v in (self.update_variable, self._step_base, self.step_exponent)
    ]

  def _in_phase(self, seed):
    """Returns `quantized(seed)` after the warm-up, and m before it."""
    result = self._functions['in_phase'](*self._operands(), seed)
    result.set_shape(self.update_variable.shape)
    return result

  def call(self, kernel, seed):
    (effective,) = self.call_group([self], [kernel], [seed])
    return effective

  @classmethod
  @tf.autograph.experimental.do_not_convert
  def call_group(cls, layers, kernels, all_seeds):
    # pylint: disable=protected-access
    updates = []
    for layer, seed in zip(layers, all_seeds):
      # One after the other: the noise of one kernel at a time takes memory.
      with tf.control_dependencies(updates[-1:]):
        seed = tf.identity(seed)
      updates.append(layer._in_phase(seed))
    return [kernel + update for kernel, update in zip(kernels, updates)]

  @tf.autograph.experimental.do_not_convert
  def update(self, kernel, seed):
    del kernel  # The update is what the layer owns.
    return self._in_phase(seed)

  def uncompressed_update(self, kernel):
    del kernel
    return self.update_variable.read_value()

  def measurements(self):
    return {
        name: total for name, (total, _) in self.measure_group([self]).items()
    }

  @classmethod
  @tf.autograph.experimental.do_not_convert
  def measure_group(cls, layers):
    # pylint: disable=protected-access
    operator = layers[0]._operator
    if not operator.learned or operator.bounds is None:
      return {}
    is_clamped = operator.is_clamped(
        tf.stack([layer._step_base for layer in layers]),
        tf.stack([layer.step_exponent for layer in layers]),
    )
    return {'clamped_step_sizes': (tf.reduce_sum(is_clamped), len(layers))}
