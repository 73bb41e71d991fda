# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""FedBAT's layer with three values in place of two. Ours."""

import dataclasses
from typing import Optional

import tensorflow as tf

from tff_binary.layers import learnable_binarization
from tff_binary.ops import losses
from tff_binary.ops import seeds
from tff_binary.ops import ternarize


@dataclasses.dataclass(frozen=True)
class Ternarization(learnable_binarization.Binarization):
  """T(m, alpha) as a function of tensors alone, see `Binarization`.

  Attributes:
    share: The share of entries that are not 0 at the switch, or None for
      `step_scale`.
    dead_zone: See `ternarize.ternary_signs`.
    entropy_weight: See `LearnableTernarization`.
  """

  share: Optional[float] = None
  dead_zone: float = 0.0
  entropy_weight: float = 0.0

  def initial_step_size(self, update):
    if self.share is None:
      return super().initial_step_size(update)
    return ternarize.step_size_of_share(update, self.share)

  def __call__(self, update, base, exponent, seed):
    step_size = self.step_size(update, base, exponent)
    ratio = tf.math.divide_no_nan(update, step_size)
    if self.entropy_weight > 0.0:  # Python values.
      ratio = losses.add_loss(ratio, lambda r: self.entropy_weight * entropy(r))
    noise = seeds.uniform(tf.shape(ratio), seed)
    return step_size * ternarize.ternary_signs(ratio, noise, self.dead_zone)


def entropy(ratio):
  """Returns the bits an entry of T(m, alpha) for the ratio m / alpha."""
  return ternarize.bits_per_entry(ternarize.share_of_nonzeros(ratio))


class LearnableTernarization(learnable_binarization.LearnableBinarization):
  """Maps w_t to `w_t + T(m, alpha)` and learns the update m and alpha.

  Like `LearnableBinarization`, with the operator T of `ops.ternarize`, and with
  another step size at the switch: a multiple of the mean magnitude, or the one
  at which T(m, alpha) takes a given number of bits. A term in the loss makes
  the client prefer messages of fewer bits.
  """

  def __init__(
      self,
      step_scale=16.0,
      bits_per_param=None,
      dead_zone=0.0,
      entropy_weight=0.0,
      rho=6.0,
      warmup_ratio=0.5,
      **kwargs,
  ):
    """Initializes the layer; the values are checked by `LearnedTernary`.

    Args:
      step_scale: alpha at the switch, in mean magnitudes of m.
      bits_per_param: The entropy of T(m, alpha) at the switch instead, in bits
        an entry, or `None`.
      dead_zone: See `ternarize.ternary_signs`.
      entropy_weight: What a bit an entry of this kernel adds to the loss.
      rho: See `LearnableBinarization`.
      warmup_ratio: See `LearnableBinarization`.
      **kwargs: Keyword arguments of `tf.keras.layers.Layer`.
    """
    super().__init__(
        rho=rho,
        warmup_ratio=warmup_ratio,
        step_scale=step_scale,
        clamp_step_size=False,
        **kwargs,
    )
    share = None
    if bits_per_param is not None:
      share = ternarize.share_of_bits(bits_per_param)
    self._operator = Ternarization(
        rho,
        step_scale,
        share=share,
        dead_zone=dead_zone,
        entropy_weight=entropy_weight,
    )

  @classmethod
  @tf.autograph.experimental.do_not_convert
  def measure_group(cls, layers):
    # pylint: disable=protected-access
    entropies = []
    for layer in layers:
      update, *_ = layer._operands()
      ratio = tf.math.divide_no_nan(update, layer.step_size())
      entropies.append(entropy(ratio))
    return {'update_entropy': (tf.add_n(entropies), len(entropies))}
