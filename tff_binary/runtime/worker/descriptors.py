# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Writes the descriptors of TFF's executor protocol, from the installed TFF:

  python -m tff_binary.runtime.worker.descriptors
"""

import pathlib

from google.protobuf import descriptor_pb2

PATH = pathlib.Path(__file__).parent / 'executor.binpb'


def installed_descriptors():
  """Returns the serialized `FileDescriptorSet` of the installed TFF."""
  # pylint: disable-next=g-import-not-at-top
  from tensorflow_federated.proto.v0 import executor_pb2

  files = {}

  def add(file):
    for dependency in file.dependencies:
      add(dependency)
    if file.name not in files:
      proto = descriptor_pb2.FileDescriptorProto()
      file.CopyToProto(proto)
      files[file.name] = proto

  add(executor_pb2.DESCRIPTOR)
  return descriptor_pb2.FileDescriptorSet(
      file=files.values()
  ).SerializeToString(deterministic=True)


if __name__ == '__main__':
  PATH.write_bytes(installed_descriptors())
