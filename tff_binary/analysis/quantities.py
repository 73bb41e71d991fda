# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What runs have left in their folders, as quantities over rounds.

From the models that `keep_models_every` has kept, or from the final one:
`lipschitz_bound`, `sparsity` and histograms. From the columns that
`observe_updates` has added to metrics.csv: `step_size`, `update_error`,
`update_cosine` and `flipped_bits`, see `learning.update_observer`. And of a
quantized downlink in any case `downlink_sparsity`.
"""

import collections
from collections.abc import Mapping, Sequence
import csv
import dataclasses
import math
import pathlib
import re
from typing import Any, Optional, Union
import zipfile

import numpy as np
import tensorflow as tf

from tff_binary import files
from tff_binary.analysis import lipschitz
from tff_binary.analysis import weights as weights_lib
from tff_binary.programs import metrics
from tff_binary.programs import models
from tff_binary.programs import run_folder

_MODELS = 'models'
_OBSERVED = ('step_size', 'update_error', 'update_cosine', 'flipped_bits')
_WHOLE_MODEL = 'model'
_KERAS_FILE = 'model.keras'

# From the number of rounds and the name of a tensor to a value.
Series = dict[tuple[int, str], float]


@dataclasses.dataclass
class Analysis:
  """What there is to know about one run.

  Attributes:
    quantities: For each quantity its values, by number of rounds and name of
      the tensor, `'model'` for all of it.
    histograms: By number of rounds and name of the kernel, edges and counts,
      see `weights.histogram`; one kernel has the same edges in all rounds.
    notes: Lines of text: what could not be computed and why.
  """

  quantities: dict[str, Series]
  histograms: dict[tuple[int, str], tuple[np.ndarray, np.ndarray]]
  notes: list[str]


def analyze(folder: Union[str, pathlib.Path]) -> Analysis:
  """Analyzes a finished run.

  Args:
    folder: What `programs.train` has left.

  Raises:
    DamagedFileError: If a file of the folder is not whole.
    RunFolderError: If the folder holds no finished run.
  """
  folder = pathlib.Path(folder)
  result = run_folder.RunFolder(folder).read_result()
  if result is None:
    raise run_folder.RunFolderError(
        f'{folder} holds no finished run (it has no result.json)'
    )
  rows = metrics.read_history(folder, result['rounds'])
  analysis = Analysis(collections.OrderedDict(), {}, [])
  model, reason = _load_model(folder, result['model'])
  if model is None:
    analysis.notes.append(f'no model to analyze: {reason}')
  else:
    _analyze_models(model, folder, result['rounds'], analysis)
  names = {} if model is None else _names(model)
  _read_columns(rows, names, analysis.quantities)
  return analysis


def _load_model(folder, name):
  """Returns the final model and None, or None and the reason."""
  if name != _KERAS_FILE:
    return None, f'{name}: only {_KERAS_FILE} is read, others may hold code'
  path = folder / name
  if not path.exists():
    raise files.DamagedFileError(path, 'it is missing')
  try:
    # Of any other format, whatever its name, Keras runs the code that it holds.
    if not zipfile.is_zipfile(path):
      raise ValueError('it is not of the Keras format')
    model = tf.keras.models.load_model(path, compile=False, safe_mode=True)
    return model, None
  except Exception as e:  # pylint: disable=broad-exception-caught
    # Whatever keeps Keras from making the user's classes again.
    return None, f'{name}: {files.reason(e)}'


def _names(model):
  """Returns the name of each trainable tensor by its position."""
  return {
      i: f'{i} {variable.name.split(":")[0]}'
      for i, variable in enumerate(model.trainable_weights)
  }


def _analyze_models(model, folder, rounds, analysis):
  """Adds what the kept models show, or the final one, which `model` holds."""
  kept = models.KeptModels(folder / _MODELS)
  # A run that is longer by now may have left models of later rounds.
  round_nums = [n for n in kept.round_nums if n <= rounds]
  names = _names(model)
  kernels = {
      name: variable
      for name, variable in zip(names.values(), model.trainable_weights)
      if variable.shape.rank >= 2
  }
  bound = None
  try:
    bound = lipschitz.LipschitzBound(model)
  except lipschitz.UnboundedError as e:
    analysis.notes.append(f'no Lipschitz bound: {e}')
  values = {}
  for round_num in round_nums or [rounds]:
    if round_nums:
      kept.load(model, round_num)
    for name, variable in kernels.items():
      values[round_num, name] = variable.numpy()
    if bound is not None:
      series = analysis.quantities.setdefault('lipschitz_bound', {})
      series[round_num, _WHOLE_MODEL] = bound()
  if values:
    analysis.quantities['sparsity'] = {
        key: weights_lib.sparsity(value) for key, value in values.items()
    }
  largest = collections.defaultdict(float)
  for (_, name), value in values.items():
    largest[name] = max(largest[name], float(np.max(np.abs(value), initial=0)))
  for (round_num, name), value in values.items():
    analysis.histograms[round_num, name] = weights_lib.histogram(
        value, largest[name]
    )


def _read_columns(rows, names, quantities):
  """Adds what metrics.csv has of each tensor."""
  for row in rows:
    for column, value in row.items():
      if value is None:
        continue
      quantity, tensor = None, None
      match = re.fullmatch(rf'train_({"|".join(_OBSERVED)})_(\d+)', column)
      if match:
        quantity = match[1]
        tensor = names.get(int(match[2]), match[2])
      elif column == 'sparsity':
        quantity, tensor = 'downlink_sparsity', _WHOLE_MODEL
      if quantity:
        series = quantities.setdefault(quantity, {})
        series[row['round_num'], tensor] = value


def write_csv(
    analyses: Mapping[str, Analysis], folder: pathlib.Path
) -> list[pathlib.Path]:
  """Writes a CSV file for each quantity and histograms.csv.

  Args:
    analyses: The analyses by the labels of their runs.
    folder: Where to.

  Returns:
    The files.
  """
  written = []

  def write(name, header, rows):
    written.append(folder / f'{name}.csv')
    with files.atomic_write(written[-1]) as temporary:
      with open(temporary, 'w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(header)
        writer.writerows(rows)

  for quantity in quantities_of(analyses):
    write(
        quantity,
        ['run', 'round', 'tensor', quantity],
        (
            [label, *key, value]
            for label, analysis in analyses.items()
            for key, value in analysis.quantities.get(quantity, {}).items()
        ),
    )
  if any(analysis.histograms for analysis in analyses.values()):
    write(
        'histograms',
        ['run', 'round', 'tensor', 'from', 'to', 'count'],
        (
            [label, *key, *bar]
            for label, analysis in analyses.items()
            for key, (edges, counts) in analysis.histograms.items()
            for bar in zip(edges, edges[1:], counts)
        ),
    )
  return written


def quantities_of(analyses: Mapping[str, Analysis]) -> list[str]:
  """Returns the names of the quantities that any of the runs has."""
  return list(
      dict.fromkeys(q for a in analyses.values() for q in a.quantities)
  )


def summarize(analyses: Mapping[str, Analysis]) -> list[Sequence[str]]:
  """Returns the rows of a table, the header first.

  One row for each run and quantity: the mean over the tensors after the first
  and after the last of the rounds, the smallest and the largest value of any
  tensor and round, and where the largest is. `q` is the root of the update
  error.

  Args:
    analyses: The analyses by the labels of their runs.
  """
  table: list[Sequence[str]] = [
      ('run', 'quantity', 'rounds', 'first', 'last', 'smallest', 'largest',
       'where')
  ]  # pyformat: disable
  for label, analysis in analyses.items():
    for quantity, series in analysis.quantities.items():
      table.append((label, quantity, *_summary(series)))
      if quantity == 'update_error':
        roots = {key: math.sqrt(value) for key, value in series.items()}
        table.append((label, 'q', *_summary(roots)))
  return table


def _summary(series: Series) -> tuple[Any, ...]:
  rounds = sorted({round_num for round_num, _ in series})

  def mean(round_num):
    return np.mean([v for (n, _), v in series.items() if n == round_num])

  where: Optional[tuple[int, str]] = max(series, key=series.get)
  return (
      f'{rounds[0]}..{rounds[-1]}',
      *(
          f'{value:.4g}'
          for value in (
              mean(rounds[0]),
              mean(rounds[-1]),
              min(series.values()),
              max(series.values()),
          )
      ),
      f'{where[1]}, round {where[0]}',
  )
