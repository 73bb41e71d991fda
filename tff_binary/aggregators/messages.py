# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What clients send in an aggregation, and the weighted mean of it."""

import collections
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Union

import tensorflow as tf
import tensorflow_federated as tff

from tff_binary.ops import autograph
from tff_binary.ops import seeds
from tff_binary.ops import sizes
from tff_binary.ops import small_tensors
from tff_binary.wire import codec as codec_lib

IsCompressed = Callable[[tf.TensorSpec], bool]


def is_kernel(spec: tf.TensorSpec) -> bool:
  """Returns whether a tensor is a kernel: of rank 2 or more."""
  return spec.shape.rank >= 2


class _Part(NamedTuple):
  """What is encoded as one tensor.

  Attributes:
    spec: Its `tf.TensorSpec`.
    indices: The positions of the value's tensors that are in it.
    is_compressed: Whether it is for the codec.
  """

  spec: tf.TensorSpec
  indices: Sequence[int]
  is_compressed: bool


class MessageFormat:
  """How a value becomes payloads, one for each of its parts, and back.

  A part is a tensor or a vector of several, one after the other, which stands
  in the place of the first of them. The latter are all compressed tensors of a
  joint codec, and those of each dtype that are not compressed and small.

  Attributes:
    specs: The `tf.TensorSpec`s of the parts; a name is a path in the value.
    is_compressed: For each part whether it is for the codec.
    num_compressed_params: The model parameters that the compressed parts are
      about, an int.
  """

  def __init__(
      self,
      value_type: tff.Type,
      codec: codec_lib.Codec,
      is_compressed: Union[IsCompressed, Sequence[bool]],
      other_codec: codec_lib.Codec = codec_lib.Float32Codec(),
  ):
    """Initializes the format.

    Args:
      value_type: The type of one client's value, float tensors of static shape.
      codec: The codec of the compressed tensors.
      is_compressed: A predicate on a `tf.TensorSpec`, or one bool for each
        tensor.
      other_codec: The codec of all other tensors.

    Raises:
      TypeError: If `value_type` holds anything but float tensors of static
        shape.
      ValueError: If `is_compressed` is a sequence of another length than the
        value has tensors, or if it leaves nothing to compress. With
        `Float32Codec`, which compresses nothing anyway, it may.
    """
    self._value_type = value_type
    self._codec = codec
    self._other_codec = other_codec
    self._tensor_specs = _tensor_specs(value_type)
    compressed = _compressed_tensors(is_compressed, self._tensor_specs)
    if not any(compressed) and not isinstance(codec, codec_lib.Float32Codec):
      shapes = ', '.join(
          f'{spec.name} {tuple(spec.shape)}' for spec in self._tensor_specs
      )
      raise ValueError(
          f'{type(codec).__name__} has nothing to compress: is_compressed must'
          f' hold for one tensor of the value at least, which has {shapes}. By'
          ' default it holds for those of rank 2 and more; concat_factory'
          ' around this factory makes one vector of all. Pass for example'
          ' is_compressed=lambda spec: True, or Float32Codec() for an'
          ' aggregation without compression.'
      )
    self._parts = _parts(self._tensor_specs, compressed, codec.is_joint)
    self.specs = [part.spec for part in self._parts]
    self.is_compressed = [part.is_compressed for part in self._parts]
    self.num_compressed_params = sum(
        codec.num_params(part.spec)
        for part in self._parts
        if part.is_compressed
    )

  @tf.autograph.experimental.do_not_convert
  def join(self, value, weight):
    """Makes of a client's value the parts that are encoded.

    No codec can say NaN or infinity, and either would spoil the mean of all. So
    a client is left out if its value, its weight or their product is not
    finite: it encodes zeros, and its weight of NaN tells the server to count
    it.

    Args:
      value: The client's value.
      weight: Its weight, a scalar.

    Returns:
      The list of the parts, all finite, and the weight to send: a float scalar,
      NaN for a client that is left out.
    """
    parts = self._joined(value)
    weight = _floating(weight)
    is_finite = tf.reduce_all(
        [tf.math.is_finite(weight)]
        + [_is_finite_product(x, weight) for x in parts]
    )
    zeros = {x.dtype: tf.zeros([], x.dtype) for x in parts}
    parts = [tf.where(is_finite, x, zeros[x.dtype]) for x in parts]
    return parts, tf.where(is_finite, weight, float('nan'))

  @autograph.as_written
  def _joined(self, value):
    """Returns the list of the parts of a value."""
    tensors = _flatten(value)
    return [
        tensors[part.indices[0]]
        if len(part.indices) == 1
        else tf.concat(
            [
                tf.cast(tf.reshape(tensors[i], [-1]), part.spec.dtype)
                for i in part.indices
            ],
            axis=0,
        )
        for part in self._parts
    ]

  @autograph.as_written
  def encode_on_grid(self, value, weight, seed):
    """Makes the message of a client that is likely to have nothing to refuse.

    That takes one pass over large tensors where `join`, `num_off_grid` and
    `encode` make a dozen.

    Args:
      value: The client's value.
      weight: Its weight, a scalar.
      seed: See `encode`.

    Returns:
      The list of the parts' payloads; the weight to send; and a bool scalar,
      whether these are what `join` and `encode` make, because all is finite and
      on the grid; where not, they are undefined. None where the codec has no
      such pass for any part.
    """
    parts = self._joined(value)
    codecs = [self._codec_of(part) for part in self._parts]
    encoded = [
        autograph.of_user(codec.encode_on_grid)(x)
        for codec, x in zip(codecs, parts)
    ]
    if all(e is None for e in encoded):
      return None
    weight = _floating(weight)
    payloads, are_usable = [], [tf.math.is_finite(weight)]
    part_seeds = self.part_seeds(parts, seed)
    for codec, x, part_seed, e in zip(codecs, parts, part_seeds, encoded):
      payload, magnitudes, is_on_grid = e or (
          autograph.of_user(codec.encode)(x, part_seed),
          x,
          tf.equal(autograph.of_user(codec.num_off_grid)(x), 0),
      )
      payloads.append(payload)
      are_usable += [is_on_grid, _is_finite_product(magnitudes, weight)]
    return payloads, weight, tf.reduce_all(are_usable)

  @autograph.as_written
  def encode(self, parts, seed, codec=None):
    """Returns the list of the parts' payloads.

    Args:
      parts: Those that `join` has returned.
      seed: The first word of the seed, an int: what is drawn depends on it and
        on all parts, or if only the other codec draws, on what is not
        compressed.
      codec: The codec of this message's compressed parts, if not the format's
        own, which must be able to decode what it encodes.
    """
    return [
        autograph.of_user(self._codec_of(part, codec).encode)(x, part_seed)
        for part, x, part_seed in zip(
            self._parts, parts, self.part_seeds(parts, seed, codec)
        )
    ]

  @autograph.as_written
  def part_seeds(self, parts, seed, codec=None):
    """Returns a seed for each part whose codec draws, None for the others.

    Args:
      parts: See `encode`.
      seed: See `encode`.
      codec: See `encode`.
    """
    draws = {True: (codec or self._codec).draws, False: self._other_codec.draws}
    drawing = [i for i, c in enumerate(self.is_compressed) if draws[c]]
    result = [None] * len(parts)
    if drawing:
      # Kernels take their time: without them what is drawn is still fresh.
      hashed = parts if draws[True] else [parts[i] for i in drawing]
      seed = seeds.of_values([seed, seeds.ENCODING_DRAWS], hashed)
      for i, part_seed in zip(drawing, seeds.fold_in_each(seed, drawing)):
        result[i] = part_seed
    return result

  @autograph.as_written
  def num_off_grid(self, parts):
    """Counts the entries that the codec can't represent.

    Args:
      parts: Those that `join` has returned.

    Returns:
      A dict from the `tf.TensorSpec`s of the compressed parts to int64 scalars.
    """
    return {
        part.spec: autograph.of_user(self._codec.num_off_grid)(x)
        for part, x in zip(self._parts, parts)
        if part.is_compressed
    }

  @autograph.as_written
  def add_decoded(self, totals, payloads, weight):
    """Returns sums of parts, and to each a part of this message is added.

    Args:
      totals: For each part a tensor of its shape and any float dtype.
      payloads: What `encode` has returned.
      weight: A finite float scalar, by which the parts are multiplied.
    """
    return [
        autograph.of_user(self._codec_of(part).add_decoded)(
            total,
            payload,
            tf.TensorSpec(part.spec.shape, total.dtype, part.spec.name),
            weight,
        )
        for part, total, payload in zip(self._parts, totals, payloads)
    ]

  def split(self, parts):
    """Returns the value of which these are the parts."""
    tensors = [None] * len(self._tensor_specs)
    for part, joined in zip(self._parts, parts):
      if len(part.indices) == 1:
        tensors[part.indices[0]] = joined
        continue
      specs = [self._tensor_specs[i] for i in part.indices]
      lengths = [spec.shape.num_elements() for spec in specs]
      pieces = tf.split(tf.reshape(joined, [-1]), lengths)
      for i, spec, piece in zip(part.indices, specs, pieces):
        tensors[i] = tf.cast(tf.reshape(piece, spec.shape), spec.dtype)
    return _pack_like(self._value_type, tensors)

  @autograph.as_written
  def num_bytes(self, payloads):
    """Returns the bytes of all payloads and those of the compressed parts."""
    compressed = [
        payload
        for payload, part in zip(payloads, self._parts)
        if part.is_compressed
    ]
    return sizes.num_bytes(payloads), sizes.num_bytes(compressed)

  def measurements(self, counts):
    """Returns what an aggregation measures, given the sum of all `counts`."""
    return collections.OrderedDict(
        counts,
        num_compressed_params=tf.constant(self.num_compressed_params, tf.int64),
    )

  @autograph.as_written
  def _codec_of(self, part, codec=None):
    if part.is_compressed:
      return (codec or self._codec).named(part.spec.name)
    return self._other_codec


