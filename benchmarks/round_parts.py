# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Where the time of a round goes, in percent, by TensorFlow's profiler.

  python -m benchmarks.round_parts --algorithms fedavg fedbat fedbif

One process trains the CNN of the FedBAT paper (389,920 kernel weights) on
random images, client after client on one thread, with the device worker inside
of it. After a round that builds what is built once, a round of each algorithm
is profiled. An operation counts with the time in which it and no operation that
it calls is at work; what is left of the round's seconds is TFF, Python, the
protocol between launcher and worker, and TensorFlow's executors. `--top=10`
adds the operations that take most.
"""

import argparse
import collections
import pathlib
import re
import tempfile
import time

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks import round_time
from benchmarks import timing
from tff_binary import runtime

# Where an operation is counted: in the first part whose pattern it has.
_PARTS = {
    'convolutions and matrix products': 'Conv2D|MatMul',
    'other layers and the loss': 'BatchNorm|Relu|Pool|Softmax|BiasAdd',
    'random numbers': 'Random|Fingerprint',
    'reading and batching': (
        'Iterator|Dataset|Optional|ReadFile|Parse|Shuffle|Gather|DecodeRaw'
    ),
    'all other operations': '',
}
_REST = 'TFF, Python, protocol, executors'


def part_of(operation):
  """Returns the name of the part that counts an operation, such as 'Conv2D'."""
  return next(
      name for name, pattern in _PARTS.items() if re.search(pattern, operation)
  )


def self_seconds(events):
  """Returns the seconds that events last, without those inside of them.

  Args:
    events: Pairs of a start and a duration, in picoseconds, of one thread: two
      of them follow one another, or one is inside the other.

  Returns:
    A list of floats, in the order of the events.
  """
  result = [duration / 1e12 for _, duration in events]
  outer = []
  for i in sorted(
      range(len(events)), key=lambda i: (events[i][0], -events[i][1])
  ):
    start, duration = events[i]
    while outer and sum(events[outer[-1]]) <= start:
      outer.pop()
    if outer:
      result[outer[-1]] -= duration / 1e12
    outer.append(i)
  return result


def seconds_by_operation(space):
  """Returns a `Counter` of the seconds of each kind of operation.

  Args:
    space: An `XSpace` message of TensorFlow's profiler.
  """
  seconds = collections.Counter()
  for plane in space.planes:
    for line in plane.lines:
      own = self_seconds([(e.offset_ps, e.duration_ps) for e in line.events])
      for event, event_seconds in zip(line.events, own):
        # Of operations it is 'name:kind', of all else such as 'Class::Method'.
        name = plane.event_metadata[event.metadata_id].name
        _, *kind = name.split(':')
        if len(kind) == 1:
          seconds[kind[0].strip()] += event_seconds
  return seconds


def _profile(function):
  """Returns a function's seconds, and those of its operations by kind."""
  options = tf.profiler.experimental.ProfilerOptions(
      host_tracer_level=2, python_tracer_level=0, device_tracer_level=0
  )
  with tempfile.TemporaryDirectory() as folder:
    tf.profiler.experimental.start(folder, options)
    start = time.perf_counter()
    function()
    seconds = time.perf_counter() - start
    tf.profiler.experimental.stop()
    (path,) = pathlib.Path(folder).rglob('*.xplane.pb')
    space = xplane_pb2.XSpace.FromString(path.read_bytes())
  return seconds, seconds_by_operation(space)


def main():
  parser = argparse.ArgumentParser(
      description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument(
      '--algorithms', nargs='+', default=['fedavg', 'fedbat']
  )
  parser.add_argument('--model', default='fedbat_cnn')
  parser.add_argument('--num_clients', type=int, default=5)
  parser.add_argument('--num_examples', type=int, default=600)
  parser.add_argument('--local_epochs', type=int, default=2)
  parser.add_argument('--batch_size', type=int, default=64)
  parser.add_argument('--top', type=int, default=0)
  args = parser.parse_args()
  tf.config.threading.set_inter_op_parallelism_threads(1)
  tf.config.threading.set_intra_op_parallelism_threads(1)
  timing.print_machine()
  parts = {name: [] for name in (*_PARTS, _REST, 'seconds')}
  by_operation = {}
  for algorithm in args.algorithms:
    with tempfile.TemporaryDirectory() as folder, runtime.execution_context(
        runtime.Runtime('device', in_process=True, clients_per_device=1)
    ):
      store, _ = round_time.write_random_clients(
          folder, args.num_clients, args.num_examples
      )
      run_round = round_time.our_round(algorithm, store, args)
      run_round()
      seconds, by_operation[algorithm] = _profile(run_round)
    shares = collections.Counter()
    for operation, operation_seconds in by_operation[algorithm].items():
      shares[part_of(operation)] += 100.0 * operation_seconds / seconds
    for name in _PARTS:
      parts[name].append(f'{shares[name]:.1f}')
    parts[_REST].append(f'{100.0 - sum(shares.values()):.1f}')
    parts['seconds'].append(f'{seconds:.2f}')
  timing.print_table(
      [[name, *values] for name, values in parts.items()],
      ['percent of a round', *args.algorithms],
  )
  for algorithm, seconds in by_operation.items():
    for operation, operation_seconds in seconds.most_common(args.top):
      print(f'{algorithm}: {operation} {operation_seconds:.3f} s')


if __name__ == '__main__':
  main()
