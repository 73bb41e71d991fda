# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Bytes that were written once are decoded for ever, and written again.

Each file in `golden` holds a codec's arguments, a value on its grid, where
nothing is left to chance, and the payload. Files are added, never changed.
"""

import functools
import json
import pathlib

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tff_binary import wire

_FILES = sorted(pathlib.Path(__file__).with_name('golden').glob('*.json'))
_SEED = (1, 2)


@functools.lru_cache(None)
def _golden(path):
  return json.loads(path.read_text(encoding='utf-8'))


def _codec(golden):
  arguments = {
      name: _codec(x) if isinstance(x, dict) else x
      for name, x in golden['arguments'].items()
  }
  return getattr(wire, golden['codec'])(**arguments)


def _value(golden):
  return np.float32(golden['value']).reshape(golden['shape'])


def _little_endian(dtype):
  return np.dtype(dtype).newbyteorder('<')


def _field(tensor):
  array = tensor.numpy()
  packed = array.astype(_little_endian(array.dtype)).tobytes()
  return {
      'dtype': array.dtype.name,
      'shape': list(array.shape),
      'bytes': packed.hex(' '),
  }


def _tensor(field):
  array = np.frombuffer(
      bytes.fromhex(field['bytes']), _little_endian(field['dtype'])
  )
  return tf.constant(array.reshape(field['shape']), field['dtype'])


class GoldenTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters((path.stem, path) for path in _FILES)
  def test_is_decoded(self, path):
    golden = _golden(path)
    payload = {k: _tensor(field) for k, field in golden['payload'].items()}
    spec = tf.TensorSpec(golden['shape'], tf.float32)
    self.assertAllEqual(
        _codec(golden).decode(payload, spec), _value(golden)
    )

  @parameterized.named_parameters(
      (path.stem, path)
      for path in _FILES
      if _golden(path)['format_version'] == wire.FORMAT_VERSION
  )
  def test_is_what_is_written_today(self, path):
    golden = _golden(path)
    payload = _codec(golden).encode(tf.constant(_value(golden)), _SEED)
    self.assertEqual(
        {name: _field(tensor) for name, tensor in payload.items()},
        golden['payload'],
    )
    # The order in which the fields are sent.
    self.assertEqual(list(payload), list(golden['payload']))

  def test_every_codec_has_bytes_of_this_version(self):
    codecs = {
        name
        for name, x in vars(wire).items()
        if isinstance(x, type) and issubclass(x, wire.Codec)
    }
    written = {
        _golden(path)['codec']
        for path in _FILES
        if _golden(path)['format_version'] == wire.FORMAT_VERSION
    }
    self.assertEqual(written, codecs - {'Codec'})

  def test_versions_exist(self):
    for path in _FILES:
      version = _golden(path)['format_version']
      self.assertBetween(version, 1, wire.FORMAT_VERSION)
    text = pathlib.Path(wire.__file__).with_name('FORMAT.md').read_text()
    self.assertIn(f'This is version {wire.FORMAT_VERSION},', text)


if __name__ == '__main__':
  tf.test.main()
