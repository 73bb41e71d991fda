# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for protocol and descriptors."""

from absl.testing import absltest
from tensorflow_federated.proto.v0 import executor_pb2

from tff_binary.runtime.worker import descriptors
from tff_binary.runtime.worker import protocol


class ProtocolTest(absltest.TestCase):

  def test_descriptors_are_those_of_the_installed_tff(self):
    self.assertEqual(
        descriptors.PATH.read_bytes(), descriptors.installed_descriptors()
    )

  def test_messages_have_the_bytes_of_tff(self):
    request = executor_pb2.CreateSelectionRequest(index=3)
    request.source_ref.id = 'a'
    parsed = protocol.REQUESTS['CreateSelection'].FromString(
        request.SerializeToString()
    )
    self.assertEqual(parsed.index, 3)
    self.assertEqual(parsed.source_ref, protocol.ValueRef(id='a'))

  def test_serves_all_methods_of_tff(self):
    service = executor_pb2.DESCRIPTOR.services_by_name['ExecutorGroup']
    self.assertEqual(protocol.SERVICE.full_name, service.full_name)
    self.assertCountEqual(
        protocol.REQUESTS, [method.name for method in service.methods]
    )


if __name__ == '__main__':
  absltest.main()
