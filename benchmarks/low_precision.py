# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What 8 bits would save in LPT's local training: time and memory.

  TF_ENABLE_ONEDNN_OPTS=1 python -m benchmarks.low_precision
  TF_ENABLE_ONEDNN_OPTS=1 .venv-worker/bin/python -m benchmarks.low_precision \
    --parts products

LPT's block floating point is emulated in float32. For the ConvNet of its paper
this prints four tables, those of `--parts`:

*   products: the time of every product of a step, of a layer's input or error
    with its kernel or each other, in float32 and with TensorFlow's integer
    kernels, on tensors of 8 bits with one exponent each, and whether the
    results are exact. "int8" is oneDNN's product of matrices whose entries are
    bytes, after a convolution has become one by laying its patches side by
    side; all steps from int8 to float32 are in it, the rounding to int8 is not.
    It needs neither TFF nor the package's layers: any TensorFlow runs it.
*   steps: the time of a step of FedAvg and of LPT, emulated.
*   memory: what a client's training adds to a process that has traced it and
    trained a client of one example, at its peak, each time in a new process.
*   count: the tensors that a step of training cannot do without, in the bits
    that they would take if they were stored so, see `training_bits`; and those
    of HeteroFL and SplitMix, beside what LPT's paper says.
"""

import argparse
import dataclasses
import math
import os
import pathlib
import re
from statistics import median
import subprocess
import sys

import numpy as np
import tensorflow as tf

from benchmarks import timing
from tff_binary.ops import block_floating_point

_PARTS = ('products', 'steps', 'memory', 'count')
_MIB = 2**20
_FLOAT32_BITS = 32
_EXPONENT_BITS = 8
_CLIENTS_PER_ROUND = 32

# See benchmarks.client_memory.
_ENVIRONMENT = {
    'TF_ENABLE_ONEDNN_OPTS': '0',
    'MALLOC_MMAP_THRESHOLD_': str(2**17),
}

# Each with its bits and the dtype of its model.
_TRAININGS = {
    'FedAvg': (32, 'float32'),
    'FedAvg, bfloat16': (32, 'bfloat16'),
    'LPT, 8 bits': (8, 'float32'),
    'LPT, 8 bits, bfloat16': (8, 'bfloat16'),
}

# "Communication cost" and "train cost" in MB, CIFAR-10, of Li et al., NeurIPS
# 2024, as github.com/digbangbang/LPT-FL shows them, assets/lowp.png.
_PAPER = {
    'HeteroFL (1)': (39.1, 205.4),
    'HeteroFL (1/2)': (19.6, 83.7),
    'HeteroFL (1/4, 1/8)': (7.3, 31.1),
    'SplitMix (1)': (39.1, 178.4),
    'SplitMix (1/2)': (19.6, 89.2),
    'SplitMix (1/4, 1/8)': (7.3, 33.4),
    'LPT, 8 bits': (9.8, 51.3),
    'LPT, 6 bits': (7.3, 38.5),
    'LPT, 5 bits': (6.1, 32.1),
}
_BUDGETS = {'1': (1.0,), '1/2': (0.5,), '1/4, 1/8': (0.25, 0.125)}
_NUM_BASES = 8


def _convnet(args):
  # The worker's Python has not all that `tasks` needs.
  from tasks import models  # pylint: disable=g-import-not-at-top

  return models.convnet(
      (args.size, args.size, 3), filters=3 * (args.filters,)
  )


# ---- Products of integers.


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
    always for k up to 512; the kernel rounds larger sums to float32.

  Raises:
    tf.errors.InternalError: If oneDNN is off.
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
      f'| all | |'
      + ''.join(f' {1e3 * median(total):.1f} |' for total in totals.values())
      + f' {ratio:.2f} |'
      + ' |' * 4
  )


# ---- A client's training as it is.


def _client_training(args, bits, dtype, num_examples):
  """Returns a function that trains one client, given its examples.

  Args:
    args: The values of the flags.
    bits: b of LPT, or 32 for FedAvg.
    dtype: What the model computes in.
    num_examples: How many examples the client has that it trains.

  Returns:
    A function of a number of examples, at most `num_examples`.
  """
  # The worker's Python has no TFF.
  # pylint: disable=g-import-not-at-top
  import tensorflow_federated as tff

  from tff_binary import layers
  from tff_binary import learning
  from tff_binary.learning import local_training
  # pylint: enable=g-import-not-at-top

  def client(count):
    data = learning.client_dataset(
        np.random.RandomState(0).randint(
            256, size=[count, args.size, args.size, 3]
        ).astype(np.uint8),
        np.zeros([count], np.int32),
        client_id=0,
    )
    return data

  to_floats = lambda x: tf.cast(x, tf.float32) / 255.0
  clients = {count: client(count) for count in {1, num_examples}}
  with learning.keras_compute_dtype(dtype):
    model = learning.keras_model_fn(
        lambda: _convnet(args),
        clients[1].element_spec,
        preprocess_fn=to_floats,
    )()
  build_layer = lambda variable: None
  if bits < _FLOAT32_BITS:
    layers.quantize_activations(
        learning.keras_model_of(model), bits, tf.constant([0, 0])
    )
    build_layer = lambda variable: (
        layers.LowPrecisionKernel(bits, 'kernel')
        if variable.shape.rank > 1
        else None
    )
  weights = tf.nest.map_structure(
      lambda variable: tf.constant(variable.numpy()),
      tff.learning.models.ModelWeights.from_model(model),
  )
  client_update = local_training.build_client_update(
      model,
      [build_layer(variable) for variable in model.trainable_variables],
      learning.LocalTraining(
          batch_size=args.batch_size,
          optimizer=tff.learning.optimizers.build_adam(0.001),
          preprocess_fn=to_floats,
      ),
      seed=0,
  )
  return lambda count: client_update(
      tf.constant(0), weights, clients[count].get_single_element(), ()
  )


def _print_steps(args):
  num_examples = args.num_steps * args.batch_size
  functions = {}
  for name, (bits, dtype) in _TRAININGS.items():
    if dtype == 'float32':
      train = _client_training(args, bits, dtype, num_examples)
      functions[name] = lambda train=train: train(num_examples)
  seconds = timing.alternate(functions, args)
  print('| | ms a step | over FedAvg |\n|---|---|---|')
  for name, values in seconds.items():
    print(
        f'| {name} | {1e3 * median(values) / args.num_steps:.1f} |'
        f' {timing.ratio(values, seconds["FedAvg"]):.2f} |'
    )


# ---- Memory.


def _status_bytes(name):
  status = pathlib.Path('/proc/self/status').read_text(encoding='utf-8')
  return 1024 * int(re.search(rf'{name}:\s+(\d+) kB', status).group(1))


def _measure(args):
  """Trains one client; prints the bytes that it adds at the peak."""
  num_examples = args.num_steps * args.batch_size
  bits, dtype = _TRAININGS[args.measure]
  train = _client_training(args, bits, dtype, num_examples)
  train(1)
  before = _status_bytes('VmRSS')
  # Makes the peak what is resident now.
  pathlib.Path('/proc/self/clear_refs').write_text('5', encoding='utf-8')
  train(num_examples)
  print(_status_bytes('VmHWM') - before)


def _measured_bytes(name, args):
  """Returns what `_measure` prints in a new process."""
  command = [sys.executable, '-m', 'benchmarks.low_precision']
  command += ['--measure', name]
  for flag in ('size', 'filters', 'batch_size', 'num_steps'):
    command += [f'--{flag}', str(getattr(args, flag))]
  output = subprocess.run(
      command,
      env={**os.environ, **_ENVIRONMENT},
      check=True,
      stdout=subprocess.PIPE,
      stderr=subprocess.DEVNULL,
  ).stdout
  return int(output.split()[-1])


def _print_memory(args):
  values = {name: [] for name in _TRAININGS}
  for _ in range(args.processes):
    for name in values:
      values[name].append(_measured_bytes(name, args))
  print('| | MiB | min | max | over FedAvg |\n|---|---|---|---|---|')
  for name, x in values.items():
    print(
        f'| {name} |'
        + ''.join(f' {f(x) / _MIB:.1f} |' for f in (median, min, max))
        + f' {timing.ratio(x, values["FedAvg"]):.2f} |'
    )


# ---- What it would be.


@dataclasses.dataclass(frozen=True)
class TrainingBits:
  """What a client holds at the peak of a step, in bits.

  Attributes:
    weights: Of the trainable variables.
    gradients: Of the same.
    activations: What is kept of the forward pass.
    errors: The gradients for what a layer puts out and for what it takes, of
      the layer where both together are largest.
    moments: Of Adam, not in `total`.
  """

  weights: float
  gradients: float
  activations: float
  errors: float
  moments: float

  @property
  def total(self) -> float:
    return self.weights + self.gradients + self.activations + self.errors


def variable_bits(shape, bits: int, blocks: str = 'kernel') -> int:
  """Returns what a variable takes in block floating point of some bits.

  Args:
    shape: A static `tf.TensorShape`.
    bits: b; 32 for float32, as vectors are in any case.
    blocks: One of `block_floating_point.BLOCKS`.
  """
  num_entries = shape.num_elements()
  if bits == _FLOAT32_BITS or shape.rank < 2:
    return _FLOAT32_BITS * num_entries
  num_blocks = math.prod(block_floating_point.block_shape(shape, blocks))
  return bits * num_entries + _EXPONENT_BITS * num_blocks


def training_bits(
    model: tf.keras.Model, batch_size: int, bits: int
) -> TrainingBits:
  """Counts what a step of training holds at its peak, at the least.

  Kept for the backward pass are the images, in float32, and what convolutions,
  activation functions, pooling and dense layers put out. What normalization
  does is not: the activation function behind it has its derivative from what it
  puts out itself. LPT rounds the same tensors, each to b bits with one exponent
  for the batch, and errors. Nothing is counted of what kernels need meanwhile,
  nor of the noise of rounding.

  The count is ours: what we have of the LPT paper (Li et al., NeurIPS 2024)
  gives numbers, not how they are counted.

  Args:
    model: A Sequential or functional model with one input, of layers as those
      of `tasks.models.convnet`.
    batch_size: Examples in a batch.
    bits: b of weights, gradients, activations and errors; 32 for float32.

  Returns:
    A `TrainingBits`.
  """
  sizes = lambda tensor: batch_size * math.prod(tensor.shape[1:])

  def stored(size):
    is_rounded = bits < _FLOAT32_BITS
    return bits * size + (_EXPONENT_BITS if is_rounded else 0)

  activations = _FLOAT32_BITS * sizes(model.input)
  errors = 0
  for layer in model.layers:
    if not _is_computed(layer):
      continue
    if not _is_normalization(layer):
      activations += stored(sizes(layer.output))
    error = stored(sizes(layer.output))
    if layer.input is not model.input:
      error += stored(sizes(layer.input))
    errors = max(errors, error)
  variables = model.trainable_variables
  weights = sum(variable_bits(v.shape, bits) for v in variables)
  num_weights = sum(v.shape.num_elements() for v in variables)
  return TrainingBits(
      weights=weights,
      gradients=weights,
      activations=activations,
      errors=errors,
      moments=2 * _FLOAT32_BITS * num_weights,
  )


def _is_computed(layer):
  """Whether a layer puts out another tensor than it takes."""
  keras_layers = tf.keras.layers
  if isinstance(layer, keras_layers.Activation):
    return layer.activation is not tf.keras.activations.linear
  return not isinstance(
      layer,
      (keras_layers.InputLayer, keras_layers.Flatten, keras_layers.Reshape),
  )


def _is_normalization(layer):
  keras_layers = tf.keras.layers
  return isinstance(
      layer,
      (
          keras_layers.BatchNormalization,
          keras_layers.GroupNormalization,
          keras_layers.LayerNormalization,
      ),
  )


def _narrow(args, rate, num_blocks=1):
  """Returns the Keras model of a client with a share of the channels."""
  # pylint: disable=g-import-not-at-top
  from tff_binary import learning
  from tff_binary.learning import sub_models
  # pylint: enable=g-import-not-at-top

  data = learning.client_dataset(
      np.zeros([1, args.size, args.size, 3], np.float32),
      np.zeros([1], np.int32),
      client_id=0,
  )
  whole = learning.keras_model_fn(lambda: _convnet(args), data.element_spec)()
  spec = learning.SubModels(
      [rate], choose=lambda *unused: None, num_blocks=num_blocks
  )
  return sub_models.Architecture(whole, spec, rate).build().keras_model


def _several(bits, count, in_turn):
  """Returns the bits of several models, of one client.

  Args:
    bits: The `TrainingBits` of one.
    count: How many there are.
    in_turn: Whether they are trained one after the other; their weights are
      all there.
  """
  if in_turn:
    return dataclasses.replace(bits, weights=count * bits.weights)
  return TrainingBits(
      *(count * value for value in dataclasses.astuple(bits))
  )


def _mean(values):
  return TrainingBits(
      *map(np.mean, zip(*(dataclasses.astuple(x) for x in values)))
  )


def count_rows(args):
  """Yields a method's name, its `TrainingBits` and those of `_PAPER`."""
  whole = _convnet(args)
  yield 'FedAvg', training_bits(whole, args.batch_size, 32), None
  for bits in (8, 6, 5, 4):
    name = f'LPT, {bits} bits'
    count = training_bits(whole, args.batch_size, bits)
    yield name, count, _PAPER.get(name)
  for label, budgets in _BUDGETS.items():
    name = f'HeteroFL ({label})'
    yield name, _mean([
        training_bits(_narrow(args, rate), args.batch_size, 32)
        for rate in budgets
    ]), _PAPER[name]
  base = training_bits(
      _narrow(args, 1 / _NUM_BASES, _NUM_BASES), args.batch_size, 32
  )
  for label, budgets in _BUDGETS.items():
    name = f'SplitMix ({label})'
    for in_turn in (True, False):
      suffix = 'in turn' if in_turn else 'at a time'
      yield f'{name}, {suffix}', _mean([
          _several(base, round(budget * _NUM_BASES), in_turn)
          for budget in budgets
      ]), _PAPER[name]


