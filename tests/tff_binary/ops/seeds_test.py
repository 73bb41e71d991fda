# Copyright 2026 The tff_binary Authors.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Tests for seeds."""

import itertools

import numpy as np
import tensorflow as tf

from tff_binary.ops import seeds

_SEED = tf.constant([1, 2])


class SeedsTest(tf.test.TestCase):

  def test_fold_in_is_a_function_of_its_arguments(self):
    in_graph = tf.function(seeds.fold_in)
    self.assertAllEqual(
        seeds.fold_in(_SEED, 3, 4), in_graph(_SEED, tf.constant(3), 4)
    )
    self.assertAllEqual(
        seeds.fold_in(_SEED, 3, 4), seeds.fold_in(seeds.fold_in(_SEED, 3), 4)
    )

  def test_rounds_clients_and_steps_do_not_share_noise(self):
    draws = {
        tuple(seeds.uniform([4], seeds.fold_in([run, 0], *path)).numpy())
        for run in range(2)
        for path in itertools.product(range(5), repeat=3)
    }
    self.assertLen(draws, 2 * 5**3)

  def test_order_matters(self):
    self.assertNotAllEqual(
        seeds.fold_in(_SEED, 3, 4), seeds.fold_in(_SEED, 4, 3)
    )

  def test_uniform_is_in_the_half_open_unit_interval(self):
    noise = seeds.uniform([100, 1000], _SEED).numpy()
    self.assertEqual(noise.dtype, np.float32)
    self.assertGreaterEqual(noise.min(), 0.0)
    self.assertLess(noise.max(), 1.0)
    # Five standard errors, 1 / sqrt(12 n) each.
    self.assertLess(abs(noise.mean() - 0.5), 5.0 / np.sqrt(12 * noise.size))

  def test_neighbouring_seeds_are_uncorrelated(self):
    a, b = (
        seeds.uniform([10**5], seeds.fold_in(_SEED, i)).numpy()
        for i in range(2)
    )
    # Five standard errors of a correlation, 1 / sqrt(n) each.
    self.assertLess(abs(np.corrcoef(a, b)[0, 1]), 5.0 / np.sqrt(10**5))

  def test_shuffle_permutes_the_first_dimension(self):
    value = tf.reshape(tf.range(200), [100, 2])
    shuffled = seeds.shuffle(value, _SEED)
    self.assertNotAllEqual(shuffled, value)
    self.assertAllEqual(np.sort(shuffled[:, 0]), value[:, 0])
    self.assertAllEqual(shuffled[:, 0] + 1, shuffled[:, 1])
    self.assertAllEqual(shuffled, seeds.shuffle(value, _SEED))


if __name__ == '__main__':
  tf.test.main()
