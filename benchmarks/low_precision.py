# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Time and memory of LPT's local training, and what few bits would save.

  python -m benchmarks.low_precision

LPT's block floating point is emulated in float32. For the ConvNet of its paper
this prints three tables, those of `--parts`:

*   steps: the time of a step of FedAvg and of LPT, emulated.
*   memory: what a client's training adds to a process that has traced it and
    trained a client of one example, at its peak, each time in a new process.
*   count: the tensors that a step of training cannot do without, in the bits
    that they would take if they were stored so, see `training_bits`; and those
    of HeteroFL and SplitMix, beside what LPT's paper says.

`benchmarks.integer_kernels` says what TensorFlow computes in 8 bits.
"""

import argparse
import dataclasses
import math
from statistics import median

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from benchmarks import one_client
from benchmarks import timing
from tasks import models
from tff_binary import layers
from tff_binary import learning
from tff_binary.learning import sub_models
from tff_binary.ops import block_floating_point

_PARTS = ('steps', 'memory', 'count')
_MIB = 2**20
_FLOAT32_BITS = 32
_EXPONENT_BITS = 8
_CLIENTS_PER_ROUND = 32

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
  return models.convnet(
      (args.size, args.size, 3), filters=3 * (args.filters,)
  )


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
  def client(count):
    random = np.random.RandomState(0)
    shape = [count, args.size, args.size, 3]
    return learning.client_dataset(
        random.randint(256, size=shape).astype(np.uint8),
        np.zeros([count], np.int32),
        client_id=0,
    )

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
  train = one_client.training(
      model,
      [build_layer(variable) for variable in model.trainable_variables],
      learning.LocalTraining(
          batch_size=args.batch_size,
          optimizer=tff.learning.optimizers.build_adam(0.001),
          preprocess_fn=to_floats,
      ),
  )
  return lambda count: train(clients[count])


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


def _measure(args):
  """Trains one client; prints the bytes that it adds at the peak."""
  num_examples = args.num_steps * args.batch_size
  bits, dtype = _TRAININGS[args.measure]
  train = _client_training(args, bits, dtype, num_examples)
  train(1)
  before = one_client.resident_bytes()
  one_client.forget_peak()
  train(num_examples)
  print(one_client.peak_bytes() - before)


def _print_memory(args):
  flags = {
      name: getattr(args, name)
      for name in ('size', 'filters', 'batch_size', 'num_steps')
  }
  values = {name: [] for name in _TRAININGS}
  for _ in range(args.processes):
    for name, of_name in values.items():
      of_name += one_client.measured('benchmarks.low_precision', name, flags)
  print('| | MiB | min | max | over FedAvg |\n|---|---|---|---|---|')
  for name, x in values.items():
    print(
        f'| {name} |'
        + ''.join(f' {f(x) / _MIB:.1f} |' for f in (median, min, max))
        + f' {timing.ratio(x, values["FedAvg"]):.2f} |'
    )


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
