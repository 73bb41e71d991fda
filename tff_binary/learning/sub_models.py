# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Narrower versions of a Keras model, for clients that train a part of it.

Every hidden convolution and dense layer has less channels in them, and what
follows it accordingly. Inputs and outputs stay as they are.
"""

from collections.abc import Callable, Sequence
import dataclasses
import math

import tensorflow as tf

from tff_binary.layers import kernels
from tff_binary.learning import keras_models
from tff_binary.ops import seeds
from tff_binary.ops import sub_tensors

_LAYERS = tf.keras.layers

# Layers with a width, and its name in their configuration.
_WIDTHS = {
    _LAYERS.Conv1D: 'filters',
    _LAYERS.Conv2D: 'filters',
    _LAYERS.Conv3D: 'filters',
    _LAYERS.Dense: 'units',
}
# Layers that treat every channel in the same way, whatever its neighbours.
_BY_CHANNEL = (
    _LAYERS.Activation, _LAYERS.Add, _LAYERS.AveragePooling1D,
    _LAYERS.AveragePooling2D, _LAYERS.AveragePooling3D,
    _LAYERS.BatchNormalization, _LAYERS.Cropping1D, _LAYERS.Cropping2D,
    _LAYERS.Cropping3D, _LAYERS.Dropout, _LAYERS.ELU, _LAYERS.Flatten,
    _LAYERS.GaussianDropout, _LAYERS.GaussianNoise,
    _LAYERS.GlobalAveragePooling1D, _LAYERS.GlobalAveragePooling2D,
    _LAYERS.GlobalAveragePooling3D, _LAYERS.GlobalMaxPooling1D,
    _LAYERS.GlobalMaxPooling2D, _LAYERS.GlobalMaxPooling3D,
    _LAYERS.GroupNormalization, _LAYERS.InputLayer, _LAYERS.LeakyReLU,
    _LAYERS.MaxPooling1D, _LAYERS.MaxPooling2D, _LAYERS.MaxPooling3D,
    _LAYERS.ReLU, _LAYERS.Rescaling, _LAYERS.SpatialDropout1D,
    _LAYERS.SpatialDropout2D, _LAYERS.SpatialDropout3D,
    _LAYERS.ThresholdedReLU, _LAYERS.UpSampling1D, _LAYERS.UpSampling2D,
    _LAYERS.UpSampling3D, _LAYERS.ZeroPadding1D, _LAYERS.ZeroPadding2D,
    _LAYERS.ZeroPadding3D,
)  # pyformat: disable


@dataclasses.dataclass(frozen=True)
class SubModels:
  """Which sub-models of a model there are, and which of them clients train.

  There are either models of several rates, each of them the leading channels of
  the larger ones, or with `num_blocks` models of one rate that have no channel
  in common. They are numbered from 0 in the order of the rates or of the
  blocks.

  Attributes:
    rates: The share of the hidden channels that a sub-model has, one for each
      model or, with `num_blocks`, one for all; the largest first. Only models
      of the first rate have moving statistics, which the others' are unlike.
    choose: A TensorFlow function that returns the numbers of a client's
      sub-models, distinct, an int32 tensor of shape `[max_models]`; a client of
      less sub-models has the number of all sub-models in the rest. Its
      arguments are `identity`, the client's id, an int32 scalar; `seed`, the
      int32 seed `[2]` of what the client draws in this round; and `position`,
      see `in_turn`.
    max_models: The most sub-models that a client trains.
    num_blocks: The number of disjoint sub-models, or 1.
    in_turn: Whether `position` says which turn is the client's: how many
      clients come before it in this round, in the order of their ids, and
      before this round, if all rounds have as many. It takes an exchange of
      all ids. Otherwise `position` is 0.
    scales: Whether a sub-model divides what a hidden convolution or dense layer
      puts out by its rate, of nested ones by its share of the largest rate.
    masks_labels: Whether the loss of a client takes the logits of classes which
      it has no example of as 0 (probabilities, where a model puts out these, so
      that it leaves the classes out), and whether it counts in the mean for
      those weights of the output layer only that belong to its classes.
  """

  rates: Sequence[float]
  choose: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
  max_models: int = 1
  num_blocks: int = 1
  in_turn: bool = False
  scales: bool = True
  masks_labels: bool = False

  @property
  def num_models(self) -> int:
    """The number of all sub-models."""
    return len(self.rates) * self.num_blocks

  def width(self, width: int, rate: float) -> int:
    """Returns how many of a layer's channels a sub-model has."""
    if self.num_blocks > 1:  # As many as fit beside each other.
      return width // self.num_blocks
    return math.ceil(width * rate - 1e-6)  # 0.1 * 30 is more than 3.

  def scale(self, rate: float) -> float:
    """Returns what a sub-model multiplies its hidden layers' outputs by."""
    if not self.scales:
      return 1.0
    return (1.0 if self.num_blocks > 1 else self.rates[0]) / rate


