# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Moves every weight by one step, to where most clients want it."""

import tensorflow_federated as tff

from tff_binary.distributors import model_tensors
from tff_binary.learning import finalizers
from tff_binary.ops import seeds
from tff_binary.ops import signs


def build_majority_vote_finalizer(
    tensors: model_tensors.ModelTensors,
    mean_type: tff.Type,
    step_size: float,
    seed: int = 0,
) -> tff.learning.templates.FinalizerProcess:
  """Builds the finalizer that adds `step_size * sign(mean of signs)`.

  Source: signSGD with majority vote (Bernstein et al., ICLR 2019), Algorithm 1.
  A tie is broken at random, for each entry by itself (our choice).

  The means of all other tensors are added. There is no server optimizer: the
  step is the method's own.

  Args:
    tensors: The model's tensors, of which the compressed ones are voted on.
    mean_type: The type of the aggregate `<trainable, non_trainable>`: for a
      compressed tensor the mean of the clients' signs.
    step_size: By how much a vote moves an entry, a positive float.
    seed: The seed of the run.

  Returns:
    A `tff.learning.templates.FinalizerProcess`, see
    `build_decoding_finalizer`.
  """

  def decode(round_num, weights, mean):
    round_seed = seeds.fold_in([seed, seeds.SERVER_DRAWS], round_num)
    update = []
    for i, (x, c) in enumerate(zip(mean['trainable'], tensors.is_compressed)):
      if c:
        noise = seeds.uniform(x.shape, seeds.fold_in(round_seed, i))
        x = step_size * signs.majority(x, noise)
      update.append(x)
    return weights.trainable, update

  return finalizers.build_decoding_finalizer(tensors, mean_type, decode)
