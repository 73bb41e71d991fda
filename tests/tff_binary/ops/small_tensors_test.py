# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of what small tensors are asked together."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.ops import small_tensors

# Small and large ones, scalars, of several dtypes, and one without entries.
_SHAPES = {
    'float32': [(3,), (), (2, 2), (70, 130), (0,), ()],
    'float64': [(5,), ()],
    'bfloat16': [(4,)],
}


def _zeros():
  return [
      np.zeros(shape, tf.dtypes.as_dtype(dtype).as_numpy_dtype)
      for dtype, shapes in _SHAPES.items()
      for shape in shapes
  ]


class SmallTensorsTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(np.nan, np.inf, -np.inf, 1e-30, -1.0)
  def test_one_entry_anywhere_tells(self, entry):
    is_finite = bool(np.isfinite(entry))
    for i, x in enumerate(_zeros()):
      for position in {0, x.size // 2, x.size - 1} if x.size else ():
        tensors = _zeros()
        tensors[i].flat[position] = entry
        self.assertEqual(small_tensors.are_finite(tensors), is_finite)
        self.assertFalse(small_tensors.are_zero(tensors))

  def test_nothing_to_tell(self):
    for tensors in (_zeros(), [], [np.zeros((0, 2), np.float32)]):
      self.assertTrue(small_tensors.are_finite(tensors))
      self.assertTrue(small_tensors.are_zero(tensors))
    integers = [tf.constant([0, 0]), tf.constant(1)]
    self.assertTrue(small_tensors.are_zero(integers[:1]))
    self.assertFalse(small_tensors.are_zero(integers))

  def test_operations_do_not_grow_with_the_small_tensors(self):
    def num_operations(shapes):
      specs = [tf.TensorSpec(shape) for shape in shapes]
      graph = tf.function(lambda *x: small_tensors.are_finite(list(x)))
      operations = graph.get_concrete_function(*specs).graph.get_operations()
      return len(operations) - len(specs)  # Each has its placeholder.

    few, many = [(3,), (), ()], [(3,)] * 20 + [()] * 30
    self.assertEqual(num_operations(few), num_operations(many))
    # A large one is asked by itself, not copied.
    self.assertGreater(num_operations([*few, (100, 100)]), num_operations(few))

  def test_small_is_what_has_few_entries_for_sure(self):
    for shape, is_small in (
        ((), True), ((2**13,), True), ((2**13 + 1,), False), ((64, 128), True),
        ((None, 2), False), (None, False),
    ):  # pyformat: disable
      self.assertEqual(small_tensors.is_small(tf.TensorSpec(shape)), is_small)


if __name__ == '__main__':
  tf.test.main()
