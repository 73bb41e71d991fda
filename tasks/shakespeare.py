# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The `shakespeare` task: the next character of a speaking role, by an LSTM.

A client is a role of Shakespeare's plays. The text is TFF's federated data set
(715 roles), or a plain text file of speeches.

Sources: McMahan et al., "Communication-Efficient Learning of Deep Networks from
Decentralized Data", AISTATS 2017 (the task, the split by lines, the model);
Caldas et al., "LEAF: A Benchmark for Federated Settings", 2018;
`tff.simulation.baselines.shakespeare` (vocabulary and special ids).
"""

import functools
import lzma
import os
import sqlite3
import tempfile

import numpy as np
import tensorflow as tf

from tasks import checks
from tasks import downloads
from tasks import models
from tasks import registry
from tasks import sequences

_FOLDER = 'shakespeare'
_DATABASE = 'shakespeare.sqlite.lzma'
_TEXT = 'shakespeare.txt'
_URL = f'https://storage.googleapis.com/tff-datasets-public/{_DATABASE}'
# TFF publishes none; this one is FedJAX's, of the file at the same address.
_DATABASE_SHA256 = (
    'd3d11fceb9e105439ac6f4d52af6efafed5a2a1e1eb24c5bd2dd54ced242f5c4'
)

_SEQUENCE_LENGTH = 80
# Of TFF's tutorial on text generation and of its baseline, in their order.
_VOCABULARY = (
    b'dhlptx@DHLPTX $(,048cgkoswCGKOSW[_#\'/37;?bfjnrvzBFJNRVZ"&*.26:\n'
    b'aeimquyAEIMQUY]!%)-159\r'
)
_OUT_OF_VOCABULARY = len(_VOCABULARY) + 1
_BEGIN = len(_VOCABULARY) + 2
_END = len(_VOCABULARY) + 3
_NUM_IDS = len(_VOCABULARY) + 4


def _build_id_table():
  table = np.full([256], _OUT_OF_VOCABULARY, np.uint8)
  for index, character in enumerate(_VOCABULARY):
    table[character] = index + 1  # 0 is the padding.
  return table


_ID_TABLE = _build_id_table()


def _check_database(data, origin):
  downloads.check_official(data, _DATABASE, _DATABASE_SHA256, origin)


def _read_database(path):
  """Reads TFF's data set.

  Args:
    path: The compressed SQLite file.

  Returns:
    A dict from roles, sorted, to a pair of lists of snippets, bytes, to train
    and to test.

  Raises:
    ValueError: If it is not the official file.
  """
  with open(path, 'rb') as file:
    data = file.read()
  _check_database(data, path)
  roles = {}
  with tempfile.TemporaryDirectory() as folder:
    database = os.path.join(folder, 'shakespeare.sqlite')
    with open(database, 'wb') as file:
      file.write(lzma.decompress(data))
    connection = sqlite3.connect(database)
    rows = connection.execute(
        'SELECT client_id, split_name, serialized_example_proto FROM examples'
        ' ORDER BY client_id, rowid'
    )
    for role, split, serialized in rows:
      example = tf.train.Example.FromString(serialized)
      snippet = example.features.feature['snippets'].bytes_list.value[0]
      train, test = roles.setdefault(role, ([], []))
      (test if split == 'test' else train).append(snippet)
    connection.close()
  return roles


def _split_lines(lines):
  """Returns a role's first 80 % of lines and the others, at least one."""
  num_test = -(-len(lines) // 5)
  return [b'\n'.join(lines[:-num_test])], [b'\n'.join(lines[-num_test:])]


def _read_text(path):
  """Reads a text of speeches, and splits it as FedAvg's paper does.

  Args:
    path: A file of speeches that are separated by blank lines. The first line
      of a speech is its role, followed by a colon.

  Returns:
    A dict from roles, in the order of their first speech, to a pair of lists of
    one text each, bytes: the first 80 % of the role's lines to train, the last
    20 %, rounded up, to test. Roles of a single line are left out.

  Raises:
    ValueError: If a speech does not begin with a role, or no role says two
      lines.
  """
  with open(path, 'rb') as file:
    lines = file.read().splitlines()
  roles = {}
  speech = None
  for number, line in enumerate(lines, 1):
    line = line.rstrip()
    if not line:
      speech = None
    elif speech is not None:
      speech.append(line)
    elif line.endswith(b':'):
      speech = roles.setdefault(line[:-1].decode(errors='replace'), [])
    else:
      raise ValueError(
          f'line {number} of {path} must be a role and a colon, since it begins'
          f' a speech, got {line[:40].decode(errors="replace")!r}'
      )
  roles = {
      role: _split_lines(spoken)
      for role, spoken in roles.items()
      if len(spoken) > 1
  }
  if not roles:
    raise ValueError(f'{path} holds no role that says two lines or more')
  return roles


def _cached(cache_dir):
  """Returns the path of the data base in the cache, downloading it first."""
  folder = downloads.cache_folder(cache_dir, _FOLDER)
  path = os.path.join(folder, _DATABASE)
  if not os.path.isfile(path):
    downloads.download(
        [_URL],
        path,
        _check_database,
        "TFF's Shakespeare data set",
        f'fetch {_URL} elsewhere and put it into {folder}, or give as data_dir'
        f' a folder with it or with a plain text {_TEXT}, whose speeches are'
        ' separated by blank lines and begin with a line ROLE:',
    )
  return path


def load_roles(data_dir=None, cache_dir=None):
  """Reads what every role says.

  Args:
    data_dir: A folder with TFF's `shakespeare.sqlite.lzma`, or else with a text
      `shakespeare.txt`; or with a folder `shakespeare` of them. Nothing is
      downloaded if it is given. The text's speeches are separated by blank
      lines, and the first line of each is the role, followed by a colon.
    cache_dir: The folder that keeps the download if `data_dir` is None;
      `tff_binary` in `$XDG_CACHE_HOME` or `~/.cache` if None.

  Returns:
    A dict from the role's name to a pair of lists of byte strings, to train and
    to test, in the order of the play. Both are TFF's own with its data set. Of
    a text they are the first 80 % of a role's lines, and the other ones, at
    least one, as in FedAvg's paper; roles of a single line are left out. Roles
    of the same name in several plays of a text are one role.

  Raises:
    FileNotFoundError: If `data_dir` is given and none of the files is in it.
    ConnectionError: If the data set is to be downloaded and cannot be.
    ValueError: If TFF's data set is not the official one, or the text has
      another form.
  """
  if data_dir is None:
    path = _cached(cache_dir)
  else:
    folders = downloads.data_folders(data_dir, _FOLDER)
    path = downloads.find(folders, _DATABASE) or downloads.find(folders, _TEXT)
    if path is None:
      raise FileNotFoundError(
          f'no {_DATABASE} and no {_TEXT} in {" or ".join(folders)}'
      )
  return (_read_database if path.endswith(_DATABASE) else _read_text)(path)


def _encode(snippets):
  """Turns what a role says into sequences.

  Args:
    snippets: A list of byte strings, not empty.

  Returns:
    Features and labels, ids of shape `[n, 80]`, n at least 1: uint8 and int32.
    The labels are the features' next ids, and each id but the first is a label
    once. The last sequence is filled up with 0.
  """
  ids = np.concatenate(
      [
          [_BEGIN, *_ID_TABLE[np.frombuffer(snippet, np.uint8)], _END]
          for snippet in snippets
      ]
  )
  num_sequences = -(-(len(ids) - 1) // _SEQUENCE_LENGTH)
  features, labels = (
      np.full([num_sequences * _SEQUENCE_LENGTH], sequences.PADDING, dtype)
      for dtype in (np.uint8, np.int32)
  )
  features[: len(ids) - 1] = ids[:-1]
  labels[: len(ids) - 1] = ids[1:]
  return (
      features.reshape([-1, _SEQUENCE_LENGTH]),
      labels.reshape([-1, _SEQUENCE_LENGTH]),
  )


def _select(roles, min_characters):
  """Returns the roles that say at least `min_characters` characters."""
  lengths = {
      role: sum(map(len, train)) + sum(map(len, test))
      for role, (train, test) in roles.items()
  }
  checks.check_integer(
      'min_characters (the largest is the length of the longest role)',
      min_characters,
      0,
      max(lengths.values()),
  )
  return {
      role: texts
      for role, texts in roles.items()
      if lengths[role] >= min_characters
  }


def _as_int32(features):
  return tf.cast(features, tf.int32)


@registry.register('shakespeare')
def load(
    *,
    data_dir,
    cache_dir,
    kernel_initializer,
    seed,
    lstm_units=256,
    min_characters=0,
):
  """Loads the roles of Shakespeare's plays as natural clients.

  A feature is a sequence of 80 ids, uint8, its label the 80 next ids: every
  character is predicted from those before it in its sequence, as in FedAvg's
  paper and TFF's baseline. (LEAF predicts the one that follows a sequence.)

  Ids are those of TFF's baseline: 0 is padding, which counts neither in the
  loss nor in the accuracy, 1 to 86 are the characters, 87 is any other byte, 88
  begins and 89 ends a snippet. The snippets of a role follow each other, so
  that only its last sequence is filled up; TFF's baseline fills up each
  snippet.

  Args:
    data_dir: See `load_roles`.
    cache_dir: See `load_roles`.
    kernel_initializer: See `registry.load`. From the small values of `'paper'`
      the LSTMs take long to leave the letters' frequencies: take `'kaiming'`.
    seed: See `registry.load`.
    lstm_units: The units of each LSTM layer, in `[1, 4096]`; 256 in the papers.
    min_characters: Leaves out the roles that say less, at least 0.

  Returns:
    A `registry.Task`.
  """
  checks.check_integer('lstm_units', lstm_units, 1, 4096)
  roles = _select(load_roles(data_dir, cache_dir), min_characters)
  train, test = (
      [_encode(texts[part]) for texts in roles.values()] for part in (0, 1)
  )
  ends = np.cumsum([len(labels) for _, labels in train])
  return registry.Task(
      name='shakespeare',
      train_features=np.concatenate([features for features, _ in train]),
      train_labels=np.concatenate([labels for _, labels in train]),
      test_features=np.concatenate([features for features, _ in test]),
      test_labels=np.concatenate([labels for _, labels in test]),
      num_classes=_NUM_IDS,
      build_model=functools.partial(
          models.character_lstm,
          _NUM_IDS,
          units=lstm_units,
          kernel_initializer=kernel_initializer,
          seed=seed,
      ),
      preprocess_train=_as_int32,
      preprocess_test=_as_int32,
      natural_clients=dict(
          zip(roles, np.split(np.arange(ends[-1]), ends[:-1]))
      ),
      loss_fn=sequences.SequenceCrossentropy,
      metrics_fn=_build_metrics,
  )


def _build_metrics():
  return [sequences.SequenceAccuracy(name='accuracy')]
