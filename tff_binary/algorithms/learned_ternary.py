# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Learned ternary updates: FedBAT with three values. Ours."""

import dataclasses
import math

import tff_binary
from tff_binary.algorithms import registry


@registry.register(
    'learned_ternary',
    title='Learned ternary (ours)',
    source='this package, after FedBAT',
    summary='ternary updates and step sizes learned during local training',
)
@dataclasses.dataclass(frozen=True)
class LearnedTernary(registry.Hyperparameters):
  """Learned ternary updates: about half a bit up if entropy-coded, 32 down.

  Not from any paper: FedBAT's training with the three values -alpha, 0 and
  alpha, of which most are 0, see `ops.ternarize`.
  """

  bits_per_param: float = registry.hyperparameter(
      0.5,
      'entropy of the update where ternarization sets in, in bits an entry,'
      ' which gives the first step size; 0 takes step_scale instead',
      minimum=0.0,
      maximum=1.58,
      source='ours',
  )
  step_scale: float = registry.hyperparameter(
      16.0,
      'first step size in mean absolute updates, with bits_per_param=0',
      minimum=1.0,
      maximum=1e4,
      source='ours; FedBAT, eq. 13: 1',
  )
  rho: float = registry.hyperparameter(
      6.0,
      'pace at which a step size is learned; 0 keeps it at its initial value',
      minimum=0.0,
      maximum=100.0,
      source='FedBAT, eq. 10',
  )
  warmup_ratio: float = registry.hyperparameter(
      0.5,
      'share of the local steps that train in full precision first',
      minimum=0.0,
      maximum=1.0,
      source='FedBAT, Algorithm 1',
  )
  dead_zone: float = registry.hyperparameter(
      0.0,
      'what is always rounded to 0, in step sizes; above 0 the update is not'
      ' unbiased',
      minimum=0.0,
      maximum=0.99,
      source='ours',
  )
  entropy_weight: float = registry.hyperparameter(
      0.0,
      "weight in the clients' loss of the entropy of the update, in bits an"
      ' entry',
      minimum=0.0,
      maximum=1e6,
      source='ours, after arXiv 2309.10834',
  )

  update_code: str = registry.hyperparameter(
      'packed',
      'how updates are sent: 2 bits an entry, or in as many bits as they have'
      ' entropy. The latter is fast where TensorFlow has XLA, which the workers'
      " of this package have and TFF's own has not",
      choices=('packed', 'entropy'),
      source='ours',
  )

  def method(self, seed=0):
    del seed  # All draws are the clients'.

    def build_weight_layer(tensors, index):
      sizes = [math.prod(x.shape) for x in tensors.weights_type.trainable]
      total = sum(n for n, c in zip(sizes, tensors.is_compressed) if c)
      share = sizes[index] / total
      return tff_binary.layers.LearnableTernarization(
          step_scale=self.step_scale,
          bits_per_param=self.bits_per_param or None,
          dead_zone=self.dead_zone,
          entropy_weight=self.entropy_weight * share,
          rho=self.rho,
          warmup_ratio=self.warmup_ratio,
      )

    codec = tff_binary.wire.TernaryCodec()
    if self.update_code == 'entropy':
      codec = tff_binary.wire.EntropyCodec(codec)
    return tff_binary.learning.Method(
        codec=codec,
        build_weight_layer=build_weight_layer,
    )


build_learned_ternary = registry.get('learned_ternary').build
