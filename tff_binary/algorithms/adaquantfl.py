# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""AdaQuantFL: more levels as the training loss falls."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry


@registry.register(
    'adaquantfl',
    title='AdaQuantFL',
    source='Jhunjhunwala et al., ICASSP 2021',
    summary='trained updates rounded to ever more levels as the loss falls',
)
@dataclasses.dataclass(frozen=True)
class AdaQuantFL(registry.Hyperparameters):
  """AdaQuantFL: 1 + ceil(log2(s_t + 1)) bits per parameter up, 32 down.

  The paper's F is the loss of all clients; here it is that of the round's, as
  in DAdaQuant.
  """

  initial_levels: int = registry.hyperparameter(
      2,
      's_0: s_t = ceil(s_0 * sqrt(F(w_0) / F(w_t))) levels and a sign in round'
      ' t, F being the training loss of the received model',
      minimum=1,
      maximum=32767,
      source='Jhunjhunwala et al.',
  )
  max_levels: int = registry.hyperparameter(
      32767,
      'the most levels; at least initial_levels',
      minimum=1,
      maximum=32767,
      source='our choice: codes of 16 bits',
  )
  level_phases: int = registry.level_phases()

  def __post_init__(self):
    super().__post_init__()
    if self.max_levels < self.initial_levels:
      raise ValueError(
          f'max_levels must be >= initial_levels = {self.initial_levels}, got'
          f' {self.max_levels}.'
      )

  def method(self, seed=0):
    return tff_binary.learning.Method(
        codec=tff_binary.wire.QSGDCodec(norm='l2', coding='fixed'),
        level_schedule=tff_binary.aggregators.LossRatio(
            self.initial_levels, self.max_levels
        ),
        level_phases=self.level_phases,
    )


build_adaquantfl = registry.get('adaquantfl').build
