# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Moves every weight by one step, to where most clients want it."""

from collections.abc import Sequence
from typing import Optional

import tensorflow_federated as tff

from tff_binary.learning import finalizers
from tff_binary.ops import seeds
from tff_binary.ops import signs


def build_majority_vote_finalizer(
    weights_type: tff.Type,
    mean_type: tff.Type,
    is_compressed: Sequence[bool],
    step_size: float,
    seed: int = 0,
    server_optimizer: Optional[tff.learning.optimizers.Optimizer] = None,
) -> tff.learning.templates.FinalizerProcess:
  """Builds the finalizer that adds `step_size * sign(mean of signs)`.

  Source: signSGD with majority vote (Bernstein et al., ICLR 2019), Algorithm 1.
  A tie is broken at random, for each entry by itself (our choice).

  The means of all other tensors are added.

  Args:
    weights_type: A `tff.Type` of `tff.learning.models.ModelWeights`.
    mean_type: The type of the aggregate `<trainable, non_trainable>`: for a
      compressed tensor the mean of the clients' signs.
    is_compressed: One bool for each trainable tensor: whether it is voted on.
    step_size: By how much a vote moves an entry, a positive float.
    seed: The seed of the run.
    server_optimizer: None; the step is the method's own.

  Returns:
    A `tff.learning.templates.FinalizerProcess`, see
    `build_decoding_finalizer`.

  Raises:
    ValueError: If there is a server optimizer.
  """
  if server_optimizer is not None:
    raise ValueError(
        'server_optimizer must be None with a majority vote, which takes steps'
        f' of a fixed size, got {server_optimizer!r}.'
    )

  def decode(round_num, weights, mean):
    round_seed = seeds.fold_in([seed, seeds.SERVER_DRAWS], round_num)
    update = []
    for i, (x, c) in enumerate(zip(mean['trainable'], is_compressed)):
      if c:
        noise = seeds.uniform(x.shape, seeds.fold_in(round_seed, i))
        x = step_size * signs.majority(x, noise)
      update.append(x)
    return weights.trainable, update

  return finalizers.build_decoding_finalizer(weights_type, mean_type, decode)
