# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs a worker: `python -m tff_binary.runtime.worker --help`."""

import argparse
import ctypes
import ipaddress
import os
import pathlib
import signal
import sys

from tff_binary.runtime.worker import memory
from tff_binary.runtime.worker import sockets

_DESCRIPTION = """\
Runs TFF's computations for clients of the ExecutorGroup protocol.

A worker runs every graph that it is sent: whoever reaches it can do what this
process may do. By default it listens to programs of this machine alone. On any
other address it wants the three files of mutual TLS, or --insecure, and a
network that is closed to strangers. A --socket is for this user alone.

Once it listens it prints `listening on ADDRESS`. SIGTERM and SIGINT end it.
"""

_PR_SET_PDEATHSIG = 1


def _parse_args(argv):
  """Returns the values of the flags, or exits with status 2 and one line."""
  parser = _Parser(
      prog='python -m tff_binary.runtime.worker',
      description=_DESCRIPTION,
      formatter_class=argparse.RawDescriptionHelpFormatter,
      allow_abbrev=False,
  )
  where = parser.add_mutually_exclusive_group(required=True)
  where.add_argument('--port', type=int, help='0 for any free port')
  where.add_argument('--socket', help='path of a Unix socket')
  parser.add_argument(
      '--host', default='127.0.0.1', help='address to bind (%(default)s)'
  )
  parser.add_argument(
      '--devices',
      default='',
      help='such as GPU:0,GPU:1 (all GPUs, or CPU:0 if there are none)',
  )
  parser.add_argument(
      '--clients_per_device',
      type=int,
      help='computed at the same time (CPU: the number of cores; others: 1)',
  )
  parser.add_argument('--certificate', help="the worker's certificate, PEM")
  parser.add_argument('--private_key', help="the certificate's key, PEM")
  parser.add_argument(
      '--client_authority',
      help='the certificate that must have signed those of clients, PEM',
  )
  parser.add_argument(
      '--insecure',
      action='store_true',
      help='allow everybody who reaches --host to run everything',
  )
  parser.add_argument(
      '--max_message_megabytes',
      type=int,
      default=2047,
      help='refuse larger messages (%(default)s)',
  )
  parser.add_argument(
      '--exit_with_parent',
      action='store_true',
      help='be killed when the process that started this one ends',
  )
  args = parser.parse_args(argv)
  tls = [args.certificate, args.private_key, args.client_authority]
  if args.port is not None and not 0 <= args.port <= 65535:
    parser.error(f'--port must be in [0, 65535], got {args.port}')
  if args.clients_per_device is not None and args.clients_per_device < 1:
    parser.error(
        '--clients_per_device must be at least 1, got'
        f' {args.clients_per_device}'
    )
  if not 1 <= args.max_message_megabytes <= 2047:
    parser.error(
        '--max_message_megabytes must be in [1, 2047], got'
        f' {args.max_message_megabytes}'
    )
  if any(tls) and not all(tls):
    parser.error(
        '--certificate, --private_key and --client_authority go together'
    )
  if any(tls) and args.insecure:
    parser.error('--insecure contradicts --certificate')
  if any(tls) and args.socket is not None:
    parser.error('a --socket has no TLS, and needs none')
  if args.socket is not None:
    num_bytes = len(os.fsencode(args.socket))
    if not 1 <= num_bytes <= sockets.MAX_PATH_BYTES:
      parser.error(
          f'--socket must have 1 to {sockets.MAX_PATH_BYTES} bytes, got'
          f' {num_bytes}'
      )
  for path in filter(None, tls):
    if not os.access(path, os.R_OK):
      parser.error(f'cannot read {path}')
  if args.port is not None and not (
      _is_loopback(args.host) or all(tls) or args.insecure
  ):
    parser.error(
        f'--host={args.host} can be reached from elsewhere: give --certificate,'
        ' --private_key and --client_authority, or --insecure'
    )
  return args


class _Parser(argparse.ArgumentParser):

  def error(self, message):
    self.exit(2, f'{self.prog}: {message}\n')


def _is_loopback(host):
  try:
    return host == 'localhost' or ipaddress.ip_address(host).is_loopback
  except ValueError:
    return False


def _exit_with_parent():
  """Has this process killed when its parent ends."""
  parent = os.getppid()
  ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
  if os.getppid() != parent:
    sys.exit('the process that started this worker has ended')


def _credentials(args):
  import grpc  # pylint: disable=g-import-not-at-top

  if args.certificate is None:
    return None
  certificate, private_key, authority = (
      pathlib.Path(path).read_bytes()
      for path in (args.certificate, args.private_key, args.client_authority)
  )
  return grpc.ssl_server_credentials(
      [(private_key, certificate)],
      root_certificates=authority,
      require_client_auth=True,
  )


def main(argv=None):
  args = _parse_args(argv)
  if args.exit_with_parent:
    _exit_with_parent()
  # At once, whatever is being computed: nothing here outlives the process.
  for number in (signal.SIGTERM, signal.SIGINT):
    # pylint: disable-next=protected-access
    signal.signal(number, lambda *_: os._exit(0))
  memory.keep_freed_memory(num_arenas=len(os.sched_getaffinity(0)))
  os.umask(0o077)  # A --socket is for this user alone.
  # The line that is printed below is all that standard output is for.
  output = os.fdopen(os.dup(1), 'w')
  os.dup2(2, 1)

  with memory.without_collections():
    # pylint: disable=g-import-not-at-top
    import tensorflow as tf
    from tff_binary.runtime.worker import server
    # pylint: enable=g-import-not-at-top

  # TFF has optimized the graphs. It would be done again for every function.
  tf.config.optimizer.set_experimental_options({'disable_meta_optimizer': True})
  address = f'unix:{args.socket}'
  if args.port is not None:
    host = f'[{args.host}]' if ':' in args.host else args.host
    address = f'{host}:{args.port}'
  try:
    running = server.start(
        address,
        devices=tuple(filter(None, args.devices.split(','))),
        clients_per_device=args.clients_per_device,
        credentials=_credentials(args),
        max_message_megabytes=args.max_message_megabytes,
    )
  except (OSError, ValueError) as error:
    print(f'tff_binary worker: {error}', file=sys.stderr)
    sys.exit(2)
  print(f'listening on {running.address}', file=output, flush=True)
  while True:
    signal.pause()


if __name__ == '__main__':
  main()
