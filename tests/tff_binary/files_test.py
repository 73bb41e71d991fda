# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of files that are whole or known to be damaged."""

import collections
import os
import pathlib
import pickle
import tempfile
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import files


class FilesTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.path = pathlib.Path(folder) / 'file.npz'

  def test_interrupted_write_leaves_the_old_file(self):
    self.path.write_text('old')
    with self.assertRaises(KeyboardInterrupt):
      with files.atomic_write(self.path) as temporary:
        temporary.write_text('ne')
        raise KeyboardInterrupt
    self.assertEqual(self.path.read_text(), 'old')
    with files.atomic_write(self.path) as temporary:
      temporary.write_text('new')
    self.assertEqual(self.path.read_text(), 'new')

  def test_contents_reach_the_disk_before_the_name_and_then_the_name(self):
    calls = []

    def fsync(descriptor):
      calls.append(os.path.basename(os.readlink(f'/proc/self/fd/{descriptor}')))

    def replace(old, new, replace=os.replace):
      calls.append('replace')
      replace(old, new)

    with mock.patch.object(os, 'fsync', fsync):
      with mock.patch.object(os, 'replace', replace):
        files.write_arrays(self.path, [np.zeros(2)], {})
    folder = self.path.parent.name
    self.assertEqual(calls, ['.tmp_file.npz', 'replace', folder])

  def test_reads_what_was_written(self):
    structure = collections.OrderedDict(
        b=[np.arange(6, dtype=np.int64).reshape(2, 3), np.float32(np.nan)],
        a=(np.array(True), [], tf.constant(np.pi, tf.bfloat16).numpy()),
        c=np.zeros([0, 3], '>f4'),
    )
    metadata = {'rows': [{'x': 0.1 + 0.2, 'y': None}], 'name': 'é\n'}
    files.write_arrays(self.path, structure, metadata)
    arrays, read = files.read_arrays(self.path)
    self.assertEqual(read, metadata)
    packed = files.pack_as(structure, arrays)
    self.assertIsInstance(packed, collections.OrderedDict)
    self.assertEqual(packed['a'][1], [])
    for leaf, expected in zip(
        tf.nest.flatten(packed), tf.nest.flatten(structure)
    ):
      self.assertEqual(leaf.dtype, expected.dtype)
      self.assertEqual(leaf.tobytes(), np.asarray(expected).tobytes())

  def test_recognizes_all_damage(self):
    files.write_arrays(
        self.path, [np.arange(8.0), np.int32(3)], {'round_num': 3}
    )
    whole = self.path.read_bytes()
    damaged = [b'', b'garbage', whole[: len(whole) // 2], whole[:-1]]
    damaged += [whole[:n] + b'\0' * (len(whole) - n) for n in (0, 90, 600)]
    # Every single bit that matters: those of the arrays and the metadata.
    for position in (whole.index(np.float64(5.0).tobytes()),
                     whole.index(b'round_num')):
      damaged.append(
          whole[:position]
          + bytes([whole[position] ^ 1])
          + whole[position + 1 :]
      )
    for contents in damaged:
      self.path.write_bytes(contents)
      with self.assertRaisesRegex(
          files.DamagedFileError, f'^{self.path} is damaged: .'
      ) as caught:
        files.read_arrays(self.path)
      self.assertNotIn('\n', str(caught.exception))
    self.path.unlink()
    with self.assertRaisesRegex(files.DamagedFileError, 'it is missing'):
      files.read_arrays(self.path)

  def test_an_exchanged_array_is_damage(self):
    files.write_arrays(self.path, [np.zeros(2), np.ones(2)], {})
    with np.load(self.path) as file:
      members = dict(file)
    members['array_0'] = members['array_1']
    np.savez(self.path, **members)
    with self.assertRaisesRegex(files.DamagedFileError, 'checksum'):
      files.read_arrays(self.path)

  def test_runs_nothing_that_is_in_a_file(self):
    class Attack:

      def __reduce__(self):
        return os.mkdir, (str(attacked),)

    attacked = self.path.with_name('attacked')
    contents = np.empty([1], object)
    contents[0] = Attack()
    for write in (
        lambda file: np.savez(file, array_0=contents),
        lambda file: pickle.dump(contents, file),
    ):
      with open(self.path, 'wb') as file:
        write(file)
      with self.assertRaises(files.DamagedFileError):
        files.read_arrays(self.path)
    self.assertFalse(attacked.exists())

  def test_refuses_to_write_what_it_could_not_read(self):
    with self.assertRaisesRegex(TypeError, 'numbers, got dtype object'):
      files.write_arrays(self.path, [np.array(['a', None])], {})
    with self.assertRaisesRegex(TypeError, 'numbers, got dtype <U3'):
      files.write_arrays(self.path, ['abc'], {})

  @parameterized.parameters(
      ([np.zeros(3)], 'holds 2 arrays instead of 1'),
      ({'a': np.zeros(3), 'b': np.float32(1)}, r'its b is int32\[\] instead'),
      ({'a': np.zeros([]), 'b': np.int32(1)}, r'its a is float64\[3\] instead'),
  )
  def test_names_the_first_difference_in_structure(self, structure, message):
    with self.assertRaisesRegex(ValueError, message):
      files.pack_as(structure, [np.zeros(3), np.int32(1)])


if __name__ == '__main__':
  absltest.main()