def build_weighted_mean(
    message_format: MessageFormat, message_type: tff.Type
) -> Callable[[Any], Any]:
  """Builds the weighted mean of messages.

  Args:
    message_format: The format of the payloads.
    message_type: The type of a client's message, `<payloads, weight>`.

  Returns:
    A function, to be called while a `tff.federated_computation` is traced, from
    messages at CLIENTS to `<mean, measurements>` at SERVER, see
    `PackedMeanFactory`.
  """
  weight_type = message_type[1]

  @tff.tensorflow.computation
  def zero():
    return collections.OrderedDict(
        weighted_sum=[zero_sum(spec) for spec in message_format.specs],
        weight=tf.zeros(weight_type.shape, tf.float64),
        counts=no_counts(),
    )

  accumulator_type = zero.type_signature.result

  @tff.tensorflow.computation(accumulator_type, message_type)
  @tf.function
  def accumulate(accumulator, message):
    payloads, weight = message
    payload_bytes, compressed_bytes = message_format.num_bytes(payloads)
    counts = counts_of(
        weight, compressed_bytes, payload_bytes + sizes.num_bytes(weight)
    )
    weight = usable(weight)
    return collections.OrderedDict(
        weighted_sum=message_format.add_decoded(
            accumulator['weighted_sum'], payloads, weight
        ),
        weight=accumulator['weight'] + tf.cast(weight, tf.float64),
        counts=tf.nest.map_structure(tf.add, accumulator['counts'], counts),
    )

  @tff.tensorflow.computation(accumulator_type, accumulator_type)
  def merge(a, b):
    return tf.nest.map_structure(tf.add, a, b)

  @tff.tensorflow.computation(accumulator_type)
  def report(accumulator):
    mean = [
        mean_of(x, accumulator['weight'], spec)
        for x, spec in zip(accumulator['weighted_sum'], message_format.specs)
    ]
    return message_format.split(mean), message_format.measurements(
        accumulator['counts']
    )

  return lambda messages: tff.federated_aggregate(
      messages, zero(), accumulate, merge, report
  )


