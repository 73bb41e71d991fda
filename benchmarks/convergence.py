# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""FedBAT's theorems 1 to 3 in numbers, on problems whose constants are known.

  taskset -c 0 python -m benchmarks.convergence --output=convergence.png

Runs the package's FedBAT process in the setting of the paper's section 4, no
warm-up and the largest absolute update as step size, and FedAvg's (q = 0 in the
theorems) beside it, and prints for each theorem the bound, what was measured in
its place, and the rate at which that falls.

Theorems 1 and 2 are about strongly convex functions: quadratics. Theorem 3
needs no convexity: sums of `a u^2 / (1 + u^2)`. Of these functions mu, L,
sigma, Gamma, F* and w* are known exactly. q^2 = d - 1 is the worst case for d weights,
`d |x|_inf^2 / |x|^2 - 1` at x with a single nonzero entry. G is exact for
theorem 3. No quadratic has a bounded gradient, so for theorems 1 and 2 it is
the largest root mean square that a run has seen, of any client in any local
step.

One process trains many independent runs at once, the expectations: each is a
tensor of the model with its own step size and draws, noise and clients. The
loss of a batch is multiplied by the theorem's learning rate of this step, so
that the clients' optimizer has the rate 1.
"""

import argparse
import collections
import dataclasses
import functools
import time

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from benchmarks import timing
from tff_binary import algorithms
from tff_binary import learning
from tff_binary import runtime

_METHODS = {
    'FedAvg': algorithms.build_fedavg,
    'FedBAT': functools.partial(
        algorithms.build_fedbat,
        hyperparameters=algorithms.FedBAT(
            step_size='max_norm', warmup_ratio=0.0
        ),
    ),
}


class Quadratics:
  """Client k has `F_k(w) = (w - c_k)' A_k (w - c_k) / 2`.

  Attributes:
    shares: p_k, float64 of shape `[N]`.
    smoothness: L, the largest eigenvalue of any A_k.
    convexity: mu, the smallest one.
    heterogeneity: Gamma; all F_k* are 0, so it is F*.
    minimizer: w*, float64 of shape `[d]`.
  """

  smoothness = 4.0
  convexity = 1.0

  def __init__(self, num_clients, dimension, shares=None, seed=1):
    """Initializes random functions.

    Args:
      num_clients: N.
      dimension: d, at least 2.
      shares: p_k, which sum to 1; by default equal ones.
      seed: Their seed.
    """
    random = np.random.RandomState(seed)
    if shares is None:
      shares = np.full(num_clients, 1.0 / num_clients)
    self.shares = np.asarray(shares)
    self._matrices = []
    for _ in range(num_clients):
      basis, _ = np.linalg.qr(random.randn(dimension, dimension))
      spectrum = random.uniform(
          self.convexity, self.smoothness, dimension
      )
      spectrum[:2] = self.convexity, self.smoothness
      self._matrices.append(basis @ np.diag(spectrum) @ basis.T)
    self._matrices = np.stack(self._matrices)
    self._centers = random.randn(num_clients, dimension)
    self._mean_matrix = np.einsum('k,kij->ij', self.shares, self._matrices)
    self.minimizer = np.linalg.solve(
        self._mean_matrix,
        np.einsum('k,kij,kj->i', self.shares, self._matrices, self._centers),
    )
    self.heterogeneity = float(self._value(self.minimizer))

  def _value(self, w):
    offsets = w - self._centers
    return 0.5 * np.einsum(
        'k,ki,kij,kj->', self.shares, offsets, self._matrices, offsets
    )

  def gap(self, w):
    """Returns F(w) - F* for float64 `[..., d]`."""
    offsets = w - self.minimizer
    return 0.5 * np.einsum(
        '...i,ij,...j->...', offsets, self._mean_matrix, offsets
    )

  def gradients(self, clients, w):
    """Returns client `clients[s]`'s gradient at `w[s]`, float32 `[S, d]`."""
    matrices = tf.gather(tf.constant(self._matrices, tf.float32), clients)
    centers = tf.gather(tf.constant(self._centers, tf.float32), clients)
    return tf.linalg.matvec(matrices, w - centers)


