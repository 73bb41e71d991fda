# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""FedMRN: clients learn masks of random noise, 1 bit up."""

import dataclasses
import functools

import tff_binary
from tff_binary.algorithms import registry

_CODE = 'github.com/Leopold1423/fedmrn-mm24'


@registry.register(
    'fedmrn',
    title='FedMRN',
    source='Li et al., ACM MM 2024',
    summary='learns masks of random noise that follows from a seed',
)
@dataclasses.dataclass(frozen=True)
class FedMRN(registry.Hyperparameters):
  """FedMRN: 1 bit per compressed parameter and a seed up, 32 bits down.

  An entry changes by no more than its noise in a round.
  """

  mask: str = registry.hyperparameter(
      'binary',
      'binary: noise or nothing; signed (FedMRNS): noise or its negative',
      choices=('binary', 'signed'),
      source=f'{_CODE}, run/*.2*.sh; signed: run/*.3*.sh',
  )
  noise: str = registry.hyperparameter(
      'uniform',
      'distribution of the noise: uniform in [-magnitude, magnitude), gaussian'
      ' with this deviation, or bernoulli, -magnitude or magnitude',
      choices=('uniform', 'gaussian', 'bernoulli'),
      source=f'{_CODE}, run/*.sh',
  )
  noise_magnitude: float = registry.hyperparameter(
      0.01,
      'magnitude of the noise, in units of a weight',
      minimum=1e-6,
      maximum=1e6,
      source=f'{_CODE}, run/*.2*.sh; signed: 0.005, run/*.3*.sh',
  )
  progressive: bool = registry.hyperparameter(
      True,
      'mask an entry in step s of tau with chance s / tau only, and clip it'
      ' otherwise',
      source=f'{_CODE}, train/trainer.py',
  )

  def method(self, seed=0):
    wire, learning = tff_binary.wire, tff_binary.learning
    return learning.Method(
        codec=wire.MaskedNoiseCodec(
            self.mask, self.noise, self.noise_magnitude
        ),
        build_weight_layer=functools.partial(
            tff_binary.layers.MaskedNoise,
            self.mask,
            self.noise,
            self.noise_magnitude,
            self.progressive,
        ),
        build_finalizer=learning.build_masked_noise_finalizer,
    )


build_fedmrn = registry.get('fedmrn').build