@dataclasses.dataclass(frozen=True)
class RateChooser:
  """Lets each client train one sub-model.

  Attributes:
    numbers: The numbers of sub-models.
    is_drawn: Whether a client draws one of them in each round. Otherwise client
      i has always the i-th one, counted round and round.
  """

  numbers: Sequence[int]
  is_drawn: bool = False

  def __call__(self, identity, seed, position):
    del position
    count = len(self.numbers)
    if self.is_drawn:
      place = tf.random.stateless_uniform(
          [], seed, 0, count, tf.int32, alg=seeds.ALGORITHM
      )
    else:
      place = tf.math.floormod(identity, count)
    return tf.gather(self.numbers, [place])


@dataclasses.dataclass(frozen=True)
class BaseSampler:
  """Spreads sub-models evenly over clients that train several.

  The first one of a client comes from a sampler that all clients share: it goes
  through all sub-models, in another order each time. The others are drawn.

  Source: SplitMix (Hong et al., ICLR 2022), Algorithm 2.

  Attributes:
    num_models: The number of sub-models.
    counts: How many sub-models clients train: client i the i-th number, counted
      round and round.
    seed: The seed of the run.
  """

  num_models: int
  counts: Sequence[int]
  seed: int = 0

  @property
  def max_count(self) -> int:
    """The most sub-models that a client trains."""
    return max(self.counts)

  def __call__(self, identity, seed, position):
    numbers = tf.range(self.num_models)
    order = seeds.shuffle(
        numbers,
        seeds.fold_in(
            [self.seed, seeds.SELECTOR_DRAWS], position // self.num_models
        ),
    )
    first = order[position % self.num_models]
    others = tf.boolean_mask(numbers, tf.not_equal(numbers, first))
    chosen = tf.concat([[first], seeds.shuffle(others, seed)], axis=0)
    count = tf.gather(
        self.counts, tf.math.floormod(identity, len(self.counts))
    )
    places = tf.range(self.max_count)
    return tf.where(
        places < count, chosen[: self.max_count], self.num_models
    )