@autograph.as_written
def zero_sum(spec):
  """Returns the zeros to which tensors of a spec are added.

  They are at least float32: the sum of many float16 numbers exceeds float16,
  and soon the next one is too small to change it.
  """
  return tf.zeros(spec.shape, codec_lib.wide(spec.dtype))


@autograph.as_written
def mean_of(weighted_sum, weight, spec):
  """Returns a weighted mean: a sum over its weight, zeros with a weight of 0.

  Args:
    weighted_sum: A sum of finite tensors that began with `zero_sum(spec)`.
      Where it has exceeded its dtype it counts as the largest number, and where
      it has done so in both directions as 0.
    weight: The sum of the weights, a float64 scalar or float tensor.
    spec: The `tf.TensorSpec` of the mean.
  """
  dtype = weighted_sum.dtype
  finite = tf.clip_by_value(weighted_sum, dtype.min, dtype.max)
  finite = tf.where(tf.math.is_nan(finite), tf.zeros([], dtype), finite)
  mean = tf.math.divide_no_nan(finite, tf.saturate_cast(weight, dtype))
  return tf.saturate_cast(mean, spec.dtype)


def no_counts():
  """Returns the counts of no clients, to which those of messages are added."""
  return collections.OrderedDict(
      num_clients=tf.constant(0),
      num_non_finite_clients=tf.constant(0),
      compressed_uplink_bytes=tf.constant(0, tf.int64),
      uplink_bytes=tf.constant(0, tf.int64),
  )


