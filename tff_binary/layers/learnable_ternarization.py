# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""FedBAT's layer with three values in place of two. Ours."""

import collections

import tensorflow as tf

from tff_binary.layers import learnable_binarization
from tff_binary.ops import losses
from tff_binary.ops import seeds
from tff_binary.ops import ternarize


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
    self._share = None
    if bits_per_param is not None:
      self._share = ternarize.share_of_bits(bits_per_param)
    self._dead_zone = dead_zone
    self._entropy_weight = entropy_weight

  def initial_step_size(self):
    if self._share is None:
      return super().initial_step_size()
    return ternarize.step_size_of_share(self.update_variable, self._share)

  def _ratio(self):
    return tf.math.divide_no_nan(
        self.update_variable.read_value(), self.step_size()
    )

  def _entropy(self, ratio):
    return ternarize.bits_per_entry(ternarize.share_of_nonzeros(ratio))

  def quantized(self, seed, is_zero=None):
    ratio = self._ratio()
    if self._entropy_weight > 0.0:  # Python values.
      ratio = losses.add_loss(
          ratio, lambda r: self._entropy_weight * self._entropy(r)
      )
    noise = seeds.uniform(ratio.shape, seed)
    return self.step_size(is_zero) * ternarize.ternary_signs(
        ratio, noise, self._dead_zone
    )

  def measurements(self):
    return collections.OrderedDict(
        update_entropy=self._entropy(self._ratio())
    )