class Architecture:
  """The narrower models of one rate.

  Attributes:
    trainable: A `SubTensor` for each trainable tensor of the model.
    non_trainable: One for each non-trainable tensor.
    is_output: One bool for each trainable tensor: whether it belongs to an
      output layer.
  """

  def __init__(
      self, model: keras_models.KerasModel, spec: SubModels, rate: float
  ):
    """Derives the models; the graph in which it is called gets one of them.

    Args:
      model: The whole model.
      spec: What becomes of it.
      rate: One of the rates.

    Raises:
      ValueError: If the model is neither Sequential nor functional, or if a
        layer cannot be made narrower, naming it.
    """
    self._model = model
    self._spec = spec
    self._rate = rate
    whole = model.keras_model
    _check_kind(whole)
    self._output_layers = _output_layers(whole)
    for layer in whole.layers:
      _check_layer(layer, spec, layer.name in self._output_layers)
    narrow = self.build().keras_model
    positions, output, hidden = {}, set(), set()
    num_positions = _num_positions(whole)
    for layer in whole.layers:
      is_wide = type(layer) in _WIDTHS
      for v in layer.variables:
        # A bias is about what the layer puts out.
        if v.shape.rank > 1 or not is_wide:
          positions[id(v)] = num_positions[layer.name]
        if layer.name in self._output_layers:
          output.add(id(v))
        elif is_wide:
          hidden.add(id(v))

    def derive(variables, narrow_variables):
      return [
          sub_tensors.SubTensor(
              tuple(v.shape), tuple(n.shape), positions.get(id(v), 1)
          )
          for v, n in zip(variables, narrow_variables)
      ]

    variables = whole.trainable_variables
    self.trainable = derive(variables, narrow.trainable_variables)
    self.non_trainable = derive(
        whole.non_trainable_variables, narrow.non_trainable_variables
    )
    self.is_output = [id(v) in output for v in variables]
    self._is_hidden = [
        id(v) in hidden for v in [*variables, *whole.non_trainable_variables]
    ]

  def build(self, label_mask=None) -> keras_models.KerasModel:
    """Builds a new model.

    Args:
      label_mask: A tensor or variable, float32 of shape `[num_classes]`, that
        the logits are multiplied by; or `None`.
    """
    spec, rate = self._spec, self._rate
    scale = spec.scale(rate)

    def clone(layer):
      config = layer.get_config()
      for key in config:
        # Objects that cannot be made of their configuration are shared.
        if key == 'activation' or key.endswith(('_constraint', '_regularizer')):
          config[key] = getattr(layer, key)
        elif key.endswith('_initializer'):
          config[key] = 'zeros'  # Clients receive all weights.
      name = _WIDTHS.get(type(layer))
      is_hidden = name and layer.name not in self._output_layers
      if is_hidden:
        config[name] = spec.width(config[name], rate)
      if isinstance(layer, _LAYERS.GroupNormalization):
        config['groups'] = -1  # After building it says how many there are.
      new_layer = type(layer).from_config(config)
      if is_hidden and scale > 1.0:
        activation = new_layer.activation
        new_layer.activation = lambda x: activation(x * scale)
      return new_layer

    model = tf.keras.models.clone_model(
        self._model.keras_model, clone_function=clone
    )
    if label_mask is not None:
      _mask_output(model, label_mask)
    return self._model.with_keras_model(model)

  def ensemble(self, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Returns the weights with which the model is the mean of its sub-models.

    The model puts out the mean of what the sub-models of all blocks do, if
    there is no activation function behind its output layer. Without blocks it
    is the only sub-model: nobody has trained the weights outside, and all of
    them are 0.

    Args:
      tensors: The trainable and the non-trainable tensors of the whole model,
        of which the sub-models' weights are blocks.

    Returns:
      A list of tensors for the same places.
    """
    spec = self._spec
    places = [*self.trainable, *self.non_trainable]
    if spec.num_blocks == 1:  # Python values.
      return [place.put(place.take(x)) for x, place in zip(tensors, places)]
    results = []
    for x, sub_tensor, is_hidden in zip(tensors, places, self._is_hidden):
      total = tf.add_n([
          sub_tensor.put(sub_tensor.take(x, block), block)
          for block in range(spec.num_blocks)
      ])
      if sub_tensor.sub_shape[-1] == sub_tensor.shape[-1]:  # Python values.
        total /= float(spec.num_blocks)  # Of what all sub-models add to.
      elif is_hidden and spec.scales:
        total /= self._rate
      results.append(tf.cast(total, x.dtype))
    return results


def _check_kind(model):
  if not getattr(model, '_is_graph_network', False):
    raise ValueError(
        'Only a Sequential or functional Keras model can be made narrower, got'
        f' {type(model).__name__} {model.name!r}.'
    )


def _check_layer(layer, spec, is_output):
  """Raises a `ValueError` if a layer cannot be made narrower, naming it."""
  reason = _reason_against(layer)
  if reason is None and type(layer) in _WIDTHS and not is_output:
    name = _WIDTHS[type(layer)]
    width = getattr(layer, name)
    if width < spec.num_blocks:
      reason = (
          f'its {name} must be at least {spec.num_blocks}, one for each'
          f' sub-model, got {width}.'
      )
  if reason is not None:
    raise ValueError(
        f'Layer {layer.name!r} of type {type(layer).__name__} cannot be made'
        f' narrower: {reason}'
    )


def _reason_against(layer):
  """Returns why no layer like this one can be made narrower, or None."""
  if type(layer) not in (*_WIDTHS, *_BY_CHANNEL):
    return (
        'sub-models are made of dense layers, convolutions, batch and instance'
        ' normalization, pooling, padding, flattening, activation functions,'
        ' dropout and sums of branches.'
    )
  if len(layer.inbound_nodes) > 1:
    return f'it is used {len(layer.inbound_nodes)} times.'
  data_format = getattr(layer, 'data_format', 'channels_last')
  if data_format != 'channels_last':
    return f'its data_format must be channels_last, got {data_format}.'
  groups = getattr(layer, 'groups', 1)
  if type(layer) in _WIDTHS and groups > 1:
    return f'its groups must be 1, got {groups}.'
  is_batch_norm = isinstance(layer, _LAYERS.BatchNormalization)
  is_group_norm = isinstance(layer, _LAYERS.GroupNormalization)
  if is_batch_norm or is_group_norm:
    axis = layer.axis[0] if is_batch_norm else layer.axis
    if axis not in (-1, len(layer.input_shape) - 1):
      return f'its axis must be the last one, got {axis}.'
  if is_group_norm and groups < layer.input_shape[-1]:
    return f'its groups must be of one channel (groups=-1), got {groups}.'
  return None


def _sources(layer):
  """Returns the layers whose outputs a layer takes."""
  return [
      tensor._keras_history.layer  # pylint: disable=protected-access
      for tensor in tf.nest.flatten(layer.input)
  ]


def _output_layers(model):
  """Returns the names of the layers whose width is that of an output.

  These are an output's last dense layer or convolution and what follows it.
  """
  names = set()
  pending = [
      tensor._keras_history.layer  # pylint: disable=protected-access
      for tensor in model.outputs
  ]
  while pending:
    layer = pending.pop()
    names.add(layer.name)
    if type(layer) not in (*_WIDTHS, _LAYERS.InputLayer):
      pending.extend(_sources(layer))
  return names


def _num_positions(model):
  """Returns, by layer, how many positions a flattened input holds, 1 if none."""
  of_inputs, of_outputs = {}, {}
  # In the order in which they are called.
  for layer in model.layers:
    sources = [] if isinstance(layer, _LAYERS.InputLayer) else _sources(layer)
    number = max([of_outputs.get(s.name, 1) for s in sources], default=1)
    of_inputs[layer.name] = number
    if isinstance(layer, _LAYERS.Flatten):
      number *= math.prod(layer.input_shape[1:-1])
    of_outputs[layer.name] = 1 if type(layer) in _WIDTHS else number
  return of_inputs


def _mask_output(model, label_mask):
  """Makes a model multiply what it puts out."""
  layer = model.outputs[0]._keras_history.layer  # pylint: disable=protected-access
  call = layer.call

  @tf.autograph.experimental.do_not_convert
  def masked_call(*args, **kwargs):
    return call(*args, **kwargs) * label_mask

  kernels.put(layer, 'call', masked_call)