class NonConvex:
  """Client k has `F_k(w) = sum_j a_kj u^2 / (1 + u^2)` with `u = w_j - c_kj`.

  Attributes:
    shares: p_k, all equal, float64 of shape `[N]`.
    smoothness: L, `2 max a`: the second derivative of `u^2 / (1 + u^2)` is in
      [-1/2, 2].
    heterogeneity: Gamma; all F_k* are 0, so it is F*, to 1e-6.
    squared_gradient: A bound of the squared gradient norm of every F_k: the
      derivative of `u^2 / (1 + u^2)` is at most `3 sqrt(3) / 8`.
  """

  def __init__(self, num_clients, dimension, seed=1):
    random = np.random.RandomState(seed)
    self.shares = np.full(num_clients, 1.0 / num_clients)
    self._scales = random.uniform(0.5, 1.0, [num_clients, dimension])
    self._centers = random.randn(num_clients, dimension)
    self.smoothness = 2.0 * float(np.max(self._scales))
    self.squared_gradient = float(
        np.max(np.sum((self._scales * 3.0 * np.sqrt(3.0) / 8.0) ** 2, axis=1))
    )
    # F is a sum over the coordinates. Far from all centers it only grows.
    grid = np.linspace(np.min(self._centers), np.max(self._centers), 10001)
    values = self._coordinates(np.repeat(grid[:, np.newaxis], dimension, 1))
    self.heterogeneity = float(np.sum(np.min(values, axis=0)))

  def _coordinates(self, w):
    """Returns what each coordinate adds to F, for float64 `[..., d]`."""
    squares = (w[..., np.newaxis, :] - self._centers) ** 2
    return np.mean(self._scales * squares / (1.0 + squares), axis=-2)

  def gap(self, w):
    """Returns F(w) - F* for float64 `[..., d]`."""
    return np.sum(self._coordinates(w), axis=-1) - self.heterogeneity

  def squared_gradient_norm(self, w):
    """Returns the squared norm of F's gradient, for float64 `[..., d]`."""
    u = w[..., np.newaxis, :] - self._centers
    gradient = np.mean(self._scales * 2.0 * u / (1.0 + u**2) ** 2, axis=-2)
    return np.sum(gradient**2, axis=-1)

  def gradients(self, clients, w):
    """Returns client `clients[s]`'s gradient at `w[s]`, float32 `[S, d]`."""
    scales = tf.gather(tf.constant(self._scales, tf.float32), clients)
    u = w - tf.gather(tf.constant(self._centers, tf.float32), clients)
    return scales * 2.0 * u / (1.0 + u**2) ** 2


