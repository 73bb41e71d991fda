# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the check of FedBAT's theorems."""

import functools

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from benchmarks import convergence
from tff_binary import algorithms

_N, _D, _TAU = 3, 4, 2
_SHARES = np.array([0.5, 0.3, 0.2])
_RATE = 0.125


@functools.lru_cache(maxsize=None)
def _problem():
  return convergence.Quadratics(_N, _D, _SHARES)


@functools.lru_cache(maxsize=None)
def _process(name):
  return convergence.build_process(
      convergence._METHODS[name],
      _problem(),
      np.ones(_D),
      num_steps=_TAU,
      num_runs=3,
  )


def _run(name, **kwargs):
  arguments = dict(
      rate_fn=lambda t: _RATE, rounds=2, num_steps=_TAU, num_sampled=_N
  )
  return convergence.run(
      _process(name), _problem(), **{**arguments, **kwargs}
  )


def _gradients(problem, w):
  """Returns the gradient of each F_k at w, float32 `[N, d]`."""
  n = len(problem.shares)
  return problem.gradients(
      tf.range(n), tf.constant(np.tile(np.float32(w), [n, 1]))
  ).numpy()


class ProblemsTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      (convergence.Quadratics(_N, _D, _SHARES),),
      (convergence.NonConvex(_N, _D),),
  )
  def test_gap_has_the_gradients_mean_as_gradient(self, problem):
    w = np.linspace(-1.0, 1.5, _D)
    step = 1e-5 * np.eye(_D)
    numeric = (problem.gap(w + step) - problem.gap(w - step)) / 2e-5
    self.assertAllClose(
        problem.shares @ _gradients(problem, w), numeric, 1e-4, 1e-4
    )

  def test_constants_of_quadratics(self):
    problem = _problem()
    self.assertAllClose(problem.gap(problem.minimizer), 0.0)
    for k, matrix in enumerate(problem._matrices):
      spectrum = np.linalg.eigvalsh(matrix)
      self.assertAllClose(spectrum[0], problem.convexity)
      self.assertAllClose(spectrum[-1], problem.smoothness)
      # F_k* is 0, at c_k.
      self.assertAllClose(
          _gradients(problem, problem._centers[k])[k], np.zeros(_D), atol=1e-5
      )
    # F(w) = gap(w) + Gamma.
    w = np.linspace(-1.0, 1.5, _D)
    self.assertAllClose(
        problem._value(w), problem.gap(w) + problem.heterogeneity
    )

  def test_constants_of_non_convex_functions(self):
    problem = convergence.NonConvex(_N, 2)
    random = np.random.RandomState(0)
    w = 2.0 * random.randn(5000, 2)
    self.assertAllGreater(problem.gap(w), 0.0)
    self.assertAllClose(np.min(problem.gap(w)), 0.0, atol=0.02)
    norms = [np.sum(_gradients(problem, v) ** 2, axis=1) for v in w[:500]]
    self.assertBetween(np.max(norms), 0.5 * problem.squared_gradient,
                       problem.squared_gradient)
    gradients = np.stack([_gradients(problem, v) for v in w[:500]])
    moved = np.stack([_gradients(problem, v) for v in w[:500] + 0.01])
    slopes = np.linalg.norm(moved - gradients, axis=-1) / (0.01 * np.sqrt(2.0))
    self.assertBetween(np.max(slopes), 0.5 * problem.smoothness,
                       problem.smoothness)
    self.assertAllClose(
        problem.squared_gradient_norm(w[0]),
        np.sum(np.mean(_gradients(problem, w[0]), axis=0) ** 2),
        1e-4,
    )


