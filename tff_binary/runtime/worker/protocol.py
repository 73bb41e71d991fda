# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The messages of TFF's executor protocol, without TFF.

`executor.binpb` holds TFF's own descriptors of `executor.proto` and of all that
it imports. The classes made from them live in a pool of their own: TFF may
register the same files, in the same process, in the default one.

`descriptors.py` makes that file.
"""

from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory

from tff_binary.runtime.worker import descriptors

_PACKAGE = 'tensorflow_federated.v0'


def _load():
  files = descriptor_pb2.FileDescriptorSet.FromString(
      descriptors.PATH.read_bytes()
  )
  pool = descriptor_pool.DescriptorPool()
  for file in files.file:
    pool.Add(file)
  return pool


_pool = _load()


def _message(name):
  return message_factory.GetMessageClass(
      _pool.FindMessageTypeByName(f'{_PACKAGE}.{name}')
  )


SERVICE = _pool.FindServiceByName(f'{_PACKAGE}.ExecutorGroup')

# From the names of the service's methods to the classes of their requests.
REQUESTS = {
    method.name: message_factory.GetMessageClass(method.input_type)
    for method in SERVICE.methods
}

Array = _message('Array')
Computation = _message('Computation')
Value = _message('Value')
ValueRef = _message('ValueRef')
ExecutorId = _message('ExecutorId')
GetExecutorResponse = _message('GetExecutorResponse')
CreateValueResponse = _message('CreateValueResponse')
CreateCallResponse = _message('CreateCallResponse')
CreateStructResponse = _message('CreateStructResponse')
CreateSelectionResponse = _message('CreateSelectionResponse')
ComputeResponse = _message('ComputeResponse')
DisposeResponse = _message('DisposeResponse')
DisposeExecutorResponse = _message('DisposeExecutorResponse')