class _Replicas(tff.learning.models.VariableModel):
  """A model whose S tensors are the weights of as many independent runs."""

  def __init__(self, problem, start, num_runs, num_steps):
    self._problem = problem
    num_clients = len(problem.shares)
    start = np.float32(start)
    self._num_clients, self._num_steps = num_clients, num_steps
    self._runs = [
        tf.Variable(start, name=f'run_{i}') for i in range(num_runs)
    ]
    add = lambda *shape: tf.Variable(tf.zeros(shape), trainable=False)
    self._squares = add(num_clients, num_steps)
    self._counts = add(num_clients, num_steps)
    self._spec = collections.OrderedDict(
        clients=tf.TensorSpec([num_runs], tf.int32),
        noise=tf.TensorSpec([num_runs, len(start)], tf.float32),
        rate=tf.TensorSpec([], tf.float32),
        step=tf.TensorSpec([], tf.int32),
        weight=tf.TensorSpec([], tf.int32),
    )

  trainable_variables = property(lambda self: self._runs)
  non_trainable_variables = property(lambda self: [])
  local_variables = property(lambda self: [self._squares, self._counts])
  input_spec = property(lambda self: self._spec)

  def predict_on_batch(self, batch_input, training=True):
    raise NotImplementedError('these functions predict nothing')

  def forward_pass(self, batch_input, training=True):
    del training
    w = tf.stack(self._runs)
    exact = self._problem.gradients(batch_input['clients'], w)
    # Client k in local step s: E |grad F_k(x_s^k)|^2 over the runs.
    of_clients = tf.one_hot(batch_input['clients'], self._num_clients)
    of_step = tf.one_hot(batch_input['step'], self._num_steps)
    self._counts.assign_add(
        tf.reduce_sum(of_clients, 0)[:, tf.newaxis] * of_step
    )
    squares = tf.linalg.matvec(
        of_clients, tf.reduce_sum(exact**2, axis=-1), transpose_a=True
    )
    self._squares.assign_add(squares[:, tf.newaxis] * of_step)
    gradients = tf.stop_gradient(exact + batch_input['noise'])
    return tff.learning.models.BatchOutput(
        loss=batch_input['rate'] * tf.reduce_sum(gradients * w),
        predictions=(),
        num_examples=batch_input['weight'],
    )

  def report_local_unfinalized_metrics(self):
    return collections.OrderedDict(
        squared_gradients=[
            self._squares.read_value(), self._counts.read_value()
        ]
    )

  def metric_finalizers(self):
    return collections.OrderedDict(
        squared_gradients=lambda x: tf.math.divide_no_nan(x[0], x[1])
    )

  def reset_metrics(self):
    self._squares.assign(tf.zeros_like(self._squares))
    self._counts.assign(tf.zeros_like(self._counts))


@dataclasses.dataclass(frozen=True)
class Trajectory:
  """What was measured.

  Attributes:
    weights: The server's weights before the first round and after each, float64
      of shape `[R + 1, S, d]`.
    squared_gradient: The largest mean over the runs of a client's squared
      gradient norm in a local step, without noise.
  """

  weights: np.ndarray
  squared_gradient: float


def build_process(build, problem, start, num_steps, num_runs, seed=1):
  """Builds a process for `run`.

  Args:
    build: Builds a process, such as `algorithms.build_fedavg`.
    problem: A `Quadratics` or `NonConvex`.
    start: The first weights, `[d]`.
    num_steps: tau, the local steps of a round.
    num_runs: S, how many independent runs.
    seed: The seed of all that clients draw.
  """
  return build(
      lambda: _Replicas(problem, start, num_runs, num_steps),
      local_training=learning.LocalTraining(
          optimizer=tff.learning.optimizers.build_sgdm(1.0)
      ),
      is_compressed=lambda spec: True,
      seed=seed,
  )


