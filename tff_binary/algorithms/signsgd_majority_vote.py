# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""SignSGD with majority vote: signs of updates up, signs of the model down."""

import dataclasses
import functools

import tff_binary
from tff_binary.algorithms import registry


@registry.register(
    'signsgd_majority_vote',
    title='SignSGD-MV',
    source='Bernstein et al., ICLR 2019',
    summary='clients vote on the sign of every step, 1 bit both ways',
)
@dataclasses.dataclass(frozen=True)
class SignSGDMajorityVote(registry.Hyperparameters):
  """SignSGD with majority vote: 1 bit per compressed parameter each way.

  Each client sends the signs of its trained update, every kernel's entry moves
  by one step to where most of them point, and the vote is what is sent back.
  That is FedBiF's baseline (section 4.1); in Bernstein et al. signs are those
  of gradients. All clients count the same. All other tensors are averaged.

  For this each client keeps a copy of the kernels. One that takes part in every
  round takes 1 bit per parameter from its second round on. One that has missed
  rounds takes the vote of each of them or, in its first round and where that is
  not less, the float32 kernel (our choice).
  """

  fixed_step_size: float = registry.fixed_step_size(
      1e-3, "our choice: SignSGD's of FedBAT, appendix A.2"
  )

  def method(self, seed=0):
    distributors, layers = tff_binary.distributors, tff_binary.layers
    history = distributors.VoteHistory(self.fixed_step_size)
    return tff_binary.learning.Method(
        codec=tff_binary.wire.SignCodec(1.0),
        build_weight_layer=lambda: layers.SynchronizedKernel(
            layers.TrainedUpdate(self.fixed_step_size),
            history.initial_state,
            history.receive,
        ),
        weighting='uniform',
        build_distributor=functools.partial(
            distributors.build_vote_broadcast, history=history
        ),
        build_finalizer=functools.partial(
            tff_binary.learning.build_majority_vote_finalizer,
            step_size=self.fixed_step_size,
            seed=seed,
        ),
    )


build_signsgd_majority_vote = registry.get('signsgd_majority_vote').build
