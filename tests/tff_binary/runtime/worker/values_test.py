# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for values, with TFF's own serialization as the other side."""

from absl.testing import absltest
from absl.testing import parameterized
import ml_dtypes
import numpy as np
import tensorflow as tf
from tensorflow_federated.proto.v0 import array_pb2
from tensorflow_federated.proto.v0 import executor_pb2
from tensorflow_federated.python.core.impl.compiler import array as tff_array

from tff_binary.runtime.worker import protocol
from tff_binary.runtime.worker import values

_NUMBERS = (
    np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16,
    np.uint32, np.uint64, np.float16, np.float32, np.float64, np.complex64,
    np.complex128, ml_dtypes.bfloat16,
)  # pyformat: disable


def _to_worker(message):
  return protocol.Array.FromString(message.SerializeToString())


def _from_worker(tensor):
  message = protocol.Array()
  values.tensor_to_array(tensor, message)
  return array_pb2.Array.FromString(message.SerializeToString())


def _example(dtype, shape):
  numbers = np.arange(1, 1 + np.prod(shape, dtype=int)).reshape(shape)
  numbers = numbers % 2 if dtype is np.bool_ else numbers
  if np.issubdtype(dtype, np.complexfloating):
    numbers = numbers * (1 - 2j)
  return np.asarray(numbers).astype(dtype)


class ArrayTest(parameterized.TestCase):

  @parameterized.product(dtype=_NUMBERS, shape=[(), (0,), (1,), (2, 3)])
  def test_tensor_from_tff_and_back_is_the_same(self, dtype, shape):
    array = _example(dtype, shape)
    write = tff_array.to_proto_content if shape else tff_array.to_proto
    tensor = values.tensor_from_array(
        _to_worker(write(array[()], dtype_hint=dtype))
    )
    self.assertEqual(tensor.dtype, tf.dtypes.as_dtype(dtype))
    np.testing.assert_array_equal(tensor.numpy(), array)
    read = tff_array.from_proto_content if shape else tff_array.from_proto
    result = read(_from_worker(tensor))
    self.assertEqual(np.asarray(result).dtype, dtype)
    np.testing.assert_array_equal(result, array)

  @parameterized.product(dtype=_NUMBERS)
  def test_literal_as_list_is_read(self, dtype):
    array = _example(dtype, (2, 3))
    tensor = values.tensor_from_array(
        _to_worker(tff_array.to_proto(array, dtype_hint=dtype))
    )
    np.testing.assert_array_equal(tensor.numpy(), array)

  @parameterized.parameters(
      ('',), (b'\x00\xff\x00',), (['a', 'bb', ''],), ([['a'], ['b\x00c']],)
  )
  def test_strings_from_tff_and_back_are_the_same(self, value):
    array = value if isinstance(value, (str, bytes)) else np.array(value, 'O')
    tensor = values.tensor_from_array(
        _to_worker(tff_array.to_proto(array, dtype_hint=np.str_))
    )
    self.assertEqual(tensor.dtype, tf.string)
    expected = tf.nest.map_structure(tf.compat.as_bytes, value)
    for result in (tensor.numpy(), tff_array.from_proto(_from_worker(tensor))):
      self.assertEqual(np.array(result, 'O').tolist(), expected)

  def test_one_element_of_list_stands_for_all(self):
    array = protocol.Array(dtype=1)
    array.shape.dim.extend([2, 2])
    array.float32_list.value.append(0.5)
    np.testing.assert_array_equal(
        values.tensor_from_array(array).numpy(), np.full([2, 2], 0.5)
    )

  @parameterized.named_parameters(
      ('short_content', dict(dtype=1, content=b'1234'), [2]),
      ('broken_content', dict(dtype=1, content=b'123'), [1]),
      ('no_elements', dict(dtype=3), []),
      ('no_dtype', dict(), []),
  )
  def test_malformed_array_is_refused(self, fields, shape):
    array = protocol.Array(**fields)
    array.shape.dim.extend(shape)
    with self.assertRaises((ValueError, TypeError)):
      values.tensor_from_array(array)


class ToMessageTest(absltest.TestCase):

  def _message(self, value):
    message = protocol.Value()
    values.to_message(value, message)
    return executor_pb2.Value.FromString(message.SerializeToString())

  def test_empty_struct_is_a_struct(self):
    self.assertEqual(self._message(()).WhichOneof('value'), 'struct')

  def test_server_value_says_so(self):
    federated = self._message(values.Server(tf.constant(1.0))).federated
    self.assertTrue(federated.type.all_equal)
    self.assertEqual(federated.type.placement.value.uri, 'server')
    self.assertLen(federated.value, 1)

  def test_function_is_refused(self):
    with self.assertRaisesRegex(ValueError, 'function'):
      self._message((lambda argument: argument,))


if __name__ == '__main__':
  absltest.main()
