# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""FedBiF: clients train some bits of each weight, A bits up and B down."""

import dataclasses
import functools

import tff_binary
from tff_binary.algorithms import registry

_LATER_CODE = 'a copy of later code, by a third party'


@registry.register(
    'fedbif',
    title='FedBiF',
    source='Li et al., IEEE TPDS 2025 (arXiv 2509.10161)',
    summary='trains some bits of 4-bit weights and freezes the others',
)
@dataclasses.dataclass(frozen=True)
class FedBiF(registry.Hyperparameters):
  """FedBiF: A bits per compressed parameter up, B bits down.

  A weight can never become larger than the largest one of its kernel: initial
  weights must not be small.
  """

  bits: int = registry.hyperparameter(
      4,
      'bits B of a code, which is what a weight takes on its way down',
      minimum=2,
      maximum=8,
      source='section 4.1',
  )
  active_bits: int = registry.hyperparameter(
      1,
      'bits A of a code that are trained in a round and sent, at most B',
      minimum=1,
      maximum=8,
      source='section 4.1',
  )
  selector: str = registry.hyperparameter(
      'round_robin',
      'which bits are trained: blocks of A in turn, most significant first;'
      ' always fixed_bit and those below it; random ones; ruler, every block'
      ' twice as often as the next',
      choices=('round_robin', 'fixed', 'random', 'ruler'),
      source='section 3.2; section 4.3; ruler: this package',
  )
  fixed_bit: int = registry.hyperparameter(
      2,
      'of selector=fixed: the highest trained bit, counted from the least'
      ' significant, 0; the third bit of the paper is 2, or B - 3 from the top',
      minimum=0,
      maximum=7,
      source='section 4.3',
  )
  inherit: bool = registry.hyperparameter(
      True,
      'keep the magnitudes of virtual bits from round to round',
      source='section 3.2',
  )
  gradient: str = registry.hyperparameter(
      'identity',
      'derivative of a weight by its virtual bit i: identity, 1, with which'
      ' bits flip often enough to keep up with FedAvg; chain, alpha 2^i',
      choices=('identity', 'chain'),
      source=f'identity: {_LATER_CODE}; chain: section 3.1, literally',
  )
  magnitudes: str = registry.hyperparameter(
      'kaiming',
      'new magnitudes of virtual bits: |N(0, 2 / fan_in)|, or uniform in'
      ' [0, 0.001 2^i) for bit i',
      choices=('kaiming', 'uniform'),
      source=f'section 3.2; uniform: {_LATER_CODE}',
  )
  sign_bit: bool = registry.hyperparameter(
      False,
      'make the most significant bit a sign; with active_bits=1 only',
      source='section 4.3',
  )
  learn_step_size: bool = registry.hyperparameter(
      False,
      'train step sizes too and send one for each kernel; without it they are'
      ' those of the server',
      source='section 6; Esser et al., ICLR 2020',
  )
  weighting: str = registry.hyperparameter(
      'uniform',
      'how much a client counts: as any other, or by its examples',
      choices=('uniform', 'examples'),
      source='eq. 6',
  )

  def __post_init__(self):
    super().__post_init__()
    if self.active_bits > self.bits:
      raise ValueError(
          f'active_bits must be at most bits, got {self.active_bits} >'
          f' {self.bits}.'
      )
    if self.sign_bit and self.active_bits > 1:
      raise ValueError(
          'active_bits must be 1 with sign_bit, since a weight is not linear in'
          f' its sign and other bits together, got {self.active_bits}.'
      )
    if self.selector == 'fixed' and not (
        self.active_bits - 1 <= self.fixed_bit < self.bits
    ):
      raise ValueError(
          f'fixed_bit must be in [{self.active_bits - 1}, {self.bits - 1}] with'
          f' {self.active_bits} active of {self.bits} bits, got'
          f' {self.fixed_bit}.'
      )

  def _selector(self, seed):
    selectors = tff_binary.learning.bit_selectors
    if self.selector == 'fixed':
      return selectors.fixed(self.fixed_bit, self.active_bits)
    if self.selector == 'random':
      return selectors.random(self.bits, self.active_bits, seed)
    build = getattr(selectors, self.selector)
    return build(self.bits, self.active_bits)

  def method(self, seed=0):
    distributors, learning = tff_binary.distributors, tff_binary.learning
    select = self._selector(seed)
    quantizer = distributors.KernelQuantizer(self.bits, seed, self.sign_bit)

    def build_weight_layer():
      return tff_binary.layers.BitFreezing(
          self.bits,
          self.active_bits,
          select,
          inherit=self.inherit,
          gradient=self.gradient,
          magnitudes=self.magnitudes,
          has_sign_bit=self.sign_bit,
          learn_step_size=self.learn_step_size,
      )

    return learning.Method(
        codec=tff_binary.wire.SignPlanesCodec(
            trim=self.bits % self.active_bits > 0
        ),
        build_weight_layer=build_weight_layer,
        weighting=self.weighting,
        build_distributor=functools.partial(
            distributors.build_packed_broadcast,
            quantizer=quantizer,
            dequantize=False,
        ),
        build_finalizer=functools.partial(
            learning.build_bit_freezing_finalizer,
            quantizer=quantizer,
            select=select,
        ),
    )


build_fedbif = registry.get('fedbif').build
