# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for the benchmark of integer kernels."""

import argparse
import contextlib
import io

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from benchmarks import integer_kernels
from tasks import models

_ARGS = argparse.Namespace(
    size=8, filters=8, batch_size=2, repeats=1, clock='process'
)


def _draw(shape):
  """Returns int8 numbers, the lowest and the highest among them."""
  x = np.random.RandomState(sum(shape)).randint(-128, 128, shape)
  x.flat[:2] = -128, 127
  return tf.constant(x, tf.int8)


def _skip_without_onednn(test):
  try:
    integer_kernels.check_onednn()
  except RuntimeError as e:
    test.skipTest(str(e))


class ProductsTest(parameterized.TestCase, tf.test.TestCase):

  def test_onednn_multiplies_bytes_exactly(self):
    a, b = _draw([33, 512]), _draw([512, 10])
    # The largest sum there is, of 255 and -128.
    a = tf.concat([a, tf.fill([1, 512], tf.constant(127, tf.int8))], 0)
    b = tf.concat([b, tf.fill([512, 1], tf.constant(-128, tf.int8))], 1)
    _skip_without_onednn(self)
    with open('/proc/cpuinfo') as file:
      if 'vnni' not in file.read():
        self.skipTest('The processor has no VNNI, and oneDNN saturates sums')
    product = integer_kernels.quantized_matmul(a, b)
    self.assertAllEqual(product, a.numpy().astype(int) @ b.numpy().astype(int))

  @parameterized.parameters((1, 12), (4, 3))
  def test_a_convolution_is_a_product_of_its_patches(self, channels, filters):
    layer = integer_kernels.Convolution(
        [2, 5, 6, channels], [3, 3, channels, filters]
    )
    self._check_products(layer)

  def test_a_dense_layer(self):
    self._check_products(integer_kernels.Dense([3, 7], [7, 4]))

  def _check_products(self, layer):
    x, kernel = _draw(layer.input_shape), _draw(layer.kernel_shape)
    error = _draw(layer.error_shape)
    for compute, operands in (
        (layer.output, (x, kernel)),
        (layer.input_gradient, (error, kernel)),
        (layer.kernel_gradient, (x, error)),
    ):
      expected = compute(*(tf.cast(x, tf.float64) for x in operands))
      product = compute(*operands, integer_kernels.plain_matmul)
      self.assertEqual(product.dtype, tf.int32)
      self.assertAllEqual(product, expected)

  def test_layers_are_those_of_the_convnet(self):
    model = models.convnet((8, 8, 3), filters=(8, 8, 8))
    self.assertEqual(
        [
            [_ARGS.batch_size, *layer.input.shape[1:], *layer.kernel.shape]
            for layer in model.layers
            if hasattr(layer, 'kernel')
        ],
        [
            layer.input_shape + layer.kernel_shape
            for layer in integer_kernels.product_layers(_ARGS)
        ],
    )

  def test_prints_all_products_but_the_gradient_for_images(self):
    _skip_without_onednn(self)
    with contextlib.redirect_stdout(io.StringIO()) as output:
      integer_kernels._print_products(_ARGS)
    _, header, rule, *rows = output.getvalue().splitlines()
    self.assertLen(rows, 3 * 4 - 1 + 1)  # And their sum.
    self.assertLen({line.count('|') for line in (header, rule, *rows)}, 1)


if __name__ == '__main__':
  tf.test.main()
