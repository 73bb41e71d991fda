# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for the shakespeare task, on small files of the official layouts."""

import hashlib
import io
import lzma
import os
import sqlite3
import tempfile
from unittest import mock
import urllib.error
import urllib.request

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

import tasks
from tasks import shakespeare

_VOCABULARY = (
    "dhlptx@DHLPTX $(,048cgkoswCGKOSW[_#'/37;?bfjnrvzBFJNRVZ\"&*.26:\n"
    'aeimquyAEIMQUY]!%)-159\r'
)
_CHARACTERS = {
    **dict(enumerate(_VOCABULARY, 1)),
    **{0: '', 87: '?', 88: '<', 89: '>'},
}

# Client ids, splits and snippets in the order of the rows of the file.
_ROWS = (
    ('PLAY_ROMEO', 'train', b'x' * 100),
    ('PLAY_ROMEO', 'test', b'Farewell!'),
    ('PLAY_ANNE', 'train', b'Hark!'),
    ('PLAY_ROMEO', 'train', b"'Tis so."),
    ('PLAY_ANNE', 'test', b'No more:'),
    ('PLAY_ANNE', 'test', b'good night.'),
)

# Line ends of both kinds, lines of blanks, a speech without words, one with a
# character that is no ASCII, and a role with a single line.
_TEXT = (
    b'First Citizen:\nOne.\nTwo:\n\nALL:\nSpeak, speak.\n\n'
    b'First Citizen:\r\nThree.\r\n\r\nANNE:\nNo.\nSo?\n \n\nFirst Citizen:\n\n'
    b'First Citizen:\nFour, caf\xc3\xa9.\nFive.\nSix.'
)


def _database(rows):
  """Returns the bytes of a file in the layout of TFF's data sets."""
  with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, 'database')
    connection = sqlite3.connect(path)
    connection.execute(
        'CREATE TABLE examples (split_name TEXT NOT NULL, client_id TEXT NOT'
        ' NULL, serialized_example_proto BLOB NOT NULL)'
    )
    connection.execute(
        'CREATE TABLE client_metadata (client_id TEXT NOT NULL, split_name TEXT'
        ' NOT NULL, num_examples INTEGER NOT NULL)'
    )
    for client, split, snippet in rows:
      feature = tf.train.Feature(
          bytes_list=tf.train.BytesList(value=[snippet])
      )
      example = tf.train.Example(
          features=tf.train.Features(feature={'snippets': feature})
      )
      connection.execute(
          'INSERT INTO examples VALUES (?, ?, ?)',
          (split, client, example.SerializeToString()),
      )
    connection.commit()
    connection.close()
    with open(path, 'rb') as file:
      return lzma.compress(file.read(), lzma.FORMAT_ALONE)


def _decode(ids):
  return ''.join(_CHARACTERS[i] for i in np.ravel(ids))


