# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""EDEN: trained updates rotated at random and rounded to any number of bits."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry


@registry.register(
    'eden',
    title='EDEN',
    source='Vargaftik et al., NeurIPS 2021 and ICML 2022',
    summary=(
        'trained updates randomly rotated, then rounded to any number of bits'
    ),
)
@dataclasses.dataclass(frozen=True)
class EDEN(registry.Hyperparameters):
  """EDEN, with one bit DRIVE: b bits per compressed parameter up, 32 down.

  With `update_code='entropy'` b is the entropy of the codes, any number.
  """

  bits: int = registry.hyperparameter(
      1,
      'bits of an entry of the rotated update with update_code=packed',
      minimum=1,
      maximum=4,
      source='1: DRIVE',
  )
  bits_per_param: float = registry.hyperparameter(
      0.5,
      'entropy of an entry of the rotated update with update_code=entropy, in'
      ' bits',
      minimum=0.01,
      maximum=4.0,
      source='ours',
  )
  scale: str = registry.hyperparameter(
      'unbiased',
      'how the rounded update is scaled: to be right on average over the'
      ' rotations, or as close as possible',
      choices=('unbiased', 'nearest'),
      source='DRIVE; unbiased: EDEN, too',
  )
  update_code: str = registry.hyperparameter(
      'packed',
      'how updates are sent: b bits an entry, rounded to the values of smallest'
      ' error, or rounded to the multiples of a step whose entropy is given, in'
      ' about as many bits. The latter is fast where TensorFlow has XLA, which'
      " the workers of this package have and TFF's own has not",
      choices=('packed', 'entropy'),
      source='EDEN, section 3; entropy: section 4.3',
  )

  def method(self, seed=0):
    if self.update_code == 'packed':
      codec = tff_binary.wire.RotatedCodec(self.bits, self.scale)
    else:
      codec = tff_binary.wire.EntropyCodec(
          tff_binary.wire.RotatedCodec(
              self.bits_per_param, self.scale, quantizer='entropy'
          )
      )
    return tff_binary.learning.Method(codec=codec)


build_eden = registry.get('eden').build
