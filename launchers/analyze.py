# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
r"""Analyzes the models and the updates of finished runs.

python -m launchers.train --output_dir=runs/fedbat --keep_models_every=5 \
    --observe_updates ...
python -m launchers.analyze --output_dir=analysis runs/fedbat runs/fedavg

Of every run: a bound of the model's Lipschitz constant, the sparsity and the
histograms of its kernels, in the rounds that --keep_models_every of
launchers.train has kept, or at the end; and with its --observe_updates step
sizes, the error that compression makes of updates, the cosine between the two,
and the share of bits that a round flips. A CSV file and a picture for each, and
a table.
"""

import pathlib

from absl import flags

from launchers import cli
from tff_binary.programs import recorded_runs

_OUTPUT_DIR = flags.DEFINE_string(
    'output_dir', 'analysis', 'The folder for files and pictures.'
)
_LABELS = flags.DEFINE_list(
    'labels', None, 'A label for each run; the names of their folders if unset.'
)


def main(argv):
  folders = recorded_runs.find(argv[1:])
  labels = cli.labels_of(folders, _LABELS.value)
  cli.make_output_dir(_OUTPUT_DIR.value)
  # Imported after the checks, which answer at once.
  with cli.quiet_imports():
    # pylint: disable-next=g-import-not-at-top
    from tff_binary import analysis as analysis_lib

  analyses = {
      label: analysis_lib.analyze(folder)
      for label, folder in zip(labels, folders)
  }
  folder = pathlib.Path(_OUTPUT_DIR.value)
  with cli.errors_named_by_flags():
    written = analysis_lib.write_csv(analyses, folder)
    for file in written:
      picture = file.with_suffix('.png')
      if file.stem == 'histograms':
        analysis_lib.plot_histograms(analyses, picture)
      else:
        analysis_lib.plot_quantity(analyses, file.stem, picture)
  header, *rows = analysis_lib.summarize(analyses)
  for row in [header, ['---'] * len(header), *rows]:
    print(f'| {" | ".join(row)} |')
  for label, analysis in analyses.items():
    for note in analysis.notes:
      print(f'{label}: {note}')
  print(f'files in {folder}')


if __name__ == '__main__':
  cli.run(main)