class ShakespeareTest(tf.test.TestCase, parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.folder = self.enter_context(tempfile.TemporaryDirectory())
    self.database = _database(_ROWS)
    digest = hashlib.sha256(self.database).hexdigest()
    self.enter_context(
        mock.patch.object(shakespeare, '_DATABASE_SHA256', digest)
    )
    self.requests = []
    self.served = self.database
    self.enter_context(
        mock.patch.object(urllib.request, 'urlopen', self._urlopen)
    )

  def _urlopen(self, url, timeout):
    self.assertStartsWith(url, 'https://')
    self.assertGreater(timeout, 0)
    self.requests.append(url)
    if self.served is None:
      raise urllib.error.URLError('no route to host')
    return io.BytesIO(self.served)

  def _write(self, contents, name, subfolder=''):
    folder = os.path.join(self.folder, subfolder)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name)
    with open(path, 'wb') as file:
      file.write(contents)
    return path

  def _load(self, text=None, **options):
    if text is not None:
      self._write(text, 'shakespeare.txt')
    return tasks.load('shakespeare', data_dir=self.folder, **options)

  @parameterized.parameters('', 'shakespeare')
  def test_reads_tffs_data_set_and_its_split(self, subfolder):
    self._write(self.database, 'shakespeare.sqlite.lzma', subfolder)
    # The data set comes before a text.
    self._write(_TEXT, 'shakespeare.txt')
    self.assertEqual(
        shakespeare.load_roles(self.folder),
        {
            'PLAY_ANNE': ([b'Hark!'], [b'No more:', b'good night.']),
            'PLAY_ROMEO': ([b'x' * 100, b"'Tis so."], [b'Farewell!']),
        },
    )
    self.assertEmpty(self.requests)

  @parameterized.parameters('', 'shakespeare')
  def test_splits_the_lines_of_a_text_by_role_in_order(self, subfolder):
    self._write(_TEXT, 'shakespeare.txt', subfolder)
    roles = shakespeare.load_roles(self.folder)
    # Of 6 lines the last 20 %, rounded up, are 2.
    self.assertEqual(
        roles,
        {
            'First Citizen': (
                [b'One.\nTwo:\nThree.\nFour, caf\xc3\xa9.'],
                [b'Five.\nSix.'],
            ),
            'ANNE': ([b'No.'], [b'So?']),
        },
    )
    self.assertEqual(list(roles), ['First Citizen', 'ANNE'])

  def test_sequences_are_shifted_by_one_and_lose_nothing(self):
    self._write(self.database, 'shakespeare.sqlite.lzma')
    task = self._load()
    self.assertEqual(
        list(task.natural_clients), ['PLAY_ANNE', 'PLAY_ROMEO']
    )
    anne, romeo = task.natural_clients.values()
    self.assertAllEqual(anne, [0])
    # 100 + 8 characters and the ends of two snippets.
    self.assertAllEqual(romeo, [1, 2])
    self.assertEqual(task.train_features.shape, (3, 80))
    self.assertEqual(task.train_features.dtype, np.uint8)
    self.assertEqual(task.train_labels.shape, (3, 80))
    self.assertEqual(task.train_labels.dtype, np.int32)
    self.assertEqual(romeo.dtype, np.int64)
    text = f'<{"x" * 100}><\'Tis so.>'
    self.assertEqual(_decode(task.train_features[romeo]), text[:-1])
    self.assertEqual(_decode(task.train_labels[romeo]), text[1:])
    self.assertAllEqual(
        task.train_features[romeo].ravel()[1:80],
        task.train_labels[romeo].ravel()[:79],
    )
    self.assertEqual(_decode(task.test_labels[0]), 'No more:><good night.>')
    self.assertEqual(_decode(task.test_labels[1]), 'Farewell!>')
    # Padding is at the end of a role's last sequence alone.
    padding = task.train_labels[romeo].ravel() == 0
    self.assertEqual(padding.sum(), 160 - 111)
    self.assertTrue(padding[111:].all())

  def test_exactly_full_sequence_needs_no_other(self):
    task = self._load(b'A:\n' + b'x' * 79 + b'\n' + b'y' * 80)
    self.assertEqual(_decode(task.train_labels), 'x' * 79 + '>')
    self.assertEqual(task.test_labels.shape, (2, 80))
    self.assertEqual(_decode(task.test_labels[1]), '>')

  def test_other_bytes_are_out_of_vocabulary(self):
    labels = self._load('A:\né~ü\nb\n'.encode()).train_labels[0]
    self.assertAllEqual(labels[:7], [87] * 5 + [89, 0])

  def test_ids_fit_the_model(self):
    task = self._load(_TEXT, lstm_units=3, seed=1)
    self.assertEqual(task.num_classes, 90)
    logits = task.build_model()(task.preprocess_test(task.test_features))
    self.assertEqual(logits.shape, [2, 80, 90])
    # Of untrained weights that are almost 0: all 90 ids are as likely.
    loss = task.loss_fn()(task.test_labels, logits)
    self.assertAllClose(loss, np.log(90.0), rtol=1e-3)
    (accuracy,) = task.metrics_fn()
    accuracy.update_state(task.test_labels, logits)
    self.assertEqual(accuracy.name, 'accuracy')
    self.assertBetween(accuracy.result().numpy(), 0.0, 1.0)

  def test_min_characters_leaves_small_roles_out(self):
    text = b'A:\nab\ncd\n\nB:\nabc\ncde\n\nC:\na\nc\n'
    for minimum, roles in ((0, 'ABC'), (3, 'AB'), (5, 'B'), (6, 'B')):
      task = self._load(text, min_characters=minimum)
      self.assertEqual(''.join(task.natural_clients), roles)
      self.assertLen(task.train_labels, len(roles))
      self.assertLen(task.test_labels, len(roles))

  def test_train_examples_trims_the_clients(self):
    text = b'A:\n' + (b'x' * 70 + b'\n') * 5 + b'\nB:\na\nc\n\nC:\na\nc\n'
    task = self._load(text, train_examples=5)
    # 284 labels of A are 4 sequences.
    parts = task.natural_clients
    self.assertEqual({k: v.tolist() for k, v in parts.items()}, {
        'A': [0, 1, 2, 3], 'B': [4]
    })
    self.assertLen(task.train_labels, 5)
    self.assertLen(task.test_labels, 3)

  @parameterized.named_parameters(
      ('units', {'lstm_units': 0}, r'lstm_units .* in \[1, 4096\], got 0'),
      (
          'characters',
          {'min_characters': 53},
          r'min_characters \(.*longest role\) .* in \[0, 39\], got 53',
      ),
      ('option', {'augment': True}, 'augment is no option of the task shakes'),
  )
  def test_refuses_options(self, options, message):
    with self.assertRaisesRegex(ValueError, message):
      self._load(_TEXT, **options)

  @parameterized.parameters(
      (b'A:\nb\n\nWho? I?\nc\n', "line 4 of .*txt must be a role.*'Who. I.'"),
      (b'A: b\nc\n', "line 1 of .*txt must be a role and a colon.*'A: b'"),
      (b'', 'shakespeare.txt holds no role that says two lines or more'),
      (b'A:\nb\n\nB:\nc\n', 'shakespeare.txt holds no role'),
  )
  def test_refuses_texts_of_another_form(self, text, message):
    with self.assertRaisesRegex(ValueError, message):
      self._load(text)

  def test_other_data_set_is_refused(self):
    path = self._write(_database(_ROWS[:3]), 'shakespeare.sqlite.lzma')
    with self.assertRaisesRegex(
        ValueError, f'{path} is not the official shakespeare.sqlite.*SHA-256'
    ):
      self._load()

  def test_data_dir_without_the_files_is_an_error_and_no_download(self):
    with self.assertRaisesRegex(
        FileNotFoundError,
        f'^no shakespeare.sqlite.lzma and no shakespeare.txt in {self.folder}',
    ):
      self._load()
    self.assertEmpty(self.requests)

  def test_downloads_once_into_the_cache(self):
    first = shakespeare.load_roles(cache_dir=self.folder)
    self.assertEqual(shakespeare.load_roles(cache_dir=self.folder), first)
    self.assertLen(self.requests, 1)
    # The cache is a data_dir for machines without network access.
    self.assertEqual(shakespeare.load_roles(data_dir=self.folder), first)

  def test_offline_says_which_file_goes_where(self):
    self.served = None
    with self.assertRaises(ConnectionError) as context:
      tasks.load('shakespeare', cache_dir=self.folder)
    message = str(context.exception)
    self.assertNotIn('\n', message)
    for part in (
        'no route to host',
        os.path.join(self.folder, 'shakespeare'),
        'shakespeare.sqlite.lzma',
        'shakespeare.txt',
    ):
      self.assertIn(part, message)

  def test_wrong_download_is_not_kept(self):
    self.served = b'<html>'
    with self.assertRaisesRegex(ConnectionError, 'SHA-256'):
      shakespeare.load_roles(cache_dir=self.folder)
    self.assertEmpty(os.listdir(os.path.join(self.folder, 'shakespeare')))


if __name__ == '__main__':
  tf.test.main()
