# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""SplitMix: clients train as many narrow base models as they can."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry

_CODE = 'github.com/illidanlab/SplitMix'


@registry.register(
    'splitmix',
    title='SplitMix',
    source='Hong et al., ICLR 2022',
    summary='clients train some of the narrow models whose mean is the model',
)
@dataclasses.dataclass(frozen=True)
class SplitMix(registry.Hyperparameters):
  """SplitMix: m base models of a = 1 / m of the channels, and their ensemble.

  A client of budget R gets, trains and sends R m of them, which is about R / m
  of the weights. The model is the mean of all bases' logits: the user's Keras
  model with their weights on the diagonals. With one base it is FedAvg.
  """

  num_bases: int = registry.hyperparameter(
      8,
      'm, the number of base models, each with 1 / m of the channels, rounded'
      ' down',
      minimum=1,
      maximum=64,
      source=f'section 5; {_CODE}, atom_slim_ratio: 1 / 8',
  )
  budgets: str = registry.hyperparameter(
      '0.125, 0.25, 0.5, 1',
      'shares of the base models that a client trains, > 0 and <= 1, separated'
      ' by commas; client i has always the budget number i, counted round and'
      ' round, and at least one base',
      source=f'section 5; {_CODE}, slim_ratios',
  )
  scale: bool = registry.hyperparameter(
      True,
      'multiply what a hidden layer of a base puts out by m',
      source=f'{_CODE}, rescale_layer',
  )
  weighting: str = registry.hyperparameter(
      'examples',
      'how much a client counts: as any other, or by its examples',
      choices=('uniform', 'examples'),
      source=_CODE,
  )

  def __post_init__(self):
    super().__post_init__()
    registry.parse_shares('budgets', self.budgets)

  def method(self, seed=0):
    learning = tff_binary.learning
    sampler = learning.BaseSampler(
        self.num_bases,
        [
            max(1, int(budget * self.num_bases + 1e-6))
            for budget in registry.parse_shares('budgets', self.budgets)
        ],
        seed,
    )
    return learning.Method(
        weighting=self.weighting,
        sub_models=learning.SubModels(
            [1.0 / self.num_bases],
            sampler,
            max_models=sampler.max_count,
            num_blocks=self.num_bases,
            in_turn=True,
            scales=self.scale,
        ),
    )


build_splitmix = registry.get('splitmix').build
