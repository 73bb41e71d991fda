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
"""The weighted mean of updates that clients send as packed bytes."""

import collections
from collections.abc import Callable, Sequence
from typing import Union

import tensorflow as tf
import tensorflow_federated as tff

from tff_binary.ops import seeds
from tff_binary.wire import codec as codec_lib

IsCompressed = Callable[[tf.TensorSpec], bool]


def is_kernel(spec: tf.TensorSpec) -> bool:
  """Returns whether a tensor is a kernel: of rank 2 or more."""
  return spec.shape.rank >= 2


class PackedMeanFactory(tff.aggregators.WeightedAggregationFactory):
  """Aggregation factory for the weighted mean of packed updates.

  The created `tff.templates.AggregationProcess` takes `<state, value, weight>`
  with `value` and `weight` placed at CLIENTS. Each client encodes its value
  with the codec, tensor by tensor; the payload and the weight are what enters
  `tff.federated_aggregate`. Accumulation decodes one client's payload, applies
  its step sizes and its weight and adds the result. The process returns
  `sum(weight * decode(encode(value))) / sum(weight)` at SERVER, or zeros if the
  weights sum to zero. Since the result has the type of the value, the factory
  can be used wherever TFF takes a weighted factory, for example as the
  `model_aggregator` of `tff.learning.algorithms.build_weighted_fed_avg` or
  inside `tff.aggregators.clipping_factory` and `zeroing_factory`.

  Weights stay outside the payload: `tff.aggregators.MeanFactory` would multiply
  them in before encoding and so leave the grid of a lossless codec.

  The process has no state. Its measurements are

  *   `num_clients`: int32, the number of clients that sent an update.
  *   `num_compressed_params`: int64, the model parameters that one client's
      compressed tensors are about.
  *   `compressed_uplink_bytes`: int64, bytes of the compressed tensors'
      payloads, summed over the clients.
  *   `uplink_bytes`: int64, all bytes that entered the aggregation, summed
      over the clients.
  *   `num_dropped_clients`: int32, only with `on_off_grid='drop'`: how many
      clients got weight 0 for their off-grid values.

  The bytes are added up from the payloads' tensors when they are accumulated.
  """

  def __init__(
      self,
      codec: codec_lib.Codec,
      is_compressed: Union[IsCompressed, Sequence[bool]] = is_kernel,
      on_off_grid: str = 'raise',
      seed: int = 0,
  ):
    """Initializes `PackedMeanFactory`.

    Args:
      codec: The codec of the compressed tensors. All other tensors travel in
        float32.
      is_compressed: Which tensors are compressed: a predicate on a
        `tf.TensorSpec` whose name is the tensor's path in the value, or one
        bool for each tensor in the order of the value's type.
      on_off_grid: What happens to a client with values that a lossless codec
        can't represent. `'raise'` fails the round with an error that names the
        tensor; `'drop'` gives the client weight 0 and counts it.
      seed: The seed of a codec that draws. A client's draws depend on it and on
        the update, and on nothing else: an equal update gets equal ones.

    Raises:
      TypeError: If `codec` is not a `Codec`.
      ValueError: If `on_off_grid` is neither `'raise'` nor `'drop'`.
    """
    if not isinstance(codec, codec_lib.Codec):
      raise TypeError(f'codec must be a Codec, got {codec!r}.')
    if on_off_grid not in ('raise', 'drop'):
      raise ValueError(
          f"on_off_grid must be 'raise' or 'drop', got {on_off_grid!r}."
      )
    self._codec = codec
    self._is_compressed = is_compressed
    self._on_off_grid = on_off_grid
    self._seed = seed

  def create(
      self, value_type: tff.Type, weight_type: tff.Type
  ) -> tff.templates.AggregationProcess:
    """Creates the process.

    Args:
      value_type: The type of one client's value, float tensors of static shape.
      weight_type: The type of a client's weight, a scalar.

    Returns:
      A `tff.templates.AggregationProcess`.

    Raises:
      TypeError: If `value_type` holds anything but float tensors of static
        shape.
      ValueError: If `is_compressed` is a sequence of another length than the
        value has tensors.
    """
    specs = _tensor_specs(value_type)
    compressed = self._compressed_tensors(specs)
    codecs = self._codecs(compressed)
    num_compressed_params = sum(
        self._codec.num_params(s) for s, c in zip(specs, compressed) if c
    )

    encode = self.create_encode(value_type, weight_type)
    message_type = encode.type_signature.result[0]

    @tff.tensorflow.computation
    def zero():
      return collections.OrderedDict(
          weighted_sum=[tf.zeros(s.shape, s.dtype) for s in specs],
          weight=tf.zeros(weight_type.shape, weight_type.dtype.type),
          num_clients=tf.constant(0),
          compressed_uplink_bytes=tf.constant(0, tf.int64),
          uplink_bytes=tf.constant(0, tf.int64),
      )

    accumulator_type = zero.type_signature.result

    @tff.tensorflow.computation(accumulator_type, message_type)
    @tf.function
    def accumulate(accumulator, message):
      payload, weight = message
      sizes = [_num_bytes(p) for p in payload]
      compressed_bytes = sum(s for s, c in zip(sizes, compressed) if c)
      return collections.OrderedDict(
          weighted_sum=[
              total + c.decode(p, spec, weight)
              for total, c, p, spec in zip(
                  accumulator['weighted_sum'], codecs, payload, specs
              )
          ],
          weight=accumulator['weight'] + weight,
          num_clients=accumulator['num_clients'] + 1,
          compressed_uplink_bytes=(
              accumulator['compressed_uplink_bytes'] + compressed_bytes
          ),
          uplink_bytes=(
              accumulator['uplink_bytes'] + sum(sizes) + _num_bytes(weight)
          ),
      )

    @tff.tensorflow.computation(accumulator_type, accumulator_type)
    def merge(a, b):
      return tf.nest.map_structure(tf.add, a, b)

    @tff.tensorflow.computation(accumulator_type)
    def report(accumulator):
      measurements = collections.OrderedDict(accumulator)
      weighted_sum = measurements.pop('weighted_sum')
      weight = measurements.pop('weight')
      measurements['num_compressed_params'] = tf.constant(
          num_compressed_params, tf.int64
      )
      mean = [
          tf.math.divide_no_nan(x, tf.cast(weight, x.dtype))
          for x in weighted_sum
      ]
      return _pack_like(value_type, mean), measurements

    @tff.federated_computation
    def init_fn():
      return tff.federated_value((), tff.SERVER)

    @tff.federated_computation(
        init_fn.type_signature.result,
        tff.FederatedType(value_type, tff.CLIENTS),
        tff.FederatedType(weight_type, tff.CLIENTS),
    )
    def next_fn(state, value, weight):
      messages, off_grid = tff.federated_map(encode, (value, weight))
      mean, measurements = tff.federated_aggregate(
          messages, zero(), accumulate, merge, report
      )
      if self._on_off_grid == 'drop':  # Python values.
        measurements = tff.federated_map(
            _add_num_dropped, (measurements, tff.federated_sum(off_grid))
        )
      return tff.templates.MeasuredProcessOutput(state, mean, measurements)

    return tff.templates.AggregationProcess(init_fn, next_fn)

  def create_encode(
      self, value_type: tff.Type, weight_type: tff.Type
  ) -> tff.Computation:
    """Creates the computation that makes a client's message.

    Args:
      value_type: As in `create`.
      weight_type: As in `create`.

    Returns:
      A `tff.Computation` from `<value, weight>` to `<message, off_grid>`. The
      message is what enters `tff.federated_aggregate`: the payloads in the
      order of `value_type`, and the weight. `off_grid` is an int32, 1 if the
      codec can't represent the value.
    """
    specs = _tensor_specs(value_type)
    codecs = self._codecs(self._compressed_tensors(specs))
    drop = self._on_off_grid == 'drop'  # Python values.

    # Checks run inside a tf.function: directly in a TFF computation an
    # assertion is silently dropped.
    @tff.tensorflow.computation(value_type, weight_type)
    @tf.function
    def encode(value, weight):
      tensors = _flatten(value)
      num_off_grid = [c.num_off_grid(x) for c, x in zip(codecs, tensors)]
      off_grid = tf.add_n([tf.constant(0, tf.int64)] + num_off_grid) > 0
      if drop:
        weight = tf.where(off_grid, tf.zeros_like(weight), weight)
      else:
        checks = [
            _check_on_grid(n, spec, self._codec)
            for n, spec in zip(num_off_grid, specs)
        ]
        with tf.control_dependencies(checks):
          weight = tf.identity(weight)
      seed = seeds.of_values([self._seed, seeds.ENCODING_DRAWS], tensors)
      payload = [
          c.encode(x, seeds.fold_in(seed, i))
          for i, (c, x) in enumerate(zip(codecs, tensors))
      ]
      return (payload, weight), tf.cast(off_grid, tf.int32)

    return encode

  def _compressed_tensors(self, specs):
    """Returns one bool for each of `specs`."""
    if callable(self._is_compressed):
      return [bool(self._is_compressed(spec)) for spec in specs]
    if len(self._is_compressed) != len(specs):
      raise ValueError(
          'is_compressed must have one entry for each of the'
          f' {len(specs)} tensors of the value, got {len(self._is_compressed)}.'
      )
    return list(self._is_compressed)

  def _codecs(self, compressed):
    """Returns the codec of each tensor."""
    raw_codec = codec_lib.Float32Codec()
    return [self._codec if c else raw_codec for c in compressed]


def _tensor_specs(value_type):
  """Returns the named `tf.TensorSpec`s of a type, in the order of the type."""
  if not tff.types.is_structure_of_floats(value_type):
    raise TypeError(
        f'All tensors of the value must be of floating dtype, got {value_type}.'
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


@tff.tensorflow.computation
def _add_num_dropped(measurements, num_dropped_clients):
  return collections.OrderedDict(
      measurements, num_dropped_clients=num_dropped_clients
  )


def _check_on_grid(num_off_grid, spec, codec):
  return tf.debugging.assert_equal(
      num_off_grid,
      tf.constant(0, tf.int64),
      message=(
          f'Tensor {spec.name} of shape {tuple(spec.shape)} has entries that'
          f' {type(codec).__name__} cannot represent. A lossless codec needs'
          ' updates that were trained on its grid; use SignCodec for any'
          " others, or on_off_grid='drop'. Number of such entries:"
      ),
  )


def _num_bytes(struct):
  """Returns the bytes of the tensors in `struct`, an int64 scalar."""
  return sum(
      tf.size(x, tf.int64) * x.dtype.size for x in tf.nest.flatten(struct)
  )