class BoundsTest(tf.test.TestCase):

  def test_theorem_2_with_all_clients_is_theorem_1(self):
    self.assertAllClose(convergence.sampling_factor(9.0, 8, 8), 9.0 / 8.0)
    self.assertAllClose(convergence.sampling_factor(0.0, 8, 8), 0.0)
    self.assertAllClose(convergence.sampling_factor(0.0, 3, 1), 1.0)

  def test_right_hand_sides_by_hand(self):
    problem = convergence.Quadratics(_N, _D)
    problem.heterogeneity = 0.5
    constants = dict(num_steps=3, variance=3.0, q2=2.0, g2=5.0)
    # kappa = 4, gamma = 31; B = 1 + 12 + 8 3 4 5 + 4 (2 / 3) 9 5.
    self.assertAllClose(
        convergence.strongly_convex_bound(
            problem, np.array([9]), 7.0, num_sampled=3, **constants
        ),
        [4.0 / 40.0 * (2.0 * (13.0 + 480.0 + 120.0) + 16.0 * 7.0)],
    )
    # (2 2 + 3 - 2) / (2 2) = 1.25 in place of 2 / 3.
    self.assertAllClose(
        convergence.strongly_convex_bound(
            problem, np.array([9]), 7.0, num_sampled=2, **constants
        ),
        [4.0 / 40.0 * (2.0 * (13.0 + 480.0 + 225.0) + 16.0 * 7.0)],
    )
    # P = 1 + 225, Q = 4 3 4 5; L = 4.
    self.assertAllClose(
        convergence.non_convex_bound(
            problem, 4, 1.5, num_sampled=2, **constants
        ),
        (2.0 * 4.0 * 2.0 + 226.0) / 2.0 + 240.0 / 4.0,
    )

  def test_rate_of_a_power(self):
    x = np.array([3.0, 10.0, 50.0])
    self.assertAllClose(convergence.fitted_rate(x, 7.0 / x), -1.0)


class RunTest(tf.test.TestCase):

  def test_fedavg_is_local_gradient_descent(self):
    # Without noise, all runs are one: by hand.
    measured = _run('FedAvg', deviation=0.0)
    w = np.ones(_D)
    largest = 0.0
    for round_num in range(3):
      for of_run in measured.weights[round_num]:
        self.assertAllClose(of_run, w, 1e-4, 1e-5)
      local = np.tile(w, [_N, 1])
      if round_num < 2:
        for _ in range(_TAU):
          gradients = np.stack(
              [_gradients(_problem(), v)[k] for k, v in enumerate(local)]
          )
          largest = max(largest, np.max(np.sum(gradients**2, axis=1)))
          local -= _RATE * gradients
      w = _SHARES @ local
    self.assertAllClose(measured.squared_gradient, largest, 1e-4)

  def test_fedbat_moves_by_signs_of_the_largest_update(self):
    # In the second step the rate is zero: a client's update m is that of the
    # first one, and it sends -|m|_inf or |m|_inf for each entry.
    measured = _run(
        'FedBAT',
        rounds=1,
        deviation=0.0,
        rate_fn=lambda t: _RATE if t == 1 else 0.0,
    )
    moved = measured.weights[1] - measured.weights[0]
    updates = -_RATE * _gradients(_problem(), np.ones(_D))
    largest = np.max(np.abs(updates), axis=1)
    signs = np.array(np.meshgrid(*[[-1, 1]] * _N)).reshape(_N, -1)
    possible = (_SHARES * largest) @ signs
    for value in np.ravel(moved):
      self.assertLess(np.min(np.abs(possible - value)), 1e-5)
    # Each run with draws of its own.
    self.assertGreater(np.max(np.std(moved, axis=0)), 0.0)

  def test_sampled_clients_are_the_runs_own(self):
    measured = _run('FedAvg', rounds=1, num_sampled=1, deviation=0.0, seed=2)
    # A run has gone where one of the clients leads.
    ends = []
    for k in range(_N):
      w = np.ones(_D)
      for _ in range(_TAU):
        w = w - _RATE * _gradients(_problem(), w)[k]
      ends.append(w)
    distances = np.linalg.norm(
        measured.weights[1][:, np.newaxis] - np.stack(ends), axis=-1
    )
    self.assertAllLess(np.min(distances, axis=1), 1e-4)
    self.assertGreater(len(set(np.argmin(distances, axis=1))), 1)

  def test_noise_has_the_deviation(self):
    # Two steps of noise, the first one shrunk: between once and twice the
    # variance, in the mean of three runs of four entries. The seed is fixed.
    quiet = _run('FedAvg', rounds=1, num_sampled=1, deviation=0.0, seed=3)
    noisy = _run('FedAvg', rounds=1, num_sampled=1, deviation=1.0, seed=3)
    squares = np.sum((noisy.weights[1] - quiet.weights[1]) ** 2, axis=-1)
    self.assertBetween(np.mean(squares) / _RATE**2, 0.3, 5.0)


if __name__ == '__main__':
  tf.test.main()
