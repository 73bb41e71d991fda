# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's integer kernels on the products of a step of local training.

  TF_ENABLE_ONEDNN_OPTS=1 python -m benchmarks.integer_kernels

LPT's block floating point is emulated in float32. For the layers of its paper's
ConvNet this prints the time of every product of a step, of a layer's input or
error with its kernel or each other, in float32 and with TensorFlow's integer
kernels, on tensors of 8 bits with one exponent each, and whether the results
are exact. "int8" is oneDNN's product of matrices whose entries are bytes, after
a convolution has become one by laying its patches side by side; all steps from
int8 to float32 are in it, the rounding to int8 is not.

It needs neither TFF nor this package's layers: any Python with TensorFlow runs
it, such as a worker's.
"""

import argparse
from statistics import median

import numpy as np
import tensorflow as tf

from benchmarks import timing
from tff_binary.ops import block_floating_point


def quantized_matmul(a, b):
  """Multiplies matrices of bytes with oneDNN's integer kernel.

  It takes unsigned numbers on the left, so 128 is added to them, and taken off
  the result. It is the one public operation found that is fast and takes right
  matrices that are no constants.

  Args:
    a: An int8 tensor of shape `[m, k]`.
    b: An int8 tensor of shape `[k, n]`.

  Returns:
    An int32 tensor of shape `[m, n]`, `a b`. On processors with VNNI or AMX it
    is exact where the products of `a + 128` and `b` add up to at most 2**24, so
    always for k up to 512; the kernel rounds larger sums to float32. Without
    oneDNN it is nothing sensible, see `check_onednn`.
  """

  def multiply(unsigned):
    product = tf.raw_ops.QuantizedMatMulWithBias(
        a=tf.bitcast(unsigned, tf.quint8),
        b=tf.bitcast(b, tf.qint8),
        bias=tf.zeros([b.shape[1]]),
        # Then a step is 1 on both sides; -128 is a number all the same.
        min_a=0.0,
        max_a=255.0,
        min_b=-127.0,
        max_b=127.0,
        Toutput=tf.qint32,
        input_quant_mode='SCALED',
    )
    return tf.bitcast(product.out, tf.int32)

  shifted = tf.bitwise.bitwise_xor(
      tf.bitcast(a, tf.uint8), tf.constant(128, tf.uint8)
  )
  sums = multiply(tf.ones([1, a.shape[1]], tf.uint8))
  return multiply(shifted) - 128 * sums


def check_onednn():
  """Raises a RuntimeError unless `quantized_matmul` has its kernel."""
  one = tf.ones([1, 1], tf.int8)
  try:
    is_on = quantized_matmul(one, one).shape == [1, 1]
  except tf.errors.InternalError:
    is_on = False
  if not is_on:
    raise RuntimeError('oneDNN is off. TF_ENABLE_ONEDNN_OPTS=1 turns it on.')


def plain_matmul(a, b):
  """Multiplies matrices of bytes with TensorFlow's own integer kernel."""
  return tf.linalg.matmul(a, b, output_type=tf.int32)


def _shifted(x, axis):
  """Returns nine images, shifted by up to a pixel and filled with zeros.

  Args:
    x: A tensor with rows and columns of images along `axis` and the next one.
    axis: An int.
  """
  paddings = [[0, 0]] * x.shape.rank
  paddings[axis : axis + 2] = [[1, 1], [1, 1]]
  padded = tf.pad(x, paddings)
  height, width = x.shape[axis : axis + 2]
  before = (slice(None),) * axis
  return [
      padded[(*before, slice(i, i + height), slice(j, j + width))]
      for i in range(3)
      for j in range(3)
  ]


def _patches(x):
  """Returns the 3x3 patches of images, of shape `[n h w, 9 c]`."""
  return _rows(tf.concat(_shifted(x, 1), -1))


def _transposed_patches(x):
  """Returns the same, transposed, faster than by transposing them."""
  patches = tf.concat(_shifted(tf.transpose(x, [3, 0, 1, 2]), 2), 0)
  return tf.reshape(patches, [patches.shape[0], -1])


def _rows(x):
  return tf.reshape(x, [-1, x.shape[-1]])


