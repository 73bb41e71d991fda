# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for fedbif."""

import functools

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tests.tff_binary import tiny
from tff_binary import algorithms
from tff_binary import distributors
from tff_binary import learning

_SEED = 3
_KERNELS = (0, 2)  # Of the trainable tensors of `dense_model`.
_SIZES = {0: 12, 1: 5}  # Examples of the clients.


@functools.lru_cache(maxsize=None)
def _build(**kwargs):
  return algorithms.build_fedbif(
      learning.keras_model_fn(tiny.dense_model, tiny.element_spec()),
      element_spec=tiny.element_spec(),
      hyperparameters=algorithms.FedBiF(**kwargs),
      # So fast that bits flip in a few steps.
      local_training=learning.LocalTraining(
          local_epochs=10,
          batch_size=4,
          optimizer=tff.learning.optimizers.build_sgdm(2.0),
      ),
      seed=_SEED,
  )


def _run(process, ids=(0, 1), num_rounds=1, num_nan=0):
  """Returns the weights before each round and after the last, and metrics."""
  state, rows = process.initialize(), []
  weights = [process.get_model_weights(state).trainable]
  client_states = {}
  data = [tiny.client(_SIZES[i], i, num_nan) for i in ids]
  if isinstance(process, learning.StatefulLearningProcess):
    client_states = {i: process.initialize_client(i) for i in ids}
  for _ in range(num_rounds):
    if client_states:
      kept = [client_states[i] for i in ids]
      state, kept, metrics = process.next(state, kept, data)
      client_states = dict(zip(ids, kept))
    else:
      state, metrics = process.next(state, data)
    weights.append(process.get_model_weights(state).trainable)
    rows.append(learning.round_metrics(metrics))
  return weights, rows, client_states


def _broadcast(weights, round_num=0, bits=4):
  """Returns the codes and step sizes that `weights` are sent as."""
  quantizer = distributors.KernelQuantizer(bits, _SEED)
  return {i: quantizer.quantize(weights[i], round_num, i) for i in _KERNELS}


def _codes(kernel, step_size, bits=4):
  """Returns real codes; those of one client's kernel are integers."""
  return kernel / step_size.numpy() + 2 ** (bits - 1)


