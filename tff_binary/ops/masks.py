# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Random binary masks of frozen random weights, and their entropy.

A mask entry is a Bernoulli variable; its score is the logit of the probability
that it is 1.

Sources: FedPM (Isik et al., "Sparse Random Networks for Communication-Efficient
Federated Learning", ICLR 2023) and its code, github.com/BerivanIsik/
sparse-random-networks; the entropy as a regularizer: arXiv 2309.10834, whose
abstract alone was at hand.
"""

import math

import tensorflow as tf

from tff_binary.ops import seeds


def frozen_weights(shape, distribution, seed):
  """Draws weights that are never trained.

  With a fan-in f, the product of all dimensions but the last (of a vector, its
  length), they are `'signed_kaiming'`: `-c` or `c`, equally likely, with `c =
  sqrt(2 / f)`; `'signed_e'`: the same with `c = e / sqrt(f)`, as in FedPM's
  code; `'kaiming_normal'`: N(0, 2 / f); `'kaiming_uniform'`: uniform in
  `[-sqrt(6 / f), sqrt(6 / f))`.

  Args:
    shape: A static shape.
    distribution: One of these names.
    seed: An int32 tensor of shape `[2]`.

  Returns:
    A float32 tensor of that shape, a function of the arguments alone.
  """
  shape = tf.TensorShape(shape)
  fan_in = shape[:-1].num_elements() if shape.rank > 1 else shape.num_elements()
  scale = 1.0 / math.sqrt(max(fan_in, 1))
  if distribution == 'kaiming_normal':
    return math.sqrt(2.0) * scale * seeds.normal(shape, seed)
  noise = seeds.uniform(shape, seed)
  if distribution == 'kaiming_uniform':
    return math.sqrt(6.0) * scale * (2.0 * noise - 1.0)
  scale *= math.e if distribution == 'signed_e' else math.sqrt(2.0)
  return tf.where(noise < 0.5, -scale, scale)


def frozen_weights_of_run(shape, distribution, seed, index):
  """Returns the frozen weights of one of a model's tensors.

  Args:
    shape: See `frozen_weights`.
    distribution: See `frozen_weights`.
    seed: The seed of the run, an int.
    index: The tensor's position among the trainable ones, an int.

  Returns:
    See `frozen_weights`.
  """
  return frozen_weights(
      shape, distribution, seeds.fold_in([seed, seeds.FROZEN_DRAWS], index)
  )


def logit(probability, largest):
  """Returns `log(p / (1 - p))`, cut off at `-largest` and `largest`.

  Args:
    probability: A float tensor; entries outside `[0, 1]` count as its ends.
    largest: A positive float, finite.

  Returns:
    A tensor of the same shape and dtype, finite where `probability` is.
  """
  p = tf.clip_by_value(probability, 0.0, 1.0)
  return tf.clip_by_value(
      tf.math.log(p) - tf.math.log1p(-p), -largest, largest
  )


def draw(probability, noise):
  """Draws 1 with the given probability, else 0.

  Args:
    probability: A float tensor.
    noise: A float tensor of its shape, uniform in `[0, 1)`.

  Returns:
    A tensor of its shape and dtype.
  """
  return tf.cast(noise < probability, probability.dtype)


def random_probabilities(shape, stddev, seed):
  """Draws probabilities whose logits are normally distributed.

  Args:
    shape: A static shape.
    stddev: The standard deviation of the logits, a float >= 0.
    seed: An int32 tensor of shape `[2]`.

  Returns:
    A float32 tensor of that shape.
  """
  return tf.sigmoid(stddev * seeds.normal(shape, seed))


def representative(probability, rule, seed, sample=0):
  """Returns the mask that stands for a distribution of masks.

  Args:
    probability: A float32 tensor.
    rule: `'sample'`, a draw; `'mean'`, the probability itself; or
      `'threshold'`, 1 where it is at least 1/2.
    seed: An int32 tensor of shape `[2]`, for `'sample'`.
    sample: The number of the draw, an integer scalar.

  Returns:
    A tensor of its shape and dtype, with entries in `[0, 1]`.
  """
  if rule == 'mean':
    return probability
  if rule == 'threshold':
    return tf.cast(probability >= 0.5, probability.dtype)
  # The first draw is the seed's own.
  seed = tf.where(tf.equal(sample, 0), seed, seeds.fold_in(seed, sample))
  return draw(probability, seeds.uniform(probability.shape, seed))


@tf.custom_gradient
def straight_through_draw(scores, noise):
  """Draws a mask, which is differentiated as if it were its probability.

  Args:
    scores: A float tensor s.
    noise: See `draw`.

  Returns:
    `draw(sigmoid(s), noise)`. Its derivative by s is `sigmoid'(s)`.
  """
  p = tf.sigmoid(scores)
  return draw(p, noise), lambda upstream: (upstream * p * (1.0 - p), None)


@tf.custom_gradient
def damped_draw(scores, noise):
  """Like `straight_through_draw`, with the derivative of FedPM's code.

  Args:
    scores: A float tensor s.
    noise: See `draw`.

  Returns:
    `draw(sigmoid(s), noise)`. Its derivative by s is `sigmoid(s) sigmoid'(s)`.
  """
  p = tf.sigmoid(scores)
  return draw(p, noise), lambda upstream: (upstream * p * p * (1.0 - p), None)


def entropy(scores):
  """Returns the entropy of mask entries, in bits.

  Args:
    scores: A float tensor.

  Returns:
    A tensor of the same shape and dtype, in `[0, 1]`.
  """
  # -log(sigmoid(s)) is softplus(-s), which does not overflow.
  p = tf.sigmoid(scores)
  nats = p * tf.nn.softplus(-scores) + (1.0 - p) * tf.nn.softplus(scores)
  return nats / math.log(2.0)


def mean_loss(scores, measure, weight, num_entries):
  """Returns `weight / num_entries` times the sum of a measure of the entries.

  Args:
    scores: A float tensor, the scores of one of a model's tensors.
    measure: `'entropy'`, in bits, or `'probability'` of a 1.
    weight: A float, lambda in the paper.
    num_entries: The number of mask entries of the whole model.

  Returns:
    A scalar. Its derivative by a score s is `weight / num_entries` times
    `sigmoid'(s)` for `'probability'`, and times `-s sigmoid'(s) / log(2)` for
    `'entropy'`.
  """
  values = entropy(scores) if measure == 'entropy' else tf.sigmoid(scores)
  return weight / num_entries * tf.reduce_sum(values)
