# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""DAdaQuant: more levels on plateaus of the loss and for heavier clients."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry


@registry.register(
    'dadaquant',
    title='DAdaQuant',
    source='Hönig et al., ICML 2022',
    summary=(
        'trained updates with levels that double on plateaus, more of them from'
        ' clients with more data'
    ),
)
@dataclasses.dataclass(frozen=True)
class DAdaQuant(registry.Hyperparameters):
  """DAdaQuant: a few bits per compressed parameter up, 32 down."""

  min_levels: int = registry.hyperparameter(
      1,
      'q_min: the levels, and a sign, of the first rounds',
      minimum=1,
      maximum=32767,
      source='Hönig et al.',
  )
  max_levels: int = registry.hyperparameter(
      7,
      'q_max: the most levels of a round; at least min_levels',
      minimum=1,
      maximum=32767,
      source='our choice: 4 bits, as FedPAQ in FedBiF, Table 1',
  )
  patience: int = registry.hyperparameter(
      10,
      'phi: rounds after which levels may double, if the loss has not fallen'
      ' over as many',
      minimum=1,
      source='Hönig et al.: a tenth of the rounds',
  )
  smoothing: float = registry.hyperparameter(
      0.9,
      "psi: the share of the former rounds in the loss' moving average",
      minimum=0.0,
      maximum=0.9999,
      source='Hönig et al.',
  )
  norm: str = registry.hyperparameter(
      'max',
      "levels are shares of each kernel's largest entry (max) or of the whole"
      " update's 2-norm (l2)",
      choices=('max', 'l2'),
      source='our choice: FedBiF reports 3.0 to 3.4 bits; l2: Hönig et al.',
  )
  coding: str = registry.hyperparameter(
      'elias',
      'elias: run lengths of zeros and Elias omega codes; fixed: codes of'
      ' 1 + ceil(log2(q + 1)) bits',
      choices=('elias', 'fixed'),
      source='Hönig et al.',
  )

  level_phases: int = registry.level_phases()

  def __post_init__(self):
    super().__post_init__()
    if self.max_levels < self.min_levels:
      raise ValueError(
          f'max_levels must be >= min_levels = {self.min_levels}, got'
          f' {self.max_levels}.'
      )

  def method(self, seed=0):
    return tff_binary.learning.Method(
        codec=tff_binary.wire.QSGDCodec(
            norm=self.norm, coding=self.coding, is_joint=self.norm == 'l2'
        ),
        level_schedule=tff_binary.aggregators.Plateau(
            self.min_levels, self.max_levels, self.patience, self.smoothing
        ),
        levels_by_weight=True,
        level_phases=self.level_phases,
    )


build_dadaquant = registry.get('dadaquant').build
