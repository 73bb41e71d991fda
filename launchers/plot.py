# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
r"""Draws the accuracy of runs against rounds and megabytes, up and both ways.

python -m launchers.plot --output=curves.png --labels=FedAvg,FedBAT \
    runs/fedavg runs/fedbat

A folder of many runs, such as a sweep's, stands for all of them. Runs that
differ in the seed alone are one curve, their mean, with a band of one standard
deviation. --against=bits draws one point for each: the mean of the last five
rounds against the bits per parameter of both ways together.
"""

from absl import flags

from launchers import cli
from tff_binary.programs import curves

_OUTPUT = flags.DEFINE_string('output', 'curves.png', 'The PNG file to write.')
_LABELS = flags.DEFINE_list(
    'labels',
    None,
    'A label for each configuration, in the order of the runs; the names of'
    ' their folders if unset.',
)
_AGAINST = flags.DEFINE_list(
    'against',
    list(curves.AXES),
    f'Against what it is drawn, some of {",".join(curves.PICTURES)}, side by'
    ' side.',
)


def main(argv):
  # Not at the top: its flags are no flags of this program.
  from launchers import train  # pylint: disable=g-import-not-at-top

  if len(argv) < 2:
    raise cli.UsageError('name at least one folder of a run, or of many runs')
  with cli.errors_named_by_flags():
    curves.plot_curves(
        argv[1:],
        _OUTPUT.value,
        _LABELS.value,
        _AGAINST.value,
        train.MAY_CHANGE,
    )
  print(_OUTPUT.value)


if __name__ == '__main__':
  cli.run(main)
