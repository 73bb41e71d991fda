# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for level_schedules."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.ops import level_schedules


def _levels(schedule, losses):
  """Returns the levels of each round with these losses."""
  state, levels = schedule.initial_state(), []
  for loss in losses:
    state = schedule.next(state, tf.constant(loss, tf.float32))
    levels.append(int(state['levels']))
  return levels


class LossRatioTest(tf.test.TestCase, parameterized.TestCase):

  def test_levels_by_hand(self):
    # 2 * sqrt(8 / loss) = 2, 2.83, 4, 1.41, 4.47, 16.
    losses = [8.0, 4.0, 2.0, 16.0, 1.6, 0.125]
    self.assertEqual(
        _levels(level_schedules.LossRatio(2), losses), [2, 3, 4, 2, 5, 16]
    )

  def test_bounds(self):
    losses = [8.0, 0.0, -1.0, 1e9, 8.0]
    self.assertEqual(
        _levels(level_schedules.LossRatio(2, 9), losses), [2, 9, 9, 1, 2]
    )

  def test_initial_levels_before_any_loss(self):
    state = level_schedules.LossRatio(3).initial_state()
    self.assertEqual(state['levels'], 3)

  @parameterized.parameters(np.nan, np.inf)
  def test_loss_that_is_not_finite_changes_nothing(self, bad):
    losses = [bad, 8.0, 2.0, bad, 0.5]
    self.assertEqual(
        _levels(level_schedules.LossRatio(2), losses), [2, 2, 4, 4, 8]
    )

  @parameterized.parameters((0,), (1.5,), (4, 3), (2, 32768))
  def test_refuses(self, *arguments):
    message = r'_levels must be an integer in \[.*, 32767\], got'
    with self.assertRaisesRegex(ValueError, message):
      level_schedules.LossRatio(*arguments)


class PlateauTest(tf.test.TestCase, parameterized.TestCase):

  def test_doubles_after_patience_rounds_without_progress(self):
    schedule = level_schedules.Plateau(1, 7, patience=3)
    # Never before round 3, then every 3 rounds: 1, 2, 4 and not 8.
    self.assertEqual(
        _levels(schedule, [1.0] * 14), [1] * 3 + [2] * 3 + [4] * 3 + [7] * 5
    )

  def test_does_not_double_while_the_loss_falls(self):
    schedule = level_schedules.Plateau(1, 7, patience=3)
    self.assertEqual(_levels(schedule, 0.9 ** np.arange(20.0)), [1] * 20)

  def test_compares_moving_averages_by_hand(self):
    # G = 8, 4, 6, 4, 5, 5.5, 5.75.
    losses = [8.0, 0.0, 8.0, 2.0, 6.0, 6.0, 6.0]
    schedule = level_schedules.Plateau(2, 100, patience=2, smoothing=0.5)
    # G_2 >= G_1; in round 3 the levels are new, in round 4 G_4 >= G_3; G_6 >=
    # G_5.
    self.assertEqual(_levels(schedule, losses), [2, 2, 4, 4, 8, 8, 16])
    # G_3 < G_1, G_4 < G_2, G_5 >= G_3.
    schedule = level_schedules.Plateau(2, 100, patience=3, smoothing=0.5)
    self.assertEqual(_levels(schedule, losses), [2, 2, 2, 4, 4, 4, 8])

  def test_loss_that_is_not_finite_changes_nothing(self):
    schedule = level_schedules.Plateau(1, 7, patience=2)
    losses = [np.nan, 1.0, 1.0, np.nan, 1.0]
    self.assertEqual(_levels(schedule, losses), [1, 1, 1, 1, 2])

  @parameterized.parameters(
      (dict(min_levels=0), 'min_levels'),
      (dict(min_levels=8), r'max_levels .* in \[min_levels = 8, 32767\]'),
      (dict(patience=0), 'patience'),
      (dict(smoothing=1.0), 'smoothing'),
  )
  def test_refuses(self, kwargs, message):
    with self.assertRaisesRegex(ValueError, message):
      level_schedules.Plateau(**kwargs)


def _client_levels(levels, weights):
  weights = np.float32(weights)
  scale = level_schedules.weight_scale(
      tf.constant(levels), np.sum(weights ** (2 / 3)), np.sum(weights**2)
  )
  return [
      int(level_schedules.levels_of_weight(scale, tf.constant(w), 32767))
      for w in weights
  ]


class LevelsOfWeightTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(1, 2, 7, 8, 1024, 30_000)
  def test_equal_weights_get_equal_levels(self, levels):
    for n, num_clients in ((1.0, 1), (60.0, 100), (5421.0, 10)):
      self.assertEqual(
          _client_levels(levels, [n] * num_clients), [levels] * num_clients
      )

  def test_heavier_clients_get_more_by_hand(self):
    # w = 1/10, 8/10, 1/10: a = .2154 + .8618 + .2154 = 1.2927, b = .66 / q^2;
    # sqrt(a / b) = 1.3995 q.
    self.assertEqual(_client_levels(8, [10, 80, 10]), [2, 10, 2])
    self.assertEqual(_client_levels(100, [10, 80, 10]), [30, 121, 30])

  def test_variance_is_that_of_equal_levels(self):
    # The sum of (w / q)^2, the condition behind the formula.
    weights = np.random.RandomState(1).uniform(1, 100, 20)
    levels = np.float32(_client_levels(1000, weights))
    self.assertAllClose(
        np.sum((weights / levels) ** 2), np.sum(weights**2) / 1000**2, rtol=1e-2
    )
    self.assertLess(np.sum(levels), 20 * 1000)

  def test_clients_without_examples(self):
    self.assertEqual(_client_levels(4, [0.0, 0.0]), [1, 1])
    self.assertEqual(_client_levels(4, [0.0, 9.0]), [1, 4])

  def test_weight_that_is_not_finite_gets_levels_that_exist(self):
    for scale, weight in ((np.nan, 1.0), (2.0, np.nan), (2.0, -1.0)):
      levels = level_schedules.levels_of_weight(scale, tf.constant(weight), 9)
      self.assertAllEqual(levels, 1)
    self.assertAllEqual(
        level_schedules.levels_of_weight(2.0, tf.constant(np.inf), 9), 9
    )


class ExtremeLossTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(
      schedule=[
          level_schedules.LossRatio(2, 100),
          level_schedules.Plateau(2, 100, patience=2, smoothing=0.7),
          level_schedules.Plateau(2, 100, patience=2, smoothing=0.0),
      ],
      first=[0.0, 1e-45, 1.0, np.finfo(np.float32).max],
  )
  def test_any_finite_loss_gives_a_finite_state(self, schedule, first):
    state = schedule.initial_state()
    losses = [first, np.finfo(np.float32).max, -1.0, 1e-45, first, 0.0]
    for loss in losses:
      state = schedule.next(state, tf.constant(loss, tf.float32))
      for x in state.values():
        self.assertTrue(np.all(np.isfinite(x)))
      self.assertBetween(state['levels'], 1, 100)


if __name__ == '__main__':
  tf.test.main()