class FedBiFTest(tf.test.TestCase, parameterized.TestCase):

  def test_a_client_changes_active_bits_and_no_others(self):
    process = _build()
    weights, _, _ = _run(process, ids=(0,), num_rounds=5)
    num_flipped = 0
    for round_num in range(5):
      sent = _broadcast(weights[round_num], round_num)
      active = 1 << (3 - round_num % 4)
      for i in _KERNELS:
        codes = _codes(weights[round_num + 1][i], sent[i]['step_size'])
        rounded = np.round(codes).astype(np.int32)
        self.assertAllClose(codes, rounded, rtol=0, atol=1e-4)
        flipped = rounded ^ sent[i]['codes'].numpy()
        self.assertAllInSet(flipped, [0, active])
        num_flipped += np.count_nonzero(flipped)
    self.assertGreater(num_flipped, 5)

  @parameterized.parameters(
      ({}, [0.5, 0.5]),
      ({'active_bits': 3}, [0.5, 0.5]),
      ({'sign_bit': True, 'weighting': 'examples'}, [12 / 17, 5 / 17]),
      ({'inherit': False, 'gradient': 'chain'}, [0.5, 0.5]),
  )
  def test_server_takes_the_mean_of_the_clients_models(self, options, shares):
    # Alone in a round, a client's own decoded model is the result.
    process = _build(**options)
    (_, together), _, _ = _run(process)
    (_, first), _, _ = _run(process, ids=(0,))
    (_, second), _, _ = _run(process, ids=(1,))
    self.assertNotAllClose(first[0], second[0])
    for both, x, y in zip(together, first, second):
      self.assertAllClose(both, shares[0] * x + shares[1] * y, atol=1e-6)

  def test_a_learned_step_size_is_the_client_s(self):
    (before, after), rows, _ = _run(_build(learn_step_size=True), ids=(0,))
    for i, sent in _broadcast(before).items():
      # Multiples of a step size that is not the one that was sent.
      levels = np.unique(np.abs(after[i]))
      step_size = min(levels[levels > 1e-6])
      multiples = after[i] / step_size
      self.assertAllClose(multiples, np.round(multiples), atol=1e-3)
      self.assertNotAllClose(step_size, sent['step_size'], rtol=1e-6)
    self.assertAllClose(
        rows[0]['uplink_bytes'],
        # Bits, step sizes and biases of both layers, and the client's weight.
        (4 + 2) + 2 * 4 + 4 * (5 + 3) + 4,
    )

  def test_largest_weight_never_grows(self):
    weights, _, _ = _run(_build(), num_rounds=8)
    for i in _KERNELS:
      norms = [np.abs(w[i]).max() for w in weights]
      for norm, previous in zip(norms[1:], norms):
        self.assertLessEqual(norm, previous * (1 + 1e-6))

  def test_learns(self):
    _, rows, _ = _run(_build(), num_rounds=12)
    self.assertLess(rows[-1]['train_loss'], 0.9 * rows[0]['train_loss'])

  def test_an_unusable_round_changes_nothing(self):
    process = _build()
    (before, after), rows, states = _run(process, ids=(1,), num_nan=5)
    self.assertEqual(rows[0]['non_finite_clients'], 1)
    tf.nest.map_structure(self.assertAllEqual, before, after)
    tf.nest.map_structure(
        self.assertAllEqual, states[1], process.initialize_client(1)
    )

  def test_clients_keep_states_of_their_own(self):
    process = _build()
    _, _, states = _run(process)
    initial = [process.initialize_client(i) for i in (0, 1)]
    self.assertNotAllClose(initial[0][0], initial[1][0])
    for i in (0, 1):
      self.assertNotAllClose(states[i][0], initial[i][0])
      # The first round has trained the most significant bit alone.
      self.assertAllEqual(states[i][0][:3], initial[i][0][:3])

  @parameterized.parameters(
      ({}, [1, 1]),
      ({'active_bits': 3}, [3, 1]),
  )
  def test_bits_are_measured(self, options, planes):
    _, rows, _ = _run(_build(**options), num_rounds=2)
    for row, num_planes in zip(rows, planes):
      # Kernels of 30 and 15 entries; a float32 step size with each, down.
      self.assertAllClose(
          row['uplink_bits_per_param'], num_planes * 8 * (4 + 2) / 45
      )
      self.assertAllClose(
          row['downlink_bits_per_param'], 8 * (15 + 8 + 2 * 4) / 45
      )

  @parameterized.parameters(
      (dict(active_bits=5), 'active_bits must be at most bits, got 5 > 4'),
      (dict(sign_bit=True, active_bits=2), 'active_bits must be 1 with sign'),
      (
          dict(selector='fixed', fixed_bit=4),
          r'fixed_bit must be in \[0, 3\] with 1 active of 4 bits, got 4',
      ),
      (dict(bits=9), r'bits must be an integer in \[2, 8\], got 9'),
  )
  def test_refuses(self, options, message):
    with self.assertRaisesRegex(ValueError, message):
      algorithms.FedBiF(**options)

  def test_refuses_a_second_downlink(self):
    with self.assertRaisesRegex(ValueError, 'downlink_bits=8 is for methods'):
      algorithms.build_fedbif(
          learning.keras_model_fn(tiny.dense_model, tiny.element_spec()),
          element_spec=tiny.element_spec(),
          downlink_bits=8,
      )


class DownlinkBitsTest(tf.test.TestCase, parameterized.TestCase):

  def test_other_methods_train_on_quantized_weights(self):
    process = algorithms.build_fedbat(
        learning.keras_model_fn(tiny.dense_model, tiny.element_spec()),
        element_spec=tiny.element_spec(),
        downlink_bits=8,
    )
    output = process.next(process.initialize(), [tiny.client(12)])
    row = learning.round_metrics(output.metrics)
    self.assertAllClose(row['downlink_bits_per_param'], 8 + 2 * 32 / 45)
    self.assertIn('sparsity', row)
    self.assertTrue(np.isfinite(row['train_loss']))

  @parameterized.parameters(1, 17, 31, 33)
  def test_refuses(self, downlink_bits):
    with self.assertRaisesRegex(
        ValueError,
        rf'downlink_bits must be 32 or an integer in \[2, 16\], got'
        rf' {downlink_bits}',
    ):
      algorithms.build_fedavg(
          learning.keras_model_fn(tiny.dense_model, tiny.element_spec()),
          element_spec=tiny.element_spec(),
          downlink_bits=downlink_bits,
      )


if __name__ == '__main__':
  tf.test.main()