def run(
    process,
    problem,
    *,
    rate_fn,
    rounds,
    num_steps,
    num_sampled,
    deviation,
    seed=1,
):
  """Trains.

  Args:
    process: From `build_process`.
    problem: The same problem.
    rate_fn: The learning rate of step t = 1, 2, ..., counted over the rounds.
    rounds: R.
    num_steps: tau, the local steps of a round.
    num_sampled: K, how many clients each run draws for a round; with N all take
      part, with their shares.
    deviation: sigma, the root mean square norm of the gradients' noise.
    seed: The seed of noise and drawn clients.

  Returns:
    A `Trajectory`.
  """
  num_clients = len(problem.shares)
  random = np.random.RandomState(seed)
  # Examples in a batch, in whole numbers, are what a client counts by.
  examples = np.round(1000 * num_clients * problem.shares).astype(np.int32)
  state = process.initialize()
  trajectory = [state.global_model_weights.trainable]
  num_runs, dimension = np.shape(trajectory[0])
  squared_gradient = 0.0
  for round_num in range(rounds):
    if num_sampled == num_clients:
      drawn = np.tile(np.arange(num_clients), [num_runs, 1])
    else:
      drawn = np.argsort(random.rand(num_runs, num_clients))[:, :num_sampled]
    datasets = []
    for slot in range(num_sampled):
      is_full = num_sampled == num_clients
      weight = examples[slot] if is_full else 1
      batches = collections.OrderedDict(
          clients=np.tile(np.int32(drawn[:, slot]), [num_steps, 1]),
          noise=np.float32(
              deviation
              / np.sqrt(dimension)
              * random.randn(num_steps, num_runs, dimension)
          ),
          rate=np.float32(
              [rate_fn(1 + round_num * num_steps + s) for s in range(num_steps)]
          ),
          step=np.arange(num_steps, dtype=np.int32),
          weight=np.full(num_steps, weight, np.int32),
      )
      datasets.append(tf.data.Dataset.from_tensor_slices(batches))
    state, metrics = process.next(state, datasets)
    trajectory.append(state.global_model_weights.trainable)
    squares = metrics['client_work']['train']['squared_gradients']
    squared_gradient = max(squared_gradient, float(np.max(squares)))
  return Trajectory(np.float64(trajectory), squared_gradient)


def sampling_factor(q2, num_clients, num_sampled):
  """Returns `(q^2 (N - 1) + N - K) / (K (N - 1))` of theorems 2 and 3."""
  n, k = num_clients, num_sampled
  return (q2 * (n - 1) + n - k) / (k * (n - 1))


def strongly_convex_bound(
    problem, steps, first_distance, *, num_steps, num_sampled, variance, q2, g2
):
  """Returns the right-hand side of theorem 1, or of 2 if clients are sampled.

  Args:
    problem: A `Quadratics`.
    steps: T, an array.
    first_distance: `|w_1 - w*|^2`.
    num_steps: tau.
    num_sampled: K; N for theorem 1.
    variance: sigma^2.
    q2: q^2.
    g2: G^2.
  """
  mu, smoothness = problem.convexity, problem.smoothness
  gamma = first_step(problem, num_steps)
  num_clients = len(problem.shares)
  spread = float(np.sum(problem.shares**2))  # 1 / N for equal shares.
  last = q2 * spread
  if num_sampled < num_clients:
    last = sampling_factor(q2, num_clients, num_sampled)
  b = (
      spread * variance
      + 6.0 * smoothness * problem.heterogeneity
      + 8.0 * (1.0 + q2) * (num_steps - 1) ** 2 * g2
      + 4.0 * last * num_steps**2 * g2
  )
  return (smoothness / mu) / (gamma + steps) * (
      2.0 * b / mu + mu * (gamma + 1.0) / 2.0 * first_distance
  )


def first_step(problem, num_steps):
  """Returns gamma of theorems 1 and 2; the rate is `2 / (mu (gamma + t))`."""
  condition = problem.smoothness / problem.convexity
  return max(8.0 * condition, num_steps) - 1.0


def non_convex_bound(
    problem, steps, first_gap, *, num_steps, num_sampled, variance, q2, g2
):
  """Returns the right-hand side of theorem 3.

  Args:
    problem: A `NonConvex`.
    steps: T.
    first_gap: `F(w_0) - F*`.
    num_steps: tau.
    num_sampled: K.
    variance: sigma^2.
    q2: q^2.
    g2: G^2.
  """
  num_clients = len(problem.shares)
  p = (
      variance / num_clients
      + 4.0
      * sampling_factor(q2, num_clients, num_sampled)
      * num_steps**2
      * g2
  )
  q = 4.0 * (1.0 + q2) * (num_steps - 1) ** 2 * g2
  first = 2.0 * problem.smoothness * (first_gap + problem.heterogeneity)
  return (first + p) / np.sqrt(steps) + q / steps


