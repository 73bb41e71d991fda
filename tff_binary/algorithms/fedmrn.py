# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""FedMRN: clients learn masks of random noise, 1 bit up."""

import dataclasses
import functools

import tensorflow as tf

import tff_binary
from tff_binary.algorithms import registry
from tff_binary.ops import masked_noise

_CODE = 'github.com/Leopold1423/fedmrn-mm24, run/'


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
      choices=masked_noise.MASKS,
      source='section 3; signed with half the magnitude',
  )
  noise: str = registry.hyperparameter(
      'uniform',
      'distribution of the noise: uniform in [-magnitude, magnitude), gaussian'
      ' with this deviation, or bernoulli, -magnitude or magnitude',
      choices=masked_noise.DISTRIBUTIONS,
      source=f'{_CODE}*.sh',
  )
  noise_magnitude: float = registry.hyperparameter(
      0.01,
      'magnitude of the noise, in units of a weight',
      minimum=1e-6,
      maximum=1e6,
      source=f'{_CODE}*.sh; 0.005 with mask=signed',
  )
  progressive: bool = registry.hyperparameter(
      True,
      'mask an entry in step s of tau with chance s / tau only, and clip it'
      ' otherwise',
      source='section 3, progressive stochastic masking',
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
        build_finalizer=_build_finalizer,
    )


def _build_finalizer(tensors, aggregate_type, server_optimizer=None):
  """Builds the finalizer of updates that are followed by words of seeds."""

  def decode(round_num, weights, aggregate):
    del round_num  # All rounds are alike.
    update = [
        tf.reshape(x[: w.shape.num_elements()], w.shape) if c else x
        for x, w, c in zip(
            aggregate['trainable'], weights.trainable, tensors.is_compressed
        )
    ]
    return weights.trainable, update

  return tff_binary.learning.finalizers.build_decoding_finalizer(
      tensors, aggregate_type, decode, server_optimizer
  )


build_fedmrn = registry.get('fedmrn').build