def _print_count(args):
  print(
      '| MiB | up | the paper | weights | gradients | activations | errors |'
      ' sum | over FedAvg | the paper | over FedAvg | moments |\n|'
      + '---|' * 12
  )
  reference = None
  for name, bits, paper in count_rows(args):
    mib = lambda x: x / 8 / _MIB
    reference = reference or bits.total
    up, cost = paper or _PAPER['HeteroFL (1)']  # FedAvg's, and of no bits.
    is_known = paper is not None or name == 'FedAvg'
    cells = [
        f'{_CLIENTS_PER_ROUND * mib(bits.weights):.1f}',
        f'{up}' if is_known else '',
        *(
            f'{mib(x):.2f}'
            for x in (
                bits.weights, bits.gradients, bits.activations, bits.errors,
                bits.total,
            )
        ),
        f'{bits.total / reference:.3f}',
        f'{cost}' if is_known else '',
        f'{cost / _PAPER["HeteroFL (1)"][1]:.3f}' if is_known else '',
        f'{mib(bits.moments):.2f}',
    ]  # pyformat: disable
    print(f'| {name} | {" | ".join(cells)} |')


def _parse_args():
  parser = argparse.ArgumentParser(
      description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--parts', nargs='+', choices=_PARTS, default=_PARTS)
  timing.add_flags(parser)
  parser.add_argument('--size', type=int, default=32, help='of images, pixels')
  parser.add_argument('--filters', type=int, default=128)
  parser.add_argument('--batch_size', type=int, default=32)
  parser.add_argument('--num_steps', type=int, default=3, help='of a client')
  parser.add_argument('--processes', type=int, default=3,
                      help='in which each memory is measured')
  parser.add_argument('--measure', choices=_TRAININGS,
                      help='measure the memory of this, in this process')
  return parser.parse_args()


def main():
  args = _parse_args()
  if args.measure:
    _measure(args)
    return
  timing.print_machine()
  parts = {
      'products': _print_products,
      'steps': _print_steps,
      'memory': _print_memory,
      'count': _print_count,
  }
  for name in args.parts:
    print()
    parts[name](args)
  timing.print_machine()


if __name__ == '__main__':
  main()
