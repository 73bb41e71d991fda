# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""By how many KB the launcher and its worker grow with every round.

  python -m benchmarks.round_memory --rounds=500

It trains small clients as `launchers.train` does, with an output folder,
evaluation, checkpoints and client states, each algorithm in a process of its
own, and prints the resident memory of the launcher and of the worker. The
slopes are those through the second half of the rounds, when pools and caches
are full: medians of the slopes between any two of them (Theil and Sen), since
the system takes back what is freed now and then, for a few rounds. A round that
leaves a float32 copy of the kernels behind would add the `KB a copy` of the last
column. `benchmarks.worker_memory` is about many clients a round, without the
launcher's files.

No data set is needed. Both processes keep freed memory for themselves, as in
the launchers.
"""

import argparse
import io
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import psutil
import scipy.stats

ALGORITHMS = ('fedavg', 'fedbat', 'fedbif', 'ef_signsgd', 'dadaquant')
_NUM_CLIENTS = 4
_NUM_EXAMPLES = 20
_NUM_FEATURES = 64
_NUM_CLASSES = 4
_NUM_UNITS = 2048
_KERNEL_ENTRIES = (_NUM_FEATURES + _NUM_CLASSES) * _NUM_UNITS


def memory(process):
  """Returns the bytes that a process holds, the pages of files left out.

  The system takes these back as it likes, megabytes at a time.
  """
  status = pathlib.Path(f'/proc/{process.pid}/status').read_text()
  return 1024 * sum(
      int(kb) for kb in re.findall(r'Rss(?:Anon|Shmem):\s+(\d+) kB', status)
  )


class _MemoryAfterRounds(io.TextIOBase):
  """A stream of progress lines that measures memory at every one of them."""

  def __init__(self):
    super().__init__()
    self.rows = []
    self._launcher = psutil.Process()
    self._worker = None

  def write(self, text):
    if text.startswith('round '):
      if self._worker is None:
        (self._worker,) = self._launcher.children()
      self.rows.append([memory(self._launcher), memory(self._worker)])
    return len(text)


def measure(algorithm, rounds):
  """Trains; returns the memory after every round.

  Args:
    algorithm: The name of an algorithm.
    rounds: How many rounds to train.

  Returns:
    An array of shape `[rounds, 2]`: bytes of the launcher and of the worker.
  """
  # The process that starts the others needs none of these.
  # pylint: disable=g-import-not-at-top
  import tensorflow as tf

  from tff_binary import learning
  from tff_binary import programs
  from tff_binary import runtime
  # pylint: enable=g-import-not-at-top

  def model_fn():
    return tf.keras.Sequential([
        tf.keras.Input((_NUM_FEATURES,)),
        tf.keras.layers.Dense(_NUM_UNITS, activation='relu'),
        tf.keras.layers.Dense(_NUM_CLASSES),
    ])

  random = np.random.RandomState(0)

  def examples():
    features = random.rand(_NUM_EXAMPLES, _NUM_FEATURES).astype(np.float32)
    return features, random.randint(_NUM_CLASSES, size=_NUM_EXAMPLES)

  runtime.keep_freed_memory()
  stream = _MemoryAfterRounds()
  with tempfile.TemporaryDirectory() as folder:
    programs.train(
        model_fn,
        [examples() for _ in range(_NUM_CLIENTS)],
        test=examples(),
        algorithm=algorithm,
        rounds=rounds,
        local_training=learning.LocalTraining(local_epochs=1, batch_size=10),
        output_dir=folder,
        progress=stream,
    )
  return np.array(stream.rows)


def slopes(rows):
  """Returns the launcher's and the worker's bytes a round, settled."""
  settled = rows[len(rows) // 2 :]
  return np.array([scipy.stats.theilslopes(column)[0] for column in settled.T])


def main():
  parser = argparse.ArgumentParser(
      description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--rounds', type=int, default=500)
  parser.add_argument('--algorithms', nargs='+', default=ALGORITHMS)
  args = parser.parse_args()
  if len(args.algorithms) > 1:
    for i, algorithm in enumerate(args.algorithms):
      command = [sys.executable, '-m', 'benchmarks.round_memory']
      options = [f'--rounds={args.rounds}', f'--algorithms={algorithm}']
      output = subprocess.run(
          command + options, check=True, stdout=subprocess.PIPE, text=True
      ).stdout
      print(output if i == 0 else output.split('\n', 1)[1], end='', flush=True)
    return
  (algorithm,) = args.algorithms
  rows = measure(algorithm, args.rounds)
  print(
      f'{"":12}{"launcher MB":>12}{"KB a round":>11}{"worker MB":>10}'
      f'{"KB a round":>11}{"KB a copy":>10}'
  )
  launcher, worker = rows[-1] / 1e6
  launcher_slope, worker_slope = slopes(rows) / 1e3
  print(
      f'{algorithm:12}{launcher:12.1f}{launcher_slope:11.2f}{worker:10.1f}'
      f'{worker_slope:11.2f}{4 * _KERNEL_ENTRIES / 1e3:10.1f}'
  )


if __name__ == '__main__':
  main()
