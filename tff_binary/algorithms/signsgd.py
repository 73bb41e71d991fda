# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""SignSGD: the signs of trained updates, 1 bit up."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry


@dataclasses.dataclass(frozen=True)
class SignSGD(registry.Hyperparameters):
  """Hyper-parameters of SignSGD as the FedBAT paper runs it."""

  fixed_step_size: float = registry.fixed_step_size(
      1e-3, 'FedBAT, section 4.1'
  )


@registry.register(
    'signsgd',
    title='SignSGD',
    source='Bernstein et al., ICML 2018',
    summary='signs of trained updates, one step size for all',
    hyperparameters=SignSGD,
)
def build_signsgd(model_fn, *, hyperparameters=SignSGD(), **kwargs):
  """Builds SignSGD: 1 bit per compressed parameter up, 32 down.

  The server averages the scaled signs; it does not let clients vote.

  Args:
    model_fn: A no-arg function that returns a
      `tff.learning.models.VariableModel`.
    hyperparameters: A `SignSGD`.
    **kwargs: Keyword arguments of `tff_binary.learning.build_learning_process`.

  Returns:
    A `tff.learning.templates.LearningProcess`.
  """
  return tff_binary.learning.build_learning_process(
      model_fn,
      codec=tff_binary.wire.SignCodec(hyperparameters.fixed_step_size),
      **kwargs,
  )
