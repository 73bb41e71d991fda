# Copyright 2026 The tff_binary Authors.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
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
