# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""BiFL-Full: clients train binary networks and send their real weights."""

import dataclasses

import tff_binary
from tff_binary.algorithms import bifl
from tff_binary.algorithms import registry


@registry.register(
    'bifl_full',
    title='BiFL-Full',
    source='Yang et al., 2021',
    summary='trains binary networks and averages their real weights',
)
@dataclasses.dataclass(frozen=True)
class BiFLFull(bifl.BiFL):
  """BiFL-Full: 32 bits per parameter both ways."""

  def method(self, seed=0):
    return tff_binary.learning.Method(
        codec=tff_binary.wire.Float32Codec(),
        build_weight_layer=lambda: tff_binary.layers.BinaryKernel(
            sends_signs=False
        ),
        **self.shared_parts(),
    )


build_bifl_full = registry.get('bifl_full').build
