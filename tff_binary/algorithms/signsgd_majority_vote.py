# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""SignSGD with majority vote: signs of updates up, signs of the model down."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry


@dataclasses.dataclass(frozen=True)
class SignSGDMajorityVote(registry.Hyperparameters):
  """Hyper-parameters of SignSGD with majority vote."""

  HAS_OWN_DOWNLINK = True
  HAS_OWN_SERVER_STEP = True

  fixed_step_size: float = registry.fixed_step_size(
      1e-3, "our choice: SignSGD's of FedBAT, section 4.1"
  )


@registry.register(
    'signsgd_majority_vote',
    title='SignSGD-MV',
    source='Bernstein et al., ICLR 2019',
    summary='clients vote on the sign of every step, 1 bit both ways',
    hyperparameters=SignSGDMajorityVote,
)
def build_signsgd_majority_vote(
    model_fn, *, hyperparameters=SignSGDMajorityVote(), seed=0, **kwargs
):
  """Builds SignSGD with majority vote: 1 bit per compressed parameter each way.

  Each client sends the signs of its trained update, every kernel's entry moves
  by one step to where most of them point, and the vote is what is sent back.
  That is FedBiF's baseline (section 4.1); in Bernstein et al. signs are those
  of gradients. All clients count the same. All other tensors are averaged.

  For this each client keeps a copy of the kernels. One that takes part in every
  round takes 1 bit per parameter from its second round on. One that has missed
  rounds takes the vote of each of them or, in its first round and where that is
  not less, the float32 kernel (our choice).

  Args:
    model_fn: A no-arg function that returns a
      `tff.learning.models.VariableModel`.
    hyperparameters: A `SignSGDMajorityVote`.
    seed: The seed of the run.
    **kwargs: Keyword arguments of `tff_binary.learning.build_learning_process`;
      a `server_optimizer` is refused.

  Returns:
    A `StatefulLearningProcess`.
  """
  distributors, learning = tff_binary.distributors, tff_binary.learning
  step_size = hyperparameters.fixed_step_size
  history = distributors.VoteHistory(step_size)

  def build_weight_layer():
    return tff_binary.layers.SynchronizedCopy(history.apply)

  def build_distributor(weights_type, is_compressed):
    return distributors.build_vote_broadcast(
        weights_type, is_compressed, history
    )

  def build_finalizer(weights_type, mean_type, is_compressed, optimizer):
    return learning.build_majority_vote_finalizer(
        weights_type, mean_type, is_compressed, step_size, seed, optimizer
    )

  return learning.build_learning_process(
      model_fn,
      codec=tff_binary.wire.SignCodec(1.0),
      build_weight_layer=build_weight_layer,
      weighting='uniform',
      build_distributor=build_distributor,
      build_finalizer=build_finalizer,
      seed=seed,
      **kwargs,
  )
