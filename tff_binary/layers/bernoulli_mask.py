# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""A random mask of frozen random weights, in place of a trained kernel."""

import collections

import tensorflow as tf

from tff_binary.layers import weight_layer
from tff_binary.ops import losses
from tff_binary.ops import masks
from tff_binary.ops import seeds


class BernoulliMask(weight_layer.WeightLayer):
  """Trains the scores of a mask and computes with `weights * mask`.

  The server's tensor is theta, the probability that an entry of the mask is 1;
  the client's scores start at its logit. Every forward pass draws a mask with
  the probabilities `sigmoid(scores)`. The weights are made anew from a seed,
  wherever they are needed, and never sent; they do not depend on client or
  round. The client sends one more draw of the mask, as -1 for 0 and +1 for 1.

  Source: FedPM (Isik et al., ICLR 2023), Algorithm 1.

  Attributes:
    scores: A trainable variable of the kernel's shape.
  """

  def __init__(
      self,
      draw_weights,
      max_logit,
      draw_mask=masks.straight_through_draw,
      loss_fn=None,
      **kwargs,
  ):
    """Initializes the layer.

    Args:
      draw_weights: A TensorFlow function from the kernel's shape to the frozen
        weights, see `ops.masks.frozen_weights`; always the same.
      max_logit: The largest absolute score that the client starts from, a
        positive float.
      draw_mask: How a forward pass draws, and is differentiated: a function of
        `ops.masks`.
      loss_fn: A TensorFlow function from the scores to a scalar that is added
        to the loss which the client minimizes, though not to the one that it
        reports; None for nothing.
      **kwargs: Keyword arguments of `tf.keras.layers.Layer`.
    """
    # Scores stay in float32 under mixed precision.
    super().__init__(dtype='float32', **kwargs)
    self._draw_weights = draw_weights
    self._max_logit = max_logit
    self._draw_mask = draw_mask
    self._loss_fn = loss_fn

  def build(self, kernel_shape):
    self.scores = self.add_weight('scores', kernel_shape, initializer='zeros')
    self._frozen = self.add_weight(
        'frozen', kernel_shape, initializer='zeros', trainable=False
    )
    super().build(kernel_shape)

  def receive(self, kernel, state, round_num, seed):
    del state, round_num, seed
    self.scores.assign(masks.logit(kernel, self._max_logit))
    self._frozen.assign(self._draw_weights(kernel.shape))

  def call(self, kernel, seed):
    scores = self.scores.read_value()
    if self._loss_fn is not None:
      scores = losses.add_loss(scores, self._loss_fn)
    noise = seeds.uniform(scores.shape, seed)
    return self._frozen * self._draw_mask(scores, noise)

  def update(self, kernel, seed):
    noise = seeds.uniform(self.scores.shape, seed)
    return 2.0 * masks.draw(tf.sigmoid(self.scores), noise) - 1.0

  def uncompressed_update(self, kernel):
    return 2.0 * tf.sigmoid(self.scores) - 1.0  # The mean of the draws.

  def measurements(self):
    size = tf.size(self.scores, tf.float32)
    mean = lambda x: tf.math.divide_no_nan(tf.reduce_sum(x), size)
    return collections.OrderedDict(
        mask_density=mean(tf.sigmoid(self.scores)),
        mask_entropy=mean(masks.entropy(self.scores)),
    )
