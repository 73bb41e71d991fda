# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
r"""Draws the accuracy of runs against rounds and megabytes, up and both ways.

python -m launchers.plot --output=curves.png --labels=FedAvg,FedBAT \
    runs/fedavg runs/fedbat

A folder of many runs, such as a sweep's, stands for all of them.
"""

from absl import flags

from launchers import cli
from tff_binary.programs import curves
from tff_binary.programs import recorded_runs

_OUTPUT = flags.DEFINE_string('output', 'curves.png', 'The PNG file to write.')
_LABELS = flags.DEFINE_list(
    'labels', None, 'A label for each run; the names of their folders if unset.'
)
_AGAINST = flags.DEFINE_list(
    'against',
    list(curves.AXES),
    f'Against what it is drawn, some of {",".join(curves.AXES)}, side by side.',
)


def main(argv):
  folders = recorded_runs.find(argv[1:])
  labels = cli.labels_of(folders, _LABELS.value)
  with cli.errors_named_by_flags():
    curves.plot_curves(
        dict(zip(labels, folders)), _OUTPUT.value, _AGAINST.value
    )
  print(_OUTPUT.value)


if __name__ == '__main__':
  cli.run(main)
