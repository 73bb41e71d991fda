# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
r"""Writes one web page about runs: curves, tables, and settings that differ.

python -m launchers.report --output=report.html --labels=FedAvg,FedBAT \
    runs/fedavg runs/fedbat

A folder of many runs, such as a sweep's, stands for all of them. Runs that
differ in the seed alone are one configuration, shown by mean and deviation. The
page is one file that loads nothing. With --output=report.md the tables of
results and bits alone are written, in Markdown.
"""

from absl import flags

from launchers import cli
from tff_binary.programs import report

_OUTPUT = flags.DEFINE_string(
    'output', 'report.html', 'The file to write, .html or .md.'
)
_LABELS = flags.DEFINE_list(
    'labels',
    None,
    'A label for each configuration, in the order of the runs; the names of'
    ' their folders if unset.',
)
_TARGET = flags.DEFINE_float(
    'target',
    None,
    'Shows the megabytes until the metric is as good as this too, such as 0.88.',
)


def main(argv):
  # Not at the top: its flags are no flags of this program.
  from launchers import train  # pylint: disable=g-import-not-at-top

  if len(argv) < 2:
    raise cli.UsageError('name at least one folder of a run, or of many runs')
  with cli.errors_named_by_flags():
    report.write_report(
        argv[1:],
        _OUTPUT.value,
        _LABELS.value,
        train.MAY_CHANGE,
        _TARGET.value,
    )
  print(_OUTPUT.value)


if __name__ == '__main__':
  cli.run(main)