def fitted_rate(x, y):
  """Returns the slope of log y over log x, by least squares."""
  return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def check_strongly_convex(num_sampled, shares, args):
  """Checks theorem 1 or, with fewer than all clients, 2.

  Args:
    num_sampled: K.
    shares: p_k, or None for equal ones.
    args: The flags.

  Yields:
    For each method a dict of its `name` and arrays: T (`x`), what the rate is
    fitted over (`rate_x`), what was measured in the `mean` over the runs, its
    standard `error`, and the `bound`.
  """
  problem = Quadratics(args.clients, args.dimension, shares)
  gamma = first_step(problem, args.steps)
  start = np.zeros(args.dimension)
  for name, build in _METHODS.items():
    q2 = args.dimension - 1.0 if name == 'FedBAT' else 0.0
    measured = run(
        build_process(build, problem, start, args.steps, args.runs),
        problem,
        rate_fn=lambda t: 2.0 / (problem.convexity * (gamma + t)),
        rounds=args.rounds,
        num_steps=args.steps,
        num_sampled=num_sampled,
        deviation=args.deviation,
    )
    steps = 1 + args.steps * np.arange(args.rounds + 1)
    gaps = problem.gap(measured.weights)
    bound = strongly_convex_bound(
        problem,
        steps,
        np.sum((start - problem.minimizer) ** 2),
        num_steps=args.steps,
        num_sampled=num_sampled,
        variance=args.deviation**2,
        q2=q2,
        g2=measured.squared_gradient + args.deviation**2,
    )
    yield dict(
        name=name,
        x=steps,
        # What the bound is inverse to.
        rate_x=gamma + steps,
        mean=np.mean(gaps, axis=1),
        error=np.std(gaps, axis=1, ddof=1) / np.sqrt(args.runs),
        bound=bound,
    )


