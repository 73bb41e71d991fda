# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The probabilities of mask entries, from the masks of clients."""

import tensorflow as tf
import tensorflow_federated as tff

from tff_binary.distributors import model_tensors
from tff_binary.learning import finalizers


def build_beta_finalizer(
    tensors: model_tensors.ModelTensors,
    mean_type: tff.Type,
    prior: float = 0.0,
    reset_every: int = 1,
    mask_margin: float = 0.0,
) -> tff.learning.templates.FinalizerProcess:
  """Builds FedPM's Bayesian aggregation of masks.

  An entry of a mask is a Bernoulli variable whose probability theta has a Beta
  prior. The server's new tensor is the mode of the posterior,

    theta = (prior + sum of m_r) / (2 prior + R),

  where m_r is the mean of the clients' masks in round r and the sum runs over
  the R rounds since the prior was last reset, which happens every `reset_every`
  rounds. With the defaults theta is the mean mask of the round.

  Source: Isik et al., ICLR 2023, Algorithm 2, whose alpha and beta count masks:
  with K clients in every round its `lambda_0` is `1 + K prior`. Here rounds
  count the same, whatever their number of clients. A round without any usable
  client leaves theta as it is, and counts as one that has confirmed it.

  All other tensors of the aggregate are updates, which are added. There is no
  server optimizer, with which theta would not stay in `[0, 1]`.

  Args:
    tensors: The model's tensors; compressed are those that are masked.
    mean_type: The type of the aggregate `<trainable, non_trainable>`: for a
      compressed tensor the mean of the clients' masks, whose entries are -1 for
      0 and +1 for 1.
    prior: The weight of the prior, whose mode is 1/2: it counts as so many
      rounds of ones and as many of zeros. A float >= 0; 0 is Beta(1, 1).
    reset_every: An int >= 1, in rounds.
    mask_margin: What 0 is raised by and 1 lowered by before they are summed, a
      float in `[0, 0.5)`; the paper's code has 0.01.

  Returns:
    A `tff.learning.templates.FinalizerProcess`, see
    `build_decoding_finalizer`.
  """

  def decode(round_num, weights, mean):
    num_rounds = round_num % reset_every + 1
    total = 2.0 * prior + tf.cast(num_rounds, tf.float32)
    trainable, update = [], []
    for theta, x, c in zip(
        weights.trainable, mean['trainable'], tensors.is_compressed
    ):
      if c:
        x = 0.5 + (0.5 - mask_margin) * x
        # A running mean needs no other state than theta itself.
        last = tf.where(num_rounds > 1, theta, 0.5 * tf.ones_like(theta))
        x = last + (x - last) / total
        theta = tf.zeros_like(theta)  # 0 + x is exact.
      trainable.append(theta)
      update.append(x)
    return trainable, update

  return finalizers.build_decoding_finalizer(tensors, mean_type, decode)
