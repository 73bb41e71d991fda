# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""HeteroFL: clients train the leading channels, as many as they can."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry

_CODE = 'github.com/diaoenmao/HeteroFL-...-for-Heterogeneous-Clients'
_HALVES = '1, 0.5, 0.25, 0.125, 0.0625'


@registry.register(
    'heterofl',
    title='HeteroFL',
    source='Diao et al., ICLR 2021',
    summary='clients train the leading channels of every hidden layer',
)
@dataclasses.dataclass(frozen=True)
class HeteroFL(registry.Hyperparameters):
  """HeteroFL: a client of rate r has ceil(r C) of C channels.

  It gets, trains and sends about r^2 of the weights. The server's new weight is
  the mean over those that have it. With a rate of 1 for all, all labels at each
  client and `weighting='examples'` it is FedAvg. Without a client of rate 1 the
  trained model is that of the largest rate, and all other weights are 0.
  """

  rates: str = registry.hyperparameter(
      _HALVES,
      'shares of the channels, > 0 and <= 1, separated by commas; a rate may'
      ' be there several times; the trained model is as wide as the largest',
      source=f'section 4; {_CODE}, model_split_rate',
  )
  rate_choice: str = registry.hyperparameter(
      'fixed',
      'client i has always the rate number i, counted round and round, or'
      ' clients draw a rate in each round; a client without an id, a dataset of'
      ' batches, goes by its first batch, and if it is shuffled by another one'
      ' in each round',
      choices=('fixed', 'drawn'),
      source='the paper has both, "fix" and "dynamic"',
  )
  scale: bool = registry.hyperparameter(
      True,
      'divide what a narrow layer puts out by its share of the largest rate',
      source='section 3, the scaler',
  )
  mask_labels: bool = registry.hyperparameter(
      True,
      'take the logits of classes that a client has no example of as 0, and its'
      " weights of the output layer for its own classes' alone",
      source='section 3, the masked cross-entropy',
  )
  weighting: str = registry.hyperparameter(
      'uniform',
      'how much a client counts: as any other, or by its examples',
      choices=('uniform', 'examples'),
      source=_CODE,
  )

  def __post_init__(self):
    super().__post_init__()
    registry.parse_shares('rates', self.rates)

  def method(self, seed=0):
    del seed  # What a client draws depends on the process' seed.
    learning = tff_binary.learning
    rates = registry.parse_shares('rates', self.rates)
    # One model for each, however many clients share it.
    different = sorted(set(rates), reverse=True)
    return learning.Method(
        weighting=self.weighting,
        sub_models=learning.SubModels(
            different,
            learning.RateChooser(
                [different.index(rate) for rate in rates],
                self.rate_choice == 'drawn',
            ),
            scales=self.scale,
            masks_labels=self.mask_labels,
        ),
    )


build_heterofl = registry.get('heterofl').build
