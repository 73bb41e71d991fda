# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for sub_tensors."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary.ops import sub_tensors


def _numbers(*shape):
  return np.arange(1, 1 + np.prod(shape)).reshape(shape).astype(np.float32)


class SubTensorTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(0, 1, 2)
  def test_blocks_of_a_convolution_lie_on_its_diagonal(self, block):
    kernel = _numbers(3, 3, 6, 9)
    sub_tensor = sub_tensors.SubTensor(kernel.shape, (3, 3, 2, 3))
    begin_in, begin_out = 2 * block, 3 * block
    expected = kernel[:, :, begin_in : begin_in + 2, begin_out : begin_out + 3]
    for number in (block, tf.constant(block)):
      self.assertAllEqual(sub_tensor.take(kernel, number), expected)
    self.assertEqual(sub_tensor.size, expected.size)

  def test_axis_of_full_size_has_one_block_only(self):
    kernel = _numbers(4, 3)
    sub_tensor = sub_tensors.SubTensor((4, 3), (2, 3))
    self.assertAllEqual(sub_tensor.take(kernel, 1), kernel[2:])

  def test_flattened_channels_are_taken_position_by_position(self):
    kernel = _numbers(5, 4, 3)  # Positions, channels, units.
    sub_tensor = sub_tensors.SubTensor((20, 3), (10, 3), num_positions=5)
    self.assertAllEqual(
        sub_tensor.take(kernel.reshape(20, 3), 1),
        kernel[:, 2:4].reshape(10, 3),
    )

  @parameterized.parameters(
      ((3, 3, 6, 9), (3, 3, 2, 3), 1),
      ((20, 6), (10, 3), 5),
      ((7,), (3,), 1),  # The last entry is in no block.
      ((4, 3), (4, 3), 1),
  )
  def test_put_puts_back_what_was_taken(self, shape, sub_shape, num_positions):
    tensor = _numbers(*shape)
    sub_tensor = sub_tensors.SubTensor(shape, sub_shape, num_positions)
    for block in (0, tf.constant(1)):
      taken = sub_tensor.take(tensor, block)
      put = sub_tensor.put(taken, block).numpy()
      self.assertEqual(np.count_nonzero(put), sub_tensor.size)
      self.assertAllEqual(put[put > 0.0], tensor[put > 0.0])
      self.assertAllEqual(sub_tensor.take(put, block), taken)


if __name__ == '__main__':
  tf.test.main()