@autograph.as_written
def counts_of(weight, compressed_bytes, all_bytes):
  """Returns the counts of one message.

  Args:
    weight: The weight in it, NaN of a client that is left out.
    compressed_bytes: The bytes of the compressed parts, an int64 scalar.
    all_bytes: All bytes, an int64 scalar.

  Returns:
    An `OrderedDict` like that of `no_counts`.
  """
  is_finite = tf.math.is_finite(weight)
  return collections.OrderedDict(
      num_clients=tf.constant(1),
      num_non_finite_clients=1 - tf.cast(is_finite, tf.int32),
      compressed_uplink_bytes=compressed_bytes,
      uplink_bytes=all_bytes,
  )


@autograph.as_written
def usable(weight):
  """Returns the weight to decode a message with, 0 in place of NaN."""
  return tf.where(tf.math.is_finite(weight), weight, tf.zeros_like(weight))


def _tensor_specs(value_type):
  """Returns the named `tf.TensorSpec`s of a type, in the order of the type."""
  if not tff.types.is_structure_of_floats(value_type):
    raise TypeError(
        'All tensors of the value must be float16, float32 or float64, got'
        f' {value_type}.'
    )
  specs = []

  def collect(path, t):
    if isinstance(t, tff.TensorType):
      spec = tf.TensorSpec(t.shape, t.dtype.type, path or 'value')
      if not spec.shape.is_fully_defined():
        raise TypeError(f'Tensor {path} must have a static shape, got {t}.')
      specs.append(spec)
    else:
      for index, (name, element) in enumerate(
          tff.structure.iter_elements(t)
      ):
        collect(f'{path}[{index if name is None else name}]', element)

  collect('', value_type)
  return specs


def _compressed_tensors(is_compressed, specs):
  """Returns one bool for each of `specs`."""
  if callable(is_compressed):
    return [bool(is_compressed(spec)) for spec in specs]
  if len(is_compressed) != len(specs):
    raise ValueError(
        f'is_compressed must have one entry for each of the {len(specs)}'
        f' tensors of the value, got {len(is_compressed)}. Where a factory'
        ' around this one joins tensors, as concat_factory does, it must be a'
        ' function.'
    )
  return list(is_compressed)


def _parts(specs, compressed, is_joint):
  """Returns the parts of which a message consists."""
  indices = collections.defaultdict(list)
  for i, (spec, c) in enumerate(zip(specs, compressed)):
    if c:
      key = 'joint' if is_joint else i
    else:
      # Not the dtype itself, which is equal to the number of its enumeration.
      key = spec.dtype.name if small_tensors.is_small(spec) else i
    indices[key].append(i)
  return [
      _Part(_joint_spec([specs[i] for i in part]), part, compressed[part[0]])
      for part in indices.values()
  ]


def _joint_spec(specs):
  """Returns the `tf.TensorSpec` of the vector of several tensors, or of one."""
  if len(specs) == 1:
    return specs[0]
  return tf.TensorSpec(
      [sum(spec.shape.num_elements() for spec in specs)],
      specs[0].dtype,
      ', '.join(spec.name for spec in specs),
  )


def _floating(weight):
  return weight if weight.dtype.is_floating else tf.cast(weight, tf.float32)


def _is_finite_product(x, weight):
  dtype = codec_lib.wide(x.dtype)
  product = tf.cast(x, dtype) * tf.cast(weight, dtype)
  return tf.reduce_all(tf.math.is_finite(product))


def _flatten(value):
  """Returns the tensors of `value` in the order of its type."""
  if tf.is_tensor(value):
    return [value]
  # Unlike this, tf.nest sorts the keys of a dict.
  return tff.structure.flatten(
      tff.structure.from_container(value, recursive=True)
  )


def _pack_like(value_type, tensors):
  """Packs `tensors` into the Python containers of `value_type`."""
  tensors = iter(tensors)
  return tff.types.structure_from_tensor_type_tree(
      lambda _: next(tensors), value_type
  )
