# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""How many levels clients quantize their updates with, from round to round."""

import collections
import dataclasses
import numbers

import tensorflow as tf

from tff_binary.ops import rounding

_TINY_LOSS = 1e-12


def _check_levels(**levels):
  """Checks that levels are integers that can be sent, in ascending order."""
  minimum, lower_end = 1, '1'
  for name, value in levels.items():
    is_integer = isinstance(value, numbers.Integral)
    if not (is_integer and minimum <= value <= rounding.MAX_LEVELS):
      raise ValueError(
          f'{name} must be an integer in [{lower_end}, {rounding.MAX_LEVELS}],'
          f' got {value!r}.'
      )
    minimum, lower_end = value, f'{name} = {value}'


@dataclasses.dataclass(frozen=True)
class LossRatio:
  """More levels as the loss falls.

  Source: AdaQuantFL (Jhunjhunwala et al., ICASSP 2021): in round t clients use
  `ceil(s0 * sqrt(F(w_0) / F(w_t)))` levels, F being the training loss of the
  model that they have received. Here they are at most `max_levels` (our
  choice).

  Attributes:
    initial_levels: s0, an integer >= 1.
    max_levels: An integer in `[initial_levels, 32767]`.
  """

  initial_levels: int = 2
  max_levels: int = rounding.MAX_LEVELS

  def __post_init__(self):
    _check_levels(
        initial_levels=self.initial_levels, max_levels=self.max_levels
    )

  def initial_state(self):
    """Returns the state before the first round.

    Returns:
      An `OrderedDict` of tensors; `levels`, an int32 scalar, is the number of
      levels to use in this state.
    """
    return collections.OrderedDict(
        levels=tf.constant(self.initial_levels, tf.int32),
        num_losses=tf.constant(0),
        initial_loss=tf.constant(0.0),
    )

  def next(self, state, loss):
    """Returns the state that follows from a loss.

    Args:
      state: The state before.
      loss: A float32 scalar. In the papers it is the loss of the model that the
        clients of a round have received, and the new state that of the same
        round. One that is not finite changes nothing.

    Returns:
      A state of the same type.
    """
    is_first = tf.equal(state['num_losses'], 0)
    initial_loss = tf.where(is_first, loss, state['initial_loss'])
    ratio = tf.maximum(initial_loss, _TINY_LOSS) / tf.maximum(loss, _TINY_LOSS)
    levels = tf.math.ceil(self.initial_levels * tf.sqrt(ratio))
    levels = tf.clip_by_value(levels, 1.0, self.max_levels)
    new_state = collections.OrderedDict(
        levels=tf.cast(levels, tf.int32),
        num_losses=state['num_losses'] + 1,
        initial_loss=initial_loss,
    )
    return _keep_if_not_finite(loss, new_state, state)


@dataclasses.dataclass(frozen=True)
class Plateau:
  """Twice the levels where the loss has stopped to fall.

  Source: DAdaQuant (Hönig et al., ICML 2022), time-adaptive quantization: the
  loss F of the model that clients have received is averaged, `G_t = psi *
  G_{t-1} + (1 - psi) * F(w_t)` with `G_0 = F(w_0)`. The levels are doubled, to
  at most `max_levels`, in a round t >= `patience` with `G_t >= G_{t + 1 -
  patience}`, if the `patience` rounds before had the same levels.

  Attributes:
    min_levels: The levels of the first rounds, an integer >= 1.
    max_levels: An integer in `[min_levels, 32767]`.
    patience: phi in the paper, in rounds, an integer >= 1; a tenth of all
      rounds there.
    smoothing: psi in the paper, in `[0, 1)`.
  """

  min_levels: int = 1
  max_levels: int = 7
  patience: int = 10
  smoothing: float = 0.9

  def __post_init__(self):
    _check_levels(min_levels=self.min_levels, max_levels=self.max_levels)
    if not isinstance(self.patience, numbers.Integral) or self.patience < 1:
      raise ValueError(
          f'patience must be an integer >= 1, got {self.patience!r}.'
      )
    if not 0.0 <= self.smoothing < 1.0:
      raise ValueError(
          f'smoothing must be in [0, 1), got {self.smoothing!r}.'
      )

  def initial_state(self):
    """Returns the state before the first round, see `LossRatio`."""
    return collections.OrderedDict(
        levels=tf.constant(self.min_levels, tf.int32),
        num_losses=tf.constant(0),
        rounds_with_levels=tf.constant(0),
        # The last ones, the newest at the end.
        mean_losses=tf.zeros([self.patience]),
    )

  def next(self, state, loss):
    """Returns the state that follows from a loss, see `LossRatio`."""
    last_mean = state['mean_losses'][-1]
    mean_loss = tf.where(
        tf.equal(state['num_losses'], 0),
        loss,
        self.smoothing * last_mean + (1.0 - self.smoothing) * loss,
    )
    # The mean of the largest numbers may be rounded to infinity.
    mean_loss = tf.clip_by_value(mean_loss, loss.dtype.min, loss.dtype.max)
    mean_losses = tf.concat([state['mean_losses'][1:], [mean_loss]], axis=0)
    levels, rounds = state['levels'], state['rounds_with_levels']
    is_plateau = tf.logical_and(
        rounds >= self.patience, mean_loss >= mean_losses[0]
    )
    is_doubled = tf.logical_and(is_plateau, levels < self.max_levels)
    new_state = collections.OrderedDict(
        levels=tf.where(
            is_doubled, tf.minimum(2 * levels, self.max_levels), levels
        ),
        num_losses=state['num_losses'] + 1,
        rounds_with_levels=tf.where(is_doubled, 1, rounds + 1),
        mean_losses=mean_losses,
    )
    return _keep_if_not_finite(loss, new_state, state)


def _keep_if_not_finite(loss, new_state, state):
  is_finite = tf.math.is_finite(loss)
  return tf.nest.map_structure(
      lambda new, old: tf.where(is_finite, new, old), new_state, state
  )


def weight_scale(levels, sum_of_roots, sum_of_squares):
  """Returns what the levels of `levels_of_weight` are proportional to.

  Source: DAdaQuant, client-adaptive quantization: with q levels on average,
  `q_k = sqrt(a / b) * w_k**(2/3)`, `a = sum_k w_k**(2/3)`, `b = sum_k w_k**2 /
  q**2`, has the same expected variance of the aggregate as q for all, with
  fewer levels in total. Scaling all weights changes no q_k.

  Args:
    levels: q, an int32 scalar.
    sum_of_roots: The sum of the clients' weights to the power of 2/3, a float32
      scalar.
    sum_of_squares: The sum of their squares, a float32 scalar.

  Returns:
    `sqrt(a / b)`, a float32 scalar; 0 if all weights are 0.
  """
  ratio = tf.math.divide_no_nan(sum_of_roots, sum_of_squares)
  return tf.cast(levels, tf.float32) * tf.sqrt(ratio)


def levels_of_weight(scale, weight, max_levels):
  """Returns the levels of a client.

  Args:
    scale: What `weight_scale` has returned.
    weight: The client's weight, a float32 scalar.
    max_levels: An int.

  Returns:
    `scale * weight**(2/3)`, rounded and in `[1, max_levels]`, an int32 scalar;
    1 where that is NaN.
  """
  levels = tf.round(scale * weight ** (2.0 / 3.0))
  levels = tf.where(tf.math.is_nan(levels), tf.ones_like(levels), levels)
  return tf.cast(tf.clip_by_value(levels, 1.0, max_levels), tf.int32)
