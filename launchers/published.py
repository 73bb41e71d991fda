# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Published tables: what papers report, and the flags that repeat it.

tables/NAME.json holds a table:

  title, source: Of the table, to be cited.
  cells: What the parts of a cell's name are, in their order.
  score: What of a run is compared: best, last or mean_of_last_5, of its test
    accuracy in percent.
  score_source: Where that is from.
  seeds: The number of repetitions behind each number; null if not known.
  settings: Flags of launchers.train and notes for cells whose names match a
    pattern; a later flag overrides an earlier one. A note says where a setting
    is from, or that it is not established.
  published: By the cells' names, accuracy and deviation over the repetitions in
    percent, bits per parameter; or a claim, where the paper has no number.
"""

import dataclasses
import fnmatch
import json
import pathlib
from typing import Optional

from launchers import cli

_FOLDER = pathlib.Path(__file__).parent / 'tables'


@dataclasses.dataclass(frozen=True)
class Cell:
  """A published number.

  Attributes:
    name: Its name in the table, parts joined by slashes.
    flags: The flags of launchers.train that repeat it, without seed and folder.
    notes: What is to be known about them, a tuple of sentences.
    accuracy: Mean test accuracy in percent, or None.
    deviation: Its standard deviation over repetitions, or None.
    uplink_bits: Bits per parameter up, or None.
    downlink_bits: Bits per parameter down, or None.
    claim: What the paper says in words, or None.
  """

  name: str
  flags: tuple[str, ...]
  notes: tuple[str, ...]
  accuracy: Optional[float] = None
  deviation: Optional[float] = None
  uplink_bits: Optional[float] = None
  downlink_bits: Optional[float] = None
  claim: Optional[str] = None


@dataclasses.dataclass(frozen=True)
class Table:
  """A published table.

  Attributes:
    name: The name of its file.
    title: What it compares.
    source: Where it is published.
    parts: What the parts of a cell's name are.
    score: What of a run is compared.
    score_source: Where that is from.
    seeds: The number of repetitions, or None if it is not known.
    cells: A list of `Cell`.
  """

  name: str
  title: str
  source: str
  parts: tuple[str, ...]
  score: str
  score_source: str
  seeds: Optional[int]
  cells: list[Cell]

  def select(self, patterns):
    """Returns the cells whose names match one of the patterns.

    Args:
      patterns: A list of patterns as of a shell, whose `*` matches slashes too.

    Returns:
      A list of `Cell`, in the order of the table.

    Raises:
      cli.UsageError: If a pattern matches none; it names what there is.
    """
    for pattern in patterns:
      if not any(_matches(cell.name, pattern) for cell in self.cells):
        columns = zip(*(cell.name.split('/') for cell in self.cells))
        allowed = ' / '.join(','.join(dict.fromkeys(c)) for c in columns)
        raise cli.UsageError(
            f'--cells={pattern} matches no cell of {self.name}; they are'
            f' {"/".join(self.parts)}, of {allowed}'
        )
    return [
        cell
        for cell in self.cells
        if any(_matches(cell.name, pattern) for pattern in patterns)
    ]


def _matches(name, pattern):
  return fnmatch.fnmatchcase(name, pattern)


def names():
  """Returns the names of the tables, sorted."""
  return sorted(path.stem for path in _FOLDER.glob('*.json'))


def load(name):
  """Returns the `Table` of this name, one of `names()`."""
  contents = json.loads((_FOLDER / f'{name}.json').read_text(encoding='utf-8'))
  cells = []
  for cell, numbers in contents['published'].items():
    settings = [s for s in contents['settings'] if _matches(cell, s['cells'])]
    flags = [flag for s in settings for flag in s.get('flags', ())]
    notes = dict.fromkeys(s['note'] for s in settings if 'note' in s)
    cells.append(Cell(cell, _last_of_each(flags), tuple(notes), **numbers))
  return Table(
      name=name,
      parts=tuple(contents['cells'].split('/')),
      cells=cells,
      **{
          field: contents[field]
          for field in ('title', 'source', 'score', 'score_source', 'seeds')
      },
  )


def _last_of_each(flags):
  """Leaves out the flags that a later one of the same name overrides."""
  return tuple({flag.split('=')[0]: flag for flag in flags}.values())
