# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Stoc-SignSGD: signs drawn in proportion to the update, 1 bit up."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry


@registry.register(
    'stoc_signsgd',
    title='Stoc-SignSGD',
    source='Safaryan and Richtárik, ICML 2021',
    summary='signs drawn with chances linear in the trained update',
)
@dataclasses.dataclass(frozen=True)
class StocSignSGD(registry.Hyperparameters):
  """Stoc-SignSGD: 1 bit per compressed parameter up, 32 down."""

  fixed_step_size: float = registry.fixed_step_size(
      1e-2, 'FedBAT, appendix A.2'
  )
  bound: str = registry.hyperparameter(
      'max_norm',
      'b in the chance 1/2 + m / (2 b) of a plus: a norm of the update m of a'
      ' tensor',
      choices=('max_norm', '2_norm'),
      source='FedBAT, appendix A.2; 2_norm: section 1, after Safaryan and'
      ' Richtárik',
  )

  def method(self, seed=0):
    return tff_binary.learning.Method(
        codec=tff_binary.wire.StochasticSignCodec(
            self.fixed_step_size, self.bound
        ),
    )


build_stoc_signsgd = registry.get('stoc_signsgd').build
