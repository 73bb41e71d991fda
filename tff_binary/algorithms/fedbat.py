# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""FedBAT: clients learn binary updates and their step sizes, 1 bit up."""

import dataclasses
import functools

import tff_binary
from tff_binary.algorithms import registry

_CODE = 'github.com/Leopold1423/fedbat-icml24, model/bat.py'


@registry.register(
    'fedbat',
    title='FedBAT',
    source='Li et al., ICML 2024',
    summary='binary updates and step sizes learned during local training',
)
@dataclasses.dataclass(frozen=True)
class FedBAT(registry.Hyperparameters):
  """FedBAT: 1 bit per compressed parameter up, 32 down."""

  rho: float = registry.hyperparameter(
      6.0,
      'pace at which a step size is learned; 0 keeps it at its initial value',
      minimum=0.0,
      maximum=100.0,
      source='eq. 10; Table 2: 4 to 8 are good',
  )
  warmup_ratio: float = registry.hyperparameter(
      0.5,
      'share phi of the local steps that train in full precision first',
      minimum=0.0,
      maximum=1.0,
      source='Algorithm 1; Table 3',
  )
  step_size: str = registry.hyperparameter(
      'learned',
      'learned, or max_norm: the largest absolute update, at every step',
      choices=('learned', 'max_norm'),
      source='eq. 10; max_norm: section 4',
  )
  step_scale: float = registry.hyperparameter(
      1.0,
      'first step size of learned ones, in mean absolute updates',
      minimum=1e-3,
      maximum=1e3,
      source='eq. 13: 1; another one: ours',
  )
  clamp_step_size: bool = registry.hyperparameter(
      True,
      'keep learned step sizes inside [min_step_size, max_step_size]',
      source=_CODE,
  )
  min_step_size: float = registry.hyperparameter(
      5e-4,
      'lower end of the clamp, in units of a weight',
      minimum=1e-8,
      maximum=1.0,
      source=_CODE,
  )
  max_step_size: float = registry.hyperparameter(
      5e-2,
      'upper end of the clamp, in units of a weight',
      minimum=1e-8,
      maximum=1.0,
      source=_CODE,
  )

  def __post_init__(self):
    super().__post_init__()
    if self.min_step_size > self.max_step_size:
      raise ValueError(
          'min_step_size must be at most max_step_size, got'
          f' {self.min_step_size} > {self.max_step_size}.'
      )

  def method(self, seed=0):
    return tff_binary.learning.Method(
        codec=tff_binary.wire.BinaryCodec(),
        build_weight_layer=functools.partial(
            tff_binary.layers.LearnableBinarization,
            **dataclasses.asdict(self),
        ),
    )


build_fedbat = registry.get('fedbat').build