class Convolution:
  """The three products of a 3x3 convolution, stride 1, padding 'same'."""

  def __init__(self, input_shape, kernel_shape):
    """Initializes them.

    Args:
      input_shape: The shape of a batch, `[n, h, w, c]`.
      kernel_shape: `[3, 3, c, k]`.
    """
    self.input_shape = list(input_shape)
    self.kernel_shape = list(kernel_shape)
    self.error_shape = self.input_shape[:3] + self.kernel_shape[3:]

  def output(self, x, kernel, matmul=None):
    """Returns what the layer puts out.

    Args:
      x: A tensor of shape `[n, h, w, c]`.
      kernel: A tensor of shape `[3, 3, c, k]`.
      matmul: What multiplies int8 matrices; None for a convolution.

    Returns:
      A tensor of shape `[n, h, w, k]`.
    """
    if matmul is None:
      return tf.nn.conv2d(x, kernel, 1, 'SAME')
    return tf.reshape(matmul(_patches(x), _rows(kernel)), self.error_shape)

  def input_gradient(self, error, kernel, matmul=None):
    """Returns the gradient for the input of that for the output."""
    if matmul is None:
      return tf.raw_ops.Conv2DBackpropInput(
          input_sizes=self.input_shape,
          filter=kernel,
          out_backprop=error,
          strides=[1, 1, 1, 1],
          padding='SAME',
      )
    flipped = tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])
    return tf.reshape(
        matmul(_patches(error), _rows(flipped)), self.input_shape
    )

  def kernel_gradient(self, x, error, matmul=None):
    """Returns the gradient for the kernel of that for the output."""
    if matmul is None:
      return tf.raw_ops.Conv2DBackpropFilter(
          input=x,
          filter_sizes=self.kernel_shape,
          out_backprop=error,
          strides=[1, 1, 1, 1],
          padding='SAME',
      )
    # The smaller one on the right, which oneDNN lays out anew in every call.
    rows = _rows(error)
    if 9 * x.shape[-1] > rows.shape[-1]:
      product = matmul(_transposed_patches(x), rows)
    else:
      product = tf.transpose(matmul(tf.transpose(rows), _patches(x)))
    return tf.reshape(product, self.kernel_shape)


class Dense:
  """The three products of a dense layer, see `Convolution`."""

  def __init__(self, input_shape, kernel_shape):
    self.input_shape = list(input_shape)
    self.kernel_shape = list(kernel_shape)
    self.error_shape = self.input_shape[:1] + self.kernel_shape[1:]

  def output(self, x, kernel, matmul=tf.linalg.matmul):
    return matmul(x, kernel)

  def input_gradient(self, error, kernel, matmul=tf.linalg.matmul):
    return matmul(error, tf.transpose(kernel))

  def kernel_gradient(self, x, error, matmul=tf.linalg.matmul):
    return matmul(tf.transpose(x), error)


def _constant_convolution(kernel):
  """Returns oneDNN's int8 convolution, whose kernel must be a constant."""

  def convolve(x):
    convolved = tf.raw_ops.QuantizedConv2DWithBias(
        input=tf.bitcast(x, tf.qint8),
        filter=tf.bitcast(tf.constant(kernel), tf.qint8),
        bias=tf.zeros([kernel.shape[-1]]),
        min_input=-127.0,
        max_input=127.0,
        min_filter=-127.0,
        max_filter=127.0,
        out_type=tf.qint32,
        strides=[1, 1, 1, 1],
        padding='SAME',
    )
    return tf.bitcast(convolved.output, tf.int32)

  return convolve


def _draw(shape, seed):
  """Returns a tensor of 8 bits: int8 numbers and the step between them."""
  x = tf.random.stateless_normal(shape, [0, seed])
  exponent = block_floating_point.exponents(x, 8)
  noise = tf.random.stateless_uniform(shape, [1, seed])
  codes = block_floating_point.encode(x, exponent, 8, noise)
  step = block_floating_point.step_sizes(exponent, 8)
  return tf.cast(codes, tf.int8), tf.reshape(step, [])


def product_layers(args):
  """Returns the layers with kernels of `tasks.models.convnet`.

  Args:
    args: `size`, `filters` and `batch_size`.
  """
  layers = []
  size, channels = args.size, 3
  for _ in range(3):
    layers.append(
        Convolution(
            [args.batch_size, size, size, channels],
            [3, 3, channels, args.filters],
        )
    )
    size, channels = size // 2, args.filters
  features = size**2 * channels
  layers.append(Dense([args.batch_size, features], [features, 10]))
  return layers


