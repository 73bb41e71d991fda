# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""EDEN: trained updates rotated at random and rounded to a bit or a few."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry


@registry.register(
    'eden',
    title='EDEN',
    source='Vargaftik et al., NeurIPS 2021 and ICML 2022',
    summary='trained updates randomly rotated, then rounded to a bit or a few',
)
@dataclasses.dataclass(frozen=True)
class EDEN(registry.Hyperparameters):
  """EDEN, with one bit DRIVE: b bits per compressed parameter up, 32 down."""

  bits: int = registry.hyperparameter(
      1,
      'bits of an entry of the rotated update',
      minimum=1,
      maximum=4,
      source='1: DRIVE',
  )
  scale: str = registry.hyperparameter(
      'unbiased',
      'how the rounded update is scaled: to be right on average over the'
      ' rotations, or as close as possible',
      choices=('unbiased', 'nearest'),
      source='DRIVE; unbiased: EDEN, too',
  )

  def method(self, seed=0):
    return tff_binary.learning.Method(
        codec=tff_binary.wire.RotatedCodec(self.bits, self.scale),
    )


build_eden = registry.get('eden').build
