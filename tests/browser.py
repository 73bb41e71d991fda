# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, by its DevTools protocol over two pipes."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile

PROGRAM = shutil.which('chromium')  # Debian's name.

_PATIENCE = 60.0  # Seconds.


class Browser:
  """A context manager with one page open."""

  def __enter__(self):
    self._profile = tempfile.mkdtemp()
    to_read, self._to = os.pipe()
    self._from, to_write = os.pipe()
    # It takes commands from descriptor 3 and answers to 4.
    # pylint: disable-next=consider-using-with
    self._process = subprocess.Popen(
        [
            'bash', '-c', f'exec "$@" 3<&{to_read} 4>&{to_write}', 'bash',
            PROGRAM, '--headless', '--no-sandbox', '--disable-gpu',
            '--remote-debugging-pipe', f'--user-data-dir={self._profile}',
        ],
        pass_fds=(to_read, to_write),
        stderr=subprocess.DEVNULL,
    )
    os.close(to_read)
    os.close(to_write)
    self._buffer = b''
    self._id = 0
    self._session = None
    target = self._call('Target.createTarget', url='about:blank')
    self._session = self._call(
        'Target.attachToTarget', targetId=target['targetId'], flatten=True
    )['sessionId']
    self._call('Page.enable')
    return self

  def __exit__(self, *unused_exc):
    self._process.terminate()
    self._process.wait()
    os.close(self._to)
    os.close(self._from)
    # Its children may still be writing.
    shutil.rmtree(self._profile, ignore_errors=True)

  def open(self, path, width, is_dark=False):
    """Loads a file into a window of this width, in light or dark mode."""
    self._call(
        'Emulation.setDeviceMetricsOverride',
        width=width,
        height=844,
        deviceScaleFactor=1,
        mobile=width < 500,
    )
    scheme = 'dark' if is_dark else 'light'
    self._call(
        'Emulation.setEmulatedMedia',
        features=[{'name': 'prefers-color-scheme', 'value': scheme}],
    )
    self._call('Page.navigate', url=path.resolve().as_uri())
    while self._receive().get('method') != 'Page.loadEventFired':
      pass

  def evaluate(self, script):
    """Returns the value of a JavaScript expression on the page."""
    answer = self._call(
        'Runtime.evaluate', expression=script, returnByValue=True
    )
    if 'exceptionDetails' in answer:
      raise ValueError(answer['exceptionDetails'])
    return answer['result'].get('value')

  def screenshot(self, path):
    """Writes the whole page as a PNG."""
    answer = self._call('Page.captureScreenshot', captureBeyondViewport=True)
    path.write_bytes(base64.b64decode(answer['data']))

  def _call(self, method, **parameters):
    self._id += 1
    message = {'id': self._id, 'method': method, 'params': parameters}
    if self._session is not None:
      message['sessionId'] = self._session
    os.write(self._to, json.dumps(message).encode() + b'\0')
    while True:
      answer = self._receive()
      if answer.get('id') == self._id:
        return answer['result']

  def _receive(self):
    while b'\0' not in self._buffer:
      if not select.select([self._from], [], [], _PATIENCE)[0]:
        raise TimeoutError(f'{PROGRAM} does not answer')
      data = os.read(self._from, 1 << 16)
      if not data:
        raise ConnectionError(f'{PROGRAM} has ended')
      self._buffer += data
    message, self._buffer = self._buffer.split(b'\0', 1)
    return json.loads(message)
