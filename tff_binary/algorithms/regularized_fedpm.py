# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Regularized FedPM: FedPM whose clients prefer masks of little entropy."""

import dataclasses
import functools

import tff_binary
from tff_binary.algorithms import fedpm
from tff_binary.algorithms import registry


@registry.register(
    'regularized_fedpm',
    title='Regularized FedPM',
    source='arXiv 2309.10834',
    summary="adds a proxy of the masks' entropy to the loss, for sparse masks",
)
@dataclasses.dataclass(frozen=True)
class RegularizedFedPM(fedpm.FedPM):
  """Regularized FedPM: FedPM with `loss + lambda * proxy / n`.

  The proxy is summed over the n mask entries of the model. Of the paper only
  the abstract was at hand, which does not say what the proxy is but that it
  stands for the entropy of the transmitted masks and makes them sparser. There
  are two readings of it. Without weight it is FedPM.
  """

  entropy_weight: float = registry.hyperparameter(
      1.0,
      "lambda, the weight of the proxy's mean over the mask's entries",
      minimum=0.0,
      maximum=1e6,
      source='our choice',
  )
  entropy_proxy: str = registry.hyperparameter(
      'probability',
      'of an entry of the mask: the probability that it is 1, which makes masks'
      ' sparse, or its entropy in bits, which makes them certain',
      choices=('probability', 'entropy'),
      source='our reading of the abstract',
  )

  def mask_loss(self, num_entries):
    return functools.partial(
        tff_binary.ops.masks.mean_loss,
        measure=self.entropy_proxy,
        weight=self.entropy_weight,
        num_entries=num_entries,
    )


build_regularized_fedpm = registry.get('regularized_fedpm').build
