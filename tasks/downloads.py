# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Downloads into a cache, whole and checked or not at all."""

import http.client
import os
import tempfile
import urllib.request

_TIMEOUT_SECONDS = 30


def cache_folder(cache_dir, name):
  """Creates the folder of a data set in the cache.

  Args:
    cache_dir: The cache's folder; `tff_binary` in `$XDG_CACHE_HOME` or
      `~/.cache` if None.
    name: The folder's name in it.

  Returns:
    The folder's path.
  """
  if cache_dir is None:
    cache_home = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    cache_dir = os.path.join(cache_home, 'tff_binary')
  folder = os.path.join(os.path.expanduser(cache_dir), name)
  os.makedirs(folder, exist_ok=True)
  return folder


def download(urls, path, check, data_set, advice):
  """Downloads a file from the first address that delivers it.

  Args:
    urls: The addresses of the file, in the order in which they are tried.
    path: Where to keep it.
    check: A function of the file's bytes and its address that raises a
      `ValueError` if they are not the expected ones.
    data_set: The name of the data set, for the message.
    advice: What a user without network access does, for the message.

  Raises:
    ConnectionError: If no address delivers the file.
  """
  failures = []
  for url in urls:
    try:
      with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:
        data = response.read()
      check(data, url)
    except (OSError, http.client.HTTPException, ValueError) as error:
      failures.append(f'{url}: {error}')
    else:
      break
  else:
    raise ConnectionError(
        f'cannot download {data_set} ({"; ".join(failures)}). Without network'
        f' access, {advice}'
    )
  with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as folder:
    partial = os.path.join(folder, os.path.basename(path))
    with open(partial, 'wb') as file:
      file.write(data)
    os.replace(partial, path)
