# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""SignSGD: the signs of trained updates, 1 bit up."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry


@registry.register(
    'signsgd',
    title='SignSGD',
    source='Bernstein et al., ICML 2018',
    summary='signs of trained updates, one step size for all',
)
@dataclasses.dataclass(frozen=True)
class SignSGD(registry.Hyperparameters):
  """SignSGD: 1 bit per compressed parameter up, 32 down.

  The server averages the scaled signs; it does not let clients vote.
  """

  fixed_step_size: float = registry.fixed_step_size(
      1e-3, 'FedBAT, appendix A.2'
  )

  def method(self, seed=0):
    return tff_binary.learning.Method(
        codec=tff_binary.wire.SignCodec(self.fixed_step_size),
    )


build_signsgd = registry.get('signsgd').build
