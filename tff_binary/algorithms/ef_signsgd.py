# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""EF-SignSGD: scaled signs, and clients that keep the error, 1 bit up."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry


@registry.register(
    'ef_signsgd',
    title='EF-SignSGD',
    source='Karimireddy et al., ICML 2019',
    summary='scaled signs of trained updates, with error feedback',
)
@dataclasses.dataclass(frozen=True)
class EFSignSGD(registry.Hyperparameters):
  """EF-SignSGD: 1 bit per compressed parameter up, 32 down.

  A client keeps one float32 per compressed parameter between its rounds.
  """

  def method(self, seed=0):
    return tff_binary.learning.Method(
        codec=tff_binary.wire.BinaryCodec(),
        build_weight_layer=tff_binary.layers.ErrorFeedback,
    )


build_ef_signsgd = registry.get('ef_signsgd').build
