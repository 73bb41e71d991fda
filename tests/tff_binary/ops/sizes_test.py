# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for sizes."""

import tensorflow as tf

from tff_binary.ops import sizes


class NumBytesTest(tf.test.TestCase):

  def test_adds_the_bytes_of_all_entries(self):
    struct = {
        'a': [tf.zeros([2, 3]), tf.zeros([5], tf.uint8)],
        'b': tf.zeros(()),
    }
    self.assertAllEqual(sizes.num_bytes(struct), 2 * 3 * 4 + 5 + 4)
    self.assertEqual(sizes.num_bytes(struct).dtype, tf.int64)

  def test_nothing(self):
    self.assertAllEqual(sizes.num_bytes([]), 0)

  def test_counts_a_tensor_of_unknown_length(self):
    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.int32), tf.TensorSpec([4])]
    )
    def num_bytes(dynamic, static):
      return sizes.num_bytes([dynamic, static])

    self.assertAllEqual(num_bytes([1, 2, 3], tf.zeros([4])), 3 * 4 + 4 * 4)

  def test_is_a_constant_where_all_shapes_are_static(self):
    with tf.Graph().as_default():
      x = tf.compat.v1.placeholder(tf.float32, [7])
      self.assertEqual(tf.get_static_value(sizes.num_bytes([x] * 3)), 84)


if __name__ == '__main__':
  tf.test.main()
