# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Noisy-SignSGD: signs of updates with added noise, 1 bit up."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry


@dataclasses.dataclass(frozen=True)
class NoisySignSGD(registry.Hyperparameters):
  """Hyper-parameters of Noisy-SignSGD as the FedBAT paper runs it."""

  fixed_step_size: float = registry.fixed_step_size(
      1e-2, 'FedBAT, section 4.1'
  )
  sigma: float = registry.hyperparameter(
      1e-2,
      'scale of the noise, in units of a weight; with z=1 the step size is'
      ' unbiased at 1.25 sigma, with z=inf at sigma',
      minimum=1e-8,
      maximum=10.0,
      source='FedBAT, section 4.1',
  )
  z: float = registry.hyperparameter(
      1.0,
      'shape of the noise: density proportional to exp(-|t|^(2z) / 2); 1 is'
      ' Gaussian, inf uniform',
      minimum=1.0,
      source='z-SignFedAvg, Tang et al., arXiv 2302.02589',
  )


@registry.register(
    'noisy_signsgd',
    title='Noisy-SignSGD',
    source='Chen et al., NeurIPS 2020; Tang et al., 2023',
    summary='signs of trained updates with Gaussian or other noise',
    hyperparameters=NoisySignSGD,
)
def build_noisy_signsgd(
    model_fn, *, hyperparameters=NoisySignSGD(), **kwargs
):
  """Builds Noisy-SignSGD: 1 bit per compressed parameter up, 32 down.

  Args:
    model_fn: A no-arg function that returns a
      `tff.learning.models.VariableModel`.
    hyperparameters: A `NoisySignSGD`.
    **kwargs: Keyword arguments of `tff_binary.learning.build_learning_process`.

  Returns:
    A `tff.learning.templates.LearningProcess`.
  """
  h = hyperparameters
  return tff_binary.learning.build_learning_process(
      model_fn,
      codec=tff_binary.wire.NoisySignCodec(h.fixed_step_size, h.sigma, h.z),
      **kwargs,
  )
