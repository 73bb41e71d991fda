# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Trains FedAvg and FedBAT on scikit-learn's digits and compares them.

What `make train` runs. Run again, it resumes what was stopped and repeats the
comparison of what is finished.
"""

import os
import statistics

from absl import flags

from launchers import cli
from launchers import runtime_flags
from tff_binary import algorithms
from tff_binary.programs import curves

flags.adopt_module_key_flags(runtime_flags)

_OUTPUT_DIR = flags.DEFINE_string(
    'output_dir',
    os.path.join('runs', 'quickstart'),
    'The folder of both runs and of curves.png.',
)
_ROUNDS = flags.DEFINE_integer('rounds', 20, 'Number of rounds.', 1)

_NUM_CLIENTS = 10
_ROW = '{:<8}' + 6 * '{:>17}'


def main(argv):
  if len(argv) > 1:
    raise cli.UsageError(f'all arguments are flags, got {argv[1]!r}')
  runtime = runtime_flags.read()
  with cli.quiet_imports():
    # pylint: disable=g-import-not-at-top
    import tasks
    from tff_binary import learning
    from tff_binary.programs import training
    # pylint: enable=g-import-not-at-top

  task = tasks.load('digits', seed=1)
  partition = tasks.partition.split('iid', task.train_labels, _NUM_CLIENTS)
  table = [
      _ROW.format(
          '',
          'test accuracy',
          'bits/param up',
          'bits/param down',
          'bytes up',
          'bytes down',
          'seconds/round',
      )
  ]
  runs = {}
  for name in ('fedavg', 'fedbat'):
    title = algorithms.get(name).title
    runs[title] = os.path.join(_OUTPUT_DIR.value, name)
    print(
        f'{title}: {_ROUNDS.value} rounds with {_NUM_CLIENTS} clients',
        flush=True,
    )
    result = training.train(
        task.build_model,
        [(task.train_features[p], task.train_labels[p]) for p in partition],
        test=(task.test_features, task.test_labels),
        algorithm=name,
        local_training=learning.LocalTraining(
            local_epochs=5, batch_size=16, preprocess_fn=task.preprocess_train
        ),
        preprocess_test_fn=task.preprocess_test,
        rounds=_ROUNDS.value,
        seed=1,
        output_dir=runs[title],
        runtime=runtime,
    )
    summary = result.summary
    # The median leaves out the first round, which compiles.
    seconds = statistics.median(row['round_seconds'] for row in result.history)
    table.append(
        _ROW.format(
            title,
            f'{summary["last_test_accuracy"]:.4f}',
            f'{summary["uplink_bits_per_param"]:.4f}',
            f'{summary["downlink_bits_per_param"]:.4f}',
            f'{summary["uplink_bytes"]:,}',
            f'{summary["downlink_bytes"]:,}',
            f'{seconds:.2f}',
        )
    )
  plot = os.path.join(_OUTPUT_DIR.value, 'curves.png')
  curves.plot_curves(runs.values(), plot, labels=list(runs))
  print('\n'.join(['', *table, '', f'Curves: {plot}']))


if __name__ == '__main__':
  cli.run(main)