def _alternatives(layer, product, operands):
  """Returns functions that compute a product, and what they return.

  Args:
    layer: A `Convolution` or `Dense`.
    product: The name of one of its methods.
    operands: Two pairs as `_draw` returns them.

  Returns:
    A dict from names to functions without arguments, of float32 tensors.
  """
  (a, step_a), (b, step_b) = operands
  compute = getattr(layer, product)
  float_a, float_b = (tf.cast(x, tf.float32) * step for x, step in operands)

  def traced(function, *operands):
    run = tf.function(function).get_concrete_function(*operands)
    return lambda: run(*operands)

  def with_integers(multiply):
    return traced(
        lambda a, b: tf.cast(multiply(a, b), tf.float32) * (step_a * step_b),
        a,
        b,
    )

  functions = {
      'float32': traced(lambda a, b: compute(a, b), float_a, float_b),
      'int8': with_integers(lambda a, b: compute(a, b, quantized_matmul)),
      'tf.linalg.matmul': with_integers(
          lambda a, b: compute(a, b, plain_matmul)
      ),
  }
  if isinstance(layer, Convolution) and product != 'kernel_gradient':
    functions['int32 convolution'] = with_integers(
        lambda a, b: compute(tf.cast(a, tf.int32), tf.cast(b, tf.int32))
    )
  if isinstance(layer, Convolution) and product == 'output':
    convolve = _constant_convolution(b.numpy())
    functions['constant kernel'] = with_integers(lambda a, b: convolve(a))
  return functions


def products(args):
  """Yields layers, products, times and which results are exact.

  The products of the first layer with its error, a gradient for the images, are
  left out: training does not need them.

  Args:
    args: The values of the flags.

  Yields:
    A `Convolution` or `Dense`, the name of its product, a dict from the names
    of `_alternatives` to lists of seconds, and one to bools.
  """
  for index, layer in enumerate(product_layers(args)):
    x = _draw(layer.input_shape, 3 * index)
    kernel = _draw(layer.kernel_shape, 3 * index + 1)
    error = _draw(layer.error_shape, 3 * index + 2)
    of = {
        'output': (x, kernel),
        'input_gradient': (error, kernel),
        'kernel_gradient': (x, error),
    }
    if index == 0:
      del of['input_gradient']
    for product, operands in of.items():
      functions = _alternatives(layer, product, operands)
      # Integers of far less than 53 bits, times a power of two.
      expected = getattr(layer, product)(
          *(tf.cast(x, tf.float64) for x, _ in operands)
      ) * tf.cast(operands[0][1] * operands[1][1], tf.float64)
      exact = {
          name: np.array_equal(function().numpy(), expected.numpy())
          for name, function in functions.items()
      }
      yield layer, product, timing.alternate(functions, args), exact


def _print_products(args):
  print(f'TensorFlow {tf.__version__}')
  names = ['float32', 'int8', 'tf.linalg.matmul', 'int32 convolution',
           'constant kernel']  # pyformat: disable
  print(
      '| kernel | product | float32, ms | int8, ms |'
      + ''.join(f' {name} / float32 |' for name in names[1:])
      + ' not exact |\n|'
      + '---|' * (len(names) + 4)
  )
  totals = {name: np.zeros(args.repeats) for name in names[:2]}
  for layer, product, seconds, exact in products(args):
    for name, total in totals.items():
      total += seconds[name]
    ratios = [
        f'{timing.ratio(seconds[name], seconds["float32"]):.2f}'
        if name in seconds
        else ''
        for name in names[1:]
    ]
    wrong = ', '.join(name for name in exact if not exact[name])
    times = [f'{1e3 * median(seconds[name]):.1f}' for name in names[:2]]
    print(
        f'| {"x".join(map(str, layer.kernel_shape))} |'
        f' {product.replace("_", " ")} |'
        f' {" | ".join(times + ratios)} | {wrong or "none"} |',
        flush=True,
    )
  ratio = timing.ratio(totals['int8'], totals['float32'])
  print(
      '| all | |'
      + ''.join(f' {1e3 * median(total):.1f} |' for total in totals.values())
      + f' {ratio:.2f} |'
      + ' |' * 4
  )


def main():
  parser = argparse.ArgumentParser(
      description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  timing.add_flags(parser)
  parser.add_argument('--size', type=int, default=32, help='of images, pixels')
  parser.add_argument('--filters', type=int, default=128)
  parser.add_argument('--batch_size', type=int, default=32)
  args = parser.parse_args()
  timing.print_machine()
  check_onednn()
  _print_products(args)
  timing.print_machine()


if __name__ == '__main__':
  main()
