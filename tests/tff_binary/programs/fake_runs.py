# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Folders of runs that never ran, for tests of what reads them."""

from tff_binary.programs import metrics

# A client's, of all that it sends and receives, for each compressed entry.
UPLINK_BITS_TOTAL = 1.5
DOWNLINK_BITS_TOTAL = 32.5


def write(path, accuracies):
  """Writes the metrics of a run.

  Args:
    path: The folder, a `pathlib.Path`, which is created.
    accuracies: The test accuracy after each round, None where it was not
      evaluated. A round sends half a megabyte up and one down.
  """
  path.mkdir(parents=True)
  history = metrics.History()
  for i, accuracy in enumerate(accuracies, start=1):
    history.append(
        {
            'round_num': i,
            'train_accuracy': 0.0,
            'test_accuracy': accuracy,
            'uplink_bytes': 500_000,
            'downlink_bytes': 1_000_000,
            'uplink_bits_per_param': 1.0,
            'downlink_bits_per_param': 32.0,
            'uplink_bits_per_param_total': UPLINK_BITS_TOTAL,
            'downlink_bits_per_param_total': DOWNLINK_BITS_TOTAL,
            'round_seconds': 0.5,
            'eval_seconds': None,
        }
    )
  history.write(path)