def check_non_convex(num_steps, args):
  """Checks theorem 3 with tau = `num_steps`; see `check_strongly_convex`."""
  problem = NonConvex(args.clients, args.dimension)
  start = np.full(args.dimension, 1.5)
  # T, whole rounds.
  totals = num_steps * (4 ** np.arange(3, 3 + args.totals) // num_steps)
  for name, build in _METHODS.items():
    q2 = args.dimension - 1.0 if name == 'FedBAT' else 0.0
    process = build_process(build, problem, start, num_steps, args.runs)
    means, errors, bounds = [], [], []
    for total in totals:
      rate = 1.0 / (problem.smoothness * np.sqrt(total))
      measured = run(
          process,
          problem,
          rate_fn=lambda t: rate,  # pylint: disable=cell-var-from-loop
          rounds=int(total) // num_steps,
          num_steps=num_steps,
          num_sampled=args.sampled,
          deviation=args.deviation,
      )
      # Of the weights before each round: with tau = 1 those before each step.
      norms = problem.squared_gradient_norm(measured.weights[:-1])
      of_runs = np.mean(norms, axis=0)
      means.append(np.mean(of_runs))
      errors.append(np.std(of_runs, ddof=1) / np.sqrt(args.runs))
      bounds.append(
          non_convex_bound(
              problem,
              total,
              problem.gap(start),
              num_steps=num_steps,
              num_sampled=args.sampled,
              variance=args.deviation**2,
              q2=q2,
              g2=problem.squared_gradient + args.deviation**2,
          )
      )
    yield dict(
        name=name,
        x=totals,
        rate_x=totals,
        mean=np.array(means),
        error=np.array(errors),
        bound=np.array(bounds),
    )


def _row(title, curve):
  """Returns a row of the table, of the last T and of the largest ratio.

  The rate is fitted from a fifth of the last T on.
  """
  mean, error, bound = curve['mean'], curve['error'], curve['bound']
  late = curve['rate_x'] >= curve['rate_x'][-1] / 5.0
  return [
      title,
      curve['name'],
      str(curve['x'][-1]),
      f'{mean[-1]:.3g} ({error[-1]:.1g})',
      f'{bound[-1]:.3g}',
      f'{np.max(mean / bound):.2g}',
      f'{fitted_rate(curve["rate_x"][late], mean[late]):.2f}',
  ]


def _plot(panels, path):
  """Draws what was measured and, dashed, its bound."""
  # pylint: disable-next=g-import-not-at-top
  from matplotlib import figure

  fig = figure.Figure(figsize=(4.5 * len(panels), 4), layout='constrained')
  all_axes = fig.subplots(1, len(panels), squeeze=False)[0]
  for axes, (title, curves) in zip(all_axes, panels.items()):
    for i, curve in enumerate(curves):
      x, mean, error = curve['x'], curve['mean'], curve['error']
      axes.plot(x, mean, f'C{i}', label=curve['name'])
      axes.fill_between(
          x,
          np.maximum(mean - 2 * error, 1e-12),
          mean + 2 * error,
          color=f'C{i}',
          alpha=0.3,
          linewidth=0,
      )
      axes.plot(x, curve['bound'], f'C{i}--', label=f'{curve["name"]}, bound')
    axes.set_xscale('log')
    axes.set_yscale('log')
    axes.set_title(title)
    axes.set_xlabel('T, local steps')
    axes.set_ylabel(
        'mean squared gradient norm of F'
        if title.startswith('Theorem 3')
        else 'F(w) - F*'
    )
    axes.legend(fontsize='small')
    axes.grid(alpha=0.3)
  fig.savefig(path, format='png', dpi=120)


def _parse_args():
  parser = argparse.ArgumentParser(
      description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--clients', type=int, default=6, help='N')
  parser.add_argument('--sampled', type=int, default=2, help='K')
  parser.add_argument('--dimension', type=int, default=10, help='d')
  parser.add_argument('--steps', type=int, default=5, help='tau')
  parser.add_argument('--deviation', type=float, default=1.0, help='sigma')
  parser.add_argument('--rounds', type=int, default=600)
  parser.add_argument(
      '--totals',
      type=int,
      default=4,
      help='of theorem 3: how many T there are, 64, 256 and so on',
  )
  parser.add_argument('--runs', type=int, default=24, help='independent runs')
  parser.add_argument('--output', help='a PNG file to draw')
  args = parser.parse_args()
  for name, smallest, largest in (
      ('clients', 2, np.inf),
      ('sampled', 1, args.clients),
      ('dimension', 2, np.inf),
      ('steps', 1, 64),  # The smallest T of theorem 3.
      ('deviation', 0, np.inf),
      ('rounds', 3, np.inf),
      ('totals', 2, np.inf),
      ('runs', 2, np.inf),
  ):
    value = getattr(args, name)
    if not smallest <= value <= largest:
      parser.error(
          f'--{name} must be in [{smallest}, {largest}], got {value}'
      )
  return args


def main():
  args = _parse_args()
  begin = time.monotonic()
  n, k, tau = args.clients, args.sampled, args.steps
  shares = np.arange(1, n + 1) / (n * (n + 1) / 2)
  with runtime.execution_context(runtime.Runtime('device', in_process=True)):
    panels = {
        f'Theorem 1: all {n} clients, of unequal shares': list(
            check_strongly_convex(n, shares, args)
        ),
        f'Theorem 2: {k} of {n} clients': list(
            check_strongly_convex(k, None, args)
        ),
        f'Theorem 3: {k} of {n} clients, tau = 1': list(
            check_non_convex(1, args)
        ),
        f'Theorem 3: {k} of {n} clients, tau = {tau}': list(
            check_non_convex(tau, args)
        ),
    }
  timing.print_table(
      [_row(t, curve) for t, curves in panels.items() for curve in curves],
      ['', 'method', 'T', 'measured', 'bound', 'largest ratio', 'rate'],
  )
  if args.output:
    _plot(panels, args.output)
  print(f'{time.monotonic() - begin:.0f} s')


if __name__ == '__main__':
  main()
