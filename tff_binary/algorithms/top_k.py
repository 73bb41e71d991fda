# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Top-k: the largest entries of updates; clients keep the rest."""

import dataclasses
import functools

import tff_binary
from tff_binary.algorithms import registry


@registry.register(
    'top_k',
    title='Top-k',
    source='Stich et al., NeurIPS 2018',
    summary='the largest entries of trained updates, with error feedback',
)
@dataclasses.dataclass(frozen=True)
class TopK(registry.Hyperparameters):
  """Top-k: a float32 and a coded position for one entry in a hundred up.

  With error feedback a client keeps one float32 per compressed parameter
  between its rounds.
  """

  ratio: float = registry.hyperparameter(
      0.01,
      'share of the entries of a kernel that are sent, at least one',
      minimum=1e-6,
      maximum=1.0,
      source='Aji and Heafield, EMNLP 2017',
  )
  error_feedback: bool = registry.hyperparameter(
      True,
      'add what was not sent to the update of the next round',
      source='Stich et al., Algorithm 1',
  )

  def method(self, seed=0):
    sparsity = tff_binary.ops.sparsity

    def compress(update):
      k = sparsity.num_largest(self.ratio, update.shape.num_elements())
      return sparsity.keep_first_largest(update, k)

    layer = None
    if self.error_feedback:
      layer = functools.partial(tff_binary.layers.ErrorFeedback, compress)
    return tff_binary.learning.Method(
        codec=tff_binary.wire.SparseCodec(self.ratio), build_weight_layer=layer
    )


build_top_k = registry.get('top_k').build
