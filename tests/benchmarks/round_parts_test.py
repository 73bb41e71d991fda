# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for the benchmark of the parts of a round."""

from absl.testing import absltest
from absl.testing import parameterized
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks import round_parts


class RoundPartsTest(parameterized.TestCase):

  def test_time_counts_where_it_is_spent(self):
    second = 10**12
    events = [
        (0, 10 * second),  # Has the next two inside,
        (1 * second, 4 * second),
        (2 * second, 1 * second),  # this one in that one,
        (6 * second, 3 * second),
        (10 * second, 2 * second),  # and is over when this one begins.
    ]
    expected = [3.0, 3.0, 1.0, 3.0, 2.0]
    self.assertEqual(round_parts.self_seconds(events), expected)
    self.assertEqual(
        round_parts.self_seconds(events[::-1]), expected[::-1]
    )

  def test_counts_operations_of_all_threads(self):
    space = xplane_pb2.XSpace()
    plane = space.planes.add()
    names = ('while/conv:Conv2D', 'ExecutorState::Process', 'other:Conv2D')
    for number, name in enumerate(names):
      plane.event_metadata[number].name = name
    for numbers in ((1, 0), (2,)):
      line = plane.lines.add()
      for number in numbers:
        line.events.add(
            metadata_id=number, duration_ps=(1 + number) * 10**12
        )
    self.assertEqual(
        round_parts.seconds_by_operation(space), {'Conv2D': 4.0}
    )

  @parameterized.parameters(
      ('_MklNativeConv2DBackpropFilter', 'convolutions and matrix products'),
      ('FusedBatchNormV3', 'other layers and the loss'),
      ('StatelessRandomUniformV2', 'random numbers'),
      ('MakeIterator', 'reading and batching'),
      ('AddV2', 'all other operations'),
  )
  def test_every_operation_has_a_part(self, operation, part):
    self.assertEqual(round_parts.part_of(operation), part)


if __name__ == '__main__':
  absltest.main()
