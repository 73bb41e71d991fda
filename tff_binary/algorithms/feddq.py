# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""FedDQ: fewer bits as updates shrink."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry


@registry.register(
    'feddq',
    title='FedDQ',
    source='Qu et al., 2021',
    summary=(
        'trained updates rounded at a fixed resolution, with ever fewer bits'
    ),
)
@dataclasses.dataclass(frozen=True)
class FedDQ(registry.Hyperparameters):
  """FedDQ: a few bits per compressed parameter up, 32 down."""

  resolution: float = registry.hyperparameter(
      0.005,
      'b = ceil(log2(range / resolution)) bits for a tensor, in units of a'
      ' weight; b is kept in [1, 16]',
      minimum=1e-8,
      maximum=10.0,
      source='github.com/lqu-001/FedDQ, fashion_mnist',
  )

  def method(self, seed=0):
    return tff_binary.learning.Method(
        codec=tff_binary.wire.RangeCodec(self.resolution),
    )


build_feddq = registry.get('feddq').build
