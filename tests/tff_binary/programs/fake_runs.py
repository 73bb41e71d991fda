# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Folders of runs that never ran, for tests of what reads them."""

from tff_binary.programs import metrics


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
            'uplink_bytes': 500_000,
            'downlink_bytes': 1_000_000,
            'test_accuracy': accuracy,
        }
    )
  history.write(path)
