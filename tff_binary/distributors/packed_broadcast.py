# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Broadcast of kernels as codes of a few bits."""

import collections
import dataclasses

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary.distributors import broadcast
from tff_binary.distributors import model_tensors
from tff_binary.ops import rounding
from tff_binary.ops import seeds
from tff_binary.wire import bit_packing
from tff_binary.wire import range_coding


# Of a code, by how they are sent.
MAX_BITS = {'packed': rounding.MAX_BITS, 'entropy': 8, 'changes': 8}


@dataclasses.dataclass(frozen=True)
class KernelQuantizer:
  """Quantizes a kernel once a round, in the same way wherever it is called.

  Every draw is a function of seed, round and tensor. What is derived anew from
  the same weights, by the finalizer for example, is therefore what was sent.

  Source: FedBiF, equations 1, 2, 4 and 5; `step_scale` is ours.

  Attributes:
    bits: The bits of a code, in `[2, 16]`.
    seed: The seed of the run.
    has_sign_bit: Whether codes have a sign bit and a magnitude instead of an
      offset, see `ops.rounding.encode_sign_magnitude`.
    step_scale: 0 for FedBiF's step size, such that the codes reach as far as
      the largest entry, and stochastic rounding. Else the step size is the root
      mean square of the kernel's entries times this number, and entries are
      rounded to the nearest code: the server keeps what that leaves out, so
      that it is not lost, and an entry that hardly moves keeps its code.
  """

  bits: int
  seed: int = 0
  has_sign_bit: bool = False
  step_scale: float = 0.0

  def __post_init__(self):
    if not 2 <= self.bits <= rounding.MAX_BITS:
      raise ValueError(
          f'bits must be an integer in [2, {rounding.MAX_BITS}], got'
          f' {self.bits!r}.'
      )

  def quantize(self, kernel, round_num, index):
    """Returns the codes and the step size of a kernel.

    Args:
      kernel: A float32 tensor.
      round_num: An int32 scalar, counted from 0.
      index: The kernel's position among the trainable tensors.

    Returns:
      An `OrderedDict` of `codes`, int32 of the kernel's shape, and `step_size`,
      a float32 scalar.
    """
    if self.step_scale > 0.0:
      step_size = rounding.root_mean_square_step_size(kernel, self.step_scale)
      codes = rounding.encode_to_nearest(kernel, step_size, self.bits)
      return collections.OrderedDict(codes=codes, step_size=step_size)
    seed = seeds.fold_in([self.seed, seeds.SERVER_DRAWS], round_num, index)
    noise = seeds.uniform(kernel.shape, seed)
    if self.has_sign_bit:
      step_size = rounding.sign_magnitude_step_size(kernel, self.bits)
      encode = rounding.encode_sign_magnitude
    else:
      step_size = rounding.max_norm_step_size(kernel, self.bits)
      encode = rounding.encode
    return collections.OrderedDict(
        codes=encode(kernel, step_size, self.bits, noise), step_size=step_size
    )

  def dequantize(self, quantized):
    """Returns the kernel that stands behind what `quantize` has returned."""
    decode = (
        rounding.decode_sign_magnitude if self.has_sign_bit else rounding.decode
    )
    return decode(quantized['codes'], quantized['step_size'], self.bits)


def build_packed_broadcast(
    tensors: model_tensors.ModelTensors,
    quantizer: KernelQuantizer,
    dequantize: bool = True,
    coding: str = 'packed',
) -> tff.learning.templates.DistributionProcess:
  """Sends kernels as codes with one float32 step size each.

  All other tensors are sent as they are. The state is the number of the round,
  counted from 0. The measurements are those of `build_float32_broadcast`, taken
  from the tensors that are broadcast, and

  *   `sparsity`: float32, the share of the quantized kernels' entries that are
      exactly zero.

  Args:
    tensors: The model's tensors, of which the compressed ones are quantized.
    quantizer: How a kernel is quantized.
    dequantize: Whether clients get kernels, as from any other distributor, or
      the `OrderedDict`s of `KernelQuantizer.quantize`.
    coding: `'packed'` for codes of `quantizer.bits` bits. `'entropy'` for as
      many bits as they have entropy, see `wire.range_coding`; up to 8 bits.
      `'changes'` for codes that are broadcast but not counted, because clients
      are sent what they need of them, see `KernelChanges`.

  Returns:
    A `tff.learning.templates.DistributionProcess`.

  Raises:
    ValueError: If `coding` is none of these, or not for so many bits.
  """
  weights_type, is_compressed, _ = tensors
  shapes = [t.shape for t in weights_type.trainable]
  bits = quantizer.bits
  largest = MAX_BITS.get(coding, 0)
  if bits > largest:
    raise ValueError(
        f'coding must be one of {", ".join(MAX_BITS)}, the last two for at'
        f' most 8 bits, got {coding!r} for {bits}.'
    )
  is_entropy_coded = coding == 'entropy'  # Python values.
  counts = range_coding.counts(1, bits) if is_entropy_coded else None

  def pack_codes(codes):
    if is_entropy_coded:
      return range_coding.encode(codes, bits, counts)
    return bit_packing.pack_codes(codes, bits)

  def unpack_codes(packed, num_codes):
    if is_entropy_coded:
      return range_coding.decode(packed, num_codes, bits, counts)
    return bit_packing.unpack_codes(packed, num_codes, bits)

  @tff.tensorflow.computation(np.int32, weights_type)
  @tf.function
  def pack(round_num, weights):
    message, counted, num_entries = [], [], 0
    num_zeros = tf.constant(0, tf.int64)
    for i, (tensor, c) in enumerate(zip(weights.trainable, is_compressed)):
      if c:
        quantized = quantizer.quantize(tensor, round_num, i)
        is_zero = tf.equal(quantizer.dequantize(quantized), 0.0)
        num_zeros += tf.math.count_nonzero(is_zero)
        num_entries += tensor.shape.num_elements()
        codes = tf.reshape(quantized['codes'], [-1])
        quantized['codes'] = pack_codes(codes)
        tensor = quantized
      message.append(tensor)
      if c and coding == 'changes':  # Python values.
        tensor = tensor['step_size']
      counted.append(tensor)
    message, counted = (
        tff.learning.models.ModelWeights(x, weights.non_trainable)
        for x in (message, counted)
    )
    return round_num + 1, message, collections.OrderedDict(
        model_tensors.measure(tensors, counted),
        sparsity=tf.cast(num_zeros / max(num_entries, 1), tf.float32),
    )

  @tff.tensorflow.computation(pack.type_signature.result[1])
  @tf.function
  def unpack(message):
    received = []
    for part, shape, c in zip(message.trainable, shapes, is_compressed):
      if c:
        shape = tf.TensorShape(shape)
        codes = unpack_codes(part['codes'], shape.num_elements())
        part = collections.OrderedDict(
            codes=tf.reshape(codes, shape), step_size=part['step_size']
        )
        if dequantize:
          part = quantizer.dequantize(part)
      received.append(part)
    return tff.learning.models.ModelWeights(received, message.non_trainable)

  return broadcast.build_encoded_broadcast(pack, unpack)
