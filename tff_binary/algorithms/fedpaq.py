# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""FedPAQ: updates rounded to b bits after training."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry


@registry.register(
    'fedpaq',
    title='FedPAQ',
    source='Reisizadeh et al., AISTATS 2020',
    summary='trained updates stochastically rounded to a few bits',
)
@dataclasses.dataclass(frozen=True)
class FedPAQ(registry.Hyperparameters):
  """FedPAQ: b bits per compressed parameter up, 32 down."""

  bits: int = registry.hyperparameter(
      4,
      'bits of an entry of the update; at least 2 for quantizer=qsgd',
      minimum=1,
      maximum=8,
      source='FedBAT, Table 5',
  )
  quantizer: str = registry.hyperparameter(
      'uniform',
      'uniform: multiples of max norm / 2^(bits - 1), clamped; qsgd: a sign and'
      ' a share of the 2-norm',
      choices=('uniform', 'qsgd'),
      source='FedBiF, eq. 1; qsgd: Reisizadeh et al., example 1',
  )

  def __post_init__(self):
    super().__post_init__()
    if self.quantizer == 'qsgd' and self.bits < 2:
      raise ValueError(
          f'bits must be in [2, 8] with quantizer=qsgd, got {self.bits}.'
      )

  def method(self, seed=0):
    return tff_binary.learning.Method(
        codec=tff_binary.wire.QuantizedCodec(self.bits, self.quantizer),
    )


build_fedpaq = registry.get('fedpaq').build
