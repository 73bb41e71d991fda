# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Noisy-SignSGD: signs of updates with added noise, 1 bit up."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry


@registry.register(
    'noisy_signsgd',
    title='Noisy-SignSGD',
    source='Chen et al., NeurIPS 2020; Tang et al., 2023',
    summary='signs of trained updates with Gaussian or other noise',
)
@dataclasses.dataclass(frozen=True)
class NoisySignSGD(registry.Hyperparameters):
  """Noisy-SignSGD: 1 bit per compressed parameter up, 32 down."""

  fixed_step_size: float = registry.fixed_step_size(
      1e-2, 'FedBAT, appendix A.2'
  )
  sigma: float = registry.hyperparameter(
      1e-2,
      'scale of the noise, in units of a weight; with z=1 the step size is'
      ' unbiased at 1.25 sigma, with z=inf at sigma',
      minimum=1e-8,
      maximum=10.0,
      source='FedBAT, appendix A.2',
  )
  z: float = registry.hyperparameter(
      1.0,
      'shape of the noise: density proportional to exp(-|t|^(2z) / 2); 1 is'
      ' Gaussian, inf uniform',
      minimum=1.0,
      source='z-SignFedAvg, Tang et al., arXiv 2302.02589',
  )

  def method(self, seed=0):
    return tff_binary.learning.Method(
        codec=tff_binary.wire.NoisySignCodec(
            self.fixed_step_size, self.sigma, self.z
        ),
    )


build_noisy_signsgd = registry.get('noisy_signsgd').build
