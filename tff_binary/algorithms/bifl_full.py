# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""BiFL-Full: clients train binary networks and send their real weights."""

import dataclasses

import tff_binary
from tff_binary.algorithms import bifl
from tff_binary.algorithms import registry


@dataclasses.dataclass(frozen=True)
class BiFLFull(bifl.BiFL):
  """Hyper-parameters of BiFL-Full, those of BiFL."""


@registry.register(
    'bifl_full',
    title='BiFL-Full',
    source='Yang et al., 2021',
    summary='trains binary networks and averages their real weights',
    hyperparameters=BiFLFull,
)
def build_bifl_full(model_fn, *, hyperparameters=BiFLFull(), **kwargs):
  """Builds BiFL-Full: 32 bits per parameter both ways.

  Args:
    model_fn: A no-arg function that returns a
      `tff.learning.models.VariableModel`.
    hyperparameters: A `BiFLFull`.
    **kwargs: Keyword arguments of `tff_binary.learning.build_learning_process`.

  Returns:
    A `tff.learning.templates.LearningProcess`.
  """
  return tff_binary.learning.build_learning_process(
      model_fn,
      codec=tff_binary.wire.Float32Codec(),
      build_weight_layer=lambda: tff_binary.layers.BinaryKernel(
          sends_signs=False
      ),
      **bifl.process_options(hyperparameters),
      **kwargs,
  )
