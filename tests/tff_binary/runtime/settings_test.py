# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for settings."""

import pathlib
import subprocess
import sys
import tempfile

from absl.testing import absltest
from absl.testing import parameterized

from tff_binary.runtime import settings

_ROOT = pathlib.Path(__file__).resolve().parents[3]


class RuntimeTest(parameterized.TestCase):

  def test_lists_become_tuples(self):
    runtime = settings.Runtime('device', devices=['GPU:0', 'GPU:1'])
    self.assertEqual(runtime.devices, ('GPU:0', 'GPU:1'))

  @parameterized.parameters(
      '127.0.0.1:1', 'localhost:65535', '[::1]:80', 'unix:/path/worker.sock'
  )
  def test_this_machine_needs_no_certificate(self, address):
    runtime = settings.Runtime('remote', workers=[address])
    self.assertFalse(runtime.is_encrypted)

  @parameterized.parameters('10.0.0.1:80', '[fe80::1]:80', 'localhost.me:80')
  def test_other_machines_need_a_certificate(self, address):
    workers = ['127.0.0.1:80', address]
    with self.assertRaisesRegex(ValueError, '^insecure must be set to reach'):
      settings.Runtime('remote', workers=workers)
    settings.Runtime('remote', workers=workers, insecure=True)
    with tempfile.NamedTemporaryFile() as file:
      files = dict.fromkeys(
          ('certificate', 'private_key', 'worker_authority'), file.name
      )
      runtime = settings.Runtime('remote', workers=workers, **files)
      self.assertTrue(runtime.is_encrypted)
      with self.assertRaisesRegex(ValueError, '^insecure must be false'):
        settings.Runtime('remote', workers=workers, insecure=True, **files)

  @parameterized.parameters(
      (dict(kind='x'), 'runtime must be one of local, device, remote, got'),
      (
          dict(kind='local', devices=['GPU:0']),
          r"^devices is for .* device, .* \('GPU:0',\)",
      ),
      (dict(merge='tff'), '^merge is for the runtime remote, not for device'),
      (
          dict(kind='remote', workers=['localhost:1'], merge='x'),
          "^merge must be one of in_order, tff, got 'x'",
      ),
      (
          dict(
              kind='remote',
              workers=['localhost:1'],
              merge='tff',
              allow_lost_workers=True,
          ),
          "^allow_lost_workers must be false with merge='tff'",
      ),
      (dict(insecure=True), '^insecure is for the runtime remote, not for dev'),
      (
          dict(kind='device', max_concurrent_clients=2),
          '^max_concurrent_clients is for the runtime local, not for device',
      ),
      (dict(kind='local', max_concurrent_clients=0), '^max_concurrent_clients .*>= 1, got 0'),
      (
          dict(kind='device', clients_per_device=1.5),
          '^clients_per_device must be an integer >= 1, got 1.5',
      ),
      (dict(kind='device', devices='GPU:0'), "^devices .* sequence.*'GPU:0'"),
      (
          dict(kind='device', worker_python='/missing/python'),
          "^worker_python must be a program, got '/missing/python'",
      ),
      (
          dict(kind='device', worker_python='python', in_process=True),
          '^worker_python must not be set for a worker in this process',
      ),
      (dict(kind='device', devices=['gpu']), "^devices must be .* got 'gpu'"),
      (dict(worker_deadline=0.0), '^worker_deadline must be .* got 0.0'),
      (dict(worker_deadline=float('nan')), '^worker_deadline .* got nan'),
      (dict(kind='remote'), '^workers must be at least one'),
      (dict(kind='remote', workers=['x']), "^workers must be .*, got 'x'"),
      (dict(kind='remote', workers=['unix:/' + 107 * 'x']), '107 bytes, got'),
      (dict(kind='remote', workers=['x:y']), "^workers must be .*, got 'x:y'"),
      (
          dict(kind='remote', workers=['localhost:65536']),
          r"^workers must have ports in \[1, 65535\], got 'localhost:65536'",
      ),
      (
          dict(kind='remote', workers=['[::1]:0']),
          r"^workers must have ports in \[1, 65535\], got '\[::1\]:0'",
      ),
      (
          dict(kind='remote', workers=['localhost:1'] * 2),
          "^workers must differ, got 'localhost:1' twice",
      ),
      (
          dict(kind='remote', workers=['x:1'], certificate='/missing'),
          '^private_key must be set',
      ),
      (
          dict(
              kind='remote',
              workers=['x:1'],
              certificate='/missing',
              private_key='/missing',
              worker_authority='/missing',
          ),
          "^certificate must be a readable file, got '/missing'",
      ),
      (
          dict(
              kind='remote',
              workers=['x:1'],
              certificate=__file__,
              private_key='/tmp',
              worker_authority=__file__,
          ),
          "^private_key must be a readable file, got '/tmp'",
      ),
  )
  def test_bad_values(self, values, message):
    with self.assertRaisesRegex(ValueError, message):
      settings.Runtime(**values)

  def test_needs_no_tensorflow(self):
    program = (
        'import sys; from tff_binary import runtime; runtime.Runtime();'
        'runtime.WorkerError; print("tensorflow" in sys.modules)'
    )
    done = subprocess.run(
        [sys.executable, '-c', program],
        cwd=_ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    self.assertEqual(done.stdout, 'False\n')


if __name__ == '__main__':
  absltest.main()
