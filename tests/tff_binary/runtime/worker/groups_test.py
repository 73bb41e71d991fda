# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Values of several clients, held together."""

from absl.testing import absltest
import numpy as np
import tensorflow as tf

from tff_binary.runtime.worker import groups
from tff_binary.runtime.worker import values


def _numbers(rows):
  return [float(row) for row in rows]


class ColumnTest(absltest.TestCase):

  def test_rows_and_the_stacked_tensor_are_made_of_each_other(self):
    column = groups.Column(rows=[tf.constant(float(i)) for i in range(3)])
    self.assertEqual(column.num_bytes, 12)
    stacked = column.stacked()
    np.testing.assert_array_equal(stacked, [0.0, 1.0, 2.0])
    self.assertEqual(_numbers(column.rows()), [0.0, 1.0, 2.0])
    again = groups.Column(stacked=stacked)
    self.assertEqual(again.num_bytes, 12)
    self.assertEqual(_numbers(again.rows()), [0.0, 1.0, 2.0])

  def test_different_shapes_do_not_stack_and_are_kept(self):
    rows = [tf.zeros([1]), tf.zeros([2])]
    column = groups.Column(rows=rows)
    self.assertIsNone(column.stacked())
    self.assertEqual(column.num_bytes, 12)
    self.assertIs(column.rows()[1], rows[1])

  def test_size_of_strings_is_that_of_their_bytes(self):
    rows = [tf.constant('ab'), tf.constant('cde')]
    self.assertEqual(groups.Column(rows=rows).num_bytes, 5)
    self.assertEqual(groups.Column(stacked=tf.stack(rows)).num_bytes, 5)


class GroupTest(absltest.TestCase):

  def test_members_come_back(self):
    shared = tf.constant(7.0)
    members = [
        (tf.constant(i), (), (shared, values.Sequence(tf.constant(str(i)))))
        for i in range(4)
    ]
    group = groups.from_members(members)
    self.assertEqual(group.size, 4)
    # What is one object for all is no column.
    self.assertIs(group.value[2][0], shared)
    self.assertIsInstance(group.value[0], groups.Column)
    for i, member in enumerate(group.members()):
      number, nothing, (seven, sequence) = member
      self.assertEqual(int(number), i)
      self.assertEqual(nothing, ())
      self.assertIs(seven, shared)
      self.assertEqual(sequence.graph.numpy().decode(), str(i))

  def test_functions_and_single_clients_are_members_too(self):
    group = groups.from_members([abs])
    self.assertEqual(group.members(), [abs])
    self.assertEqual(groups.from_members([abs, max]).members(), [abs, max])

  def test_structs_of_different_lengths_are_refused(self):
    with self.assertRaises(ValueError):
      groups.from_members([(tf.constant(1),), ()])


if __name__ == '__main__':
  absltest.main()
