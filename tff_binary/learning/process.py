# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Joins a method and the user's choices to a learning process."""

import collections
from collections.abc import Callable, Iterable, Iterator
import functools
from typing import Any, Optional, Union

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import aggregators
from tff_binary import distributors
from tff_binary import wire
from tff_binary.layers import kernels
from tff_binary.learning import initial_weights
from tff_binary.learning import local_training as local_training_lib
from tff_binary.learning import method as method_lib
from tff_binary.learning import stateful_process
from tff_binary.learning import sub_model_process
from tff_binary.learning import update_observer
from tff_binary.learning import updated_variables

_FLOAT32_BITS = 32

ModelAggregator = tff.aggregators.WeightedAggregationFactory


def _as_it_is(factory: ModelAggregator) -> ModelAggregator:
  return factory


def build_learning_process(
    model_fn: Callable[[], tff.learning.models.VariableModel],
    method: method_lib.Method = method_lib.Method(),
    *,
    element_spec: Optional[collections.OrderedDict[str, Any]] = None,
    local_training: Optional[local_training_lib.LocalTraining] = None,
    server_optimizer: Optional[tff.learning.optimizers.Optimizer] = None,
    is_compressed: Optional[aggregators.IsCompressed] = None,
    wrap_aggregator: Callable[
        [ModelAggregator], ModelAggregator
    ] = _as_it_is,
    downlink_bits: int = 32,
    downlink_step_scale: float = 0.0,
    downlink_coding: str = 'packed',
    downlink_difference_bits: float = 1.0,
    other_bits: int = 32,
    local_bits: int = 32,
    observe_updates: bool = False,
    seed: int = 0,
) -> Union[
    tff.learning.templates.LearningProcess,
    stateful_process.StatefulLearningProcess,
]:
  """Builds the process in which a method trains a model.

  Server weights -> distributor -> clients train with the weight layers ->
  kernels packed by the codec, all other trainable tensors and the changes of
  the non-trainable ones in `other_bits` -> weighted mean -> finalizer.

  Like `tff.learning.algorithms.build_weighted_fed_avg` it takes a `model_fn`,
  and its `next` a list of the clients' datasets, whose elements are batches of
  the model's `input_spec`. Their number of batches may be unknown. They are
  gone through once, and counted before where the method needs to know how many
  there are; `LocalTraining(num_steps=...)` spares that. A client draws, for
  stochastic rounding say, by its first batch, the round and the seed.

  Args:
    model_fn: A no-arg function that returns a new
      `tff.learning.models.VariableModel`, for example from `keras_model_fn`.
      Weights that it loads are the initial ones.
    method: What clients train, what they send, and what the server makes of it.
    element_spec: The spec of a client's data that is stored in one element, see
      `client_dataset`; `None` for datasets of batches.
    local_training: How clients train.
    server_optimizer: The server's optimizer for the trainable weights; by
      default SGD with learning rate 1.
    is_compressed: Which trainable tensors are compressed, a predicate on a
      `tf.TensorSpec` with the variable's name; by default the method's choice,
      in most those of rank >= 2.
    wrap_aggregator: A function from the aggregation factory of the trainable
      tensors to the factory to use, for example
      `lambda f: tff.aggregators.clipping_factory(1.0, f)`. It must hand on the
      tensors as they are, which `concat_factory` does not.
    downlink_bits: What the compressed kernels take on their way to the clients:
      32, or 2 to 16 for codes of so many bits, see
      `distributors.KernelQuantizer`.
    downlink_step_scale: 0 for stochastically rounded codes up to a kernel's
      largest entry, or the step between codes as a multiple of its entries'
      root mean square, with rounding to the nearest.
    downlink_coding: How these codes are sent, those of up to 8 bits also in
      other ways than `'packed'`: with `'entropy'` in as many bits as they have
      entropy; with `'changes'` a client that has taken part before is sent what
      it needs to get from the codes that it got then to the new ones, see
      `distributors.KernelChanges`, and keeps them as its state. With
      `'differences'` kernels are not rounded to codes: a client is sent,
      roughly, what they differ by from what it has kept, see
      `distributors.KernelDifferences`, and the first time, with 2 to 4
      `downlink_bits` of entropy, all of them.
    downlink_difference_bits: The entropy of an entry of these differences, in
      bits, in [0.01, 4].
    other_bits: What an entry of the trainable tensors that are not compressed,
      and of the non-trainable ones' changes, takes on its way to the server:
      32, or 6 to 16 for a float of so many bits, stochastically rounded, see
      `wire.MinifloatCodec`.
    local_bits: What clients compute with: 32, or 2 to 16 for activations,
      errors, compressed kernels and their gradients in block floating point of
      so many bits, as LPT does, see `layers.quantize_activations`. What is sent
      stays the method's.
    observe_updates: Whether clients measure what compression does to their
      updates, tensor by tensor, see `update_observer.UpdateObserver`. Not with
      a level schedule: clients observe before the aggregation tells them the
      levels.
    seed: The seed of all that clients and server draw, the one that the method
      was made with.

  Returns:
    A `tff.learning.templates.LearningProcess` or, if clients keep a state, a
    `StatefulLearningProcess`.

  Raises:
    TypeError: If `model_fn` does not return a `VariableModel`, if the optimizer
      is none of TFF's, or if the method has a level schedule and its codec is
      no `QSGDCodec`.
    ValueError: If no trainable tensor is compressed, if one is not float32 that
      weight layers or a packed downlink take, if `model_fn` returns one model
      twice, if the method excludes a choice, or if it trains sub-models and a
      layer cannot be made narrower.
  """
  if local_training is None:
    local_training = local_training_lib.LocalTraining()
  method.check_choices(
      downlink_bits,
      downlink_step_scale,
      downlink_coding,
      downlink_difference_bits,
      other_bits,
      server_optimizer,
      local_bits,
      local_training.keep_optimizer_state,
      observe_updates,
  )
  method = method.with_local_bits(local_bits, seed)
  quantizer = None
  if downlink_coding == 'differences':  # Python values.
    method = method.with_kept_kernels(
        distributors.KernelDifferences(downlink_difference_bits, downlink_bits)
    )
  elif downlink_bits < _FLOAT32_BITS:
    quantizer = distributors.KernelQuantizer(
        downlink_bits, seed, step_scale=downlink_step_scale
    )
  if downlink_coding == 'changes':  # Python values.
    method = method.with_kept_kernels(distributors.KernelChanges(quantizer))
  initial, model, graph = initial_weights.build_initial_weights(model_fn)
  with graph.as_default():
    tensors = model_tensors(model, method, is_compressed)
    if (
        method.build_weight_layer
        or method.build_distributor
        or quantizer is not None
    ):
      kernels.check_dtypes(
          v
          for v, c in zip(model.trainable_variables, tensors.is_compressed)
          if c
      )
  if method.sub_models is not None:
    if wrap_aggregator is not _as_it_is:
      raise ValueError(
          'wrap_aggregator is for methods whose clients all send the whole'
          f' model, got {wrap_aggregator!r}.'
      )
    return sub_model_process.build_sub_model_process(
        model,
        graph,
        tensors,
        method,
        initial,
        element_spec=element_spec,
        local_training=local_training,
        server_optimizer=server_optimizer,
        seed=seed,
    )
  compressed = tensors.is_compressed
  observer = None
  if observe_updates:
    observer = update_observer.UpdateObserver(method.codec, compressed)

  def prepared_model_fn():
    model = model_fn()
    initial_weights.check_is_new(model)
    if method.prepare_model is not None:
      variables = model.trainable_variables
      method.prepare_model(
          model, [v for v, c in zip(variables, compressed) if c]
      )
    return model

  distributor = method.distributor(tensors, quantizer, downlink_coding)
  client_work = local_training_lib.build_client_work(
      prepared_model_fn,
      element_spec,
      lambda: method.weight_layers(tensors),
      local_training,
      seed,
      distributor.next.type_signature.result.result.member,
      method.weighting,
      method.reported_loss,
      model,
      tensors.is_updated,
      compressed if method.knows_chances else None,
      observer,
  )
  has_state = isinstance(client_work, local_training_lib.StatefulClientWork)
  output_type = client_work.next.type_signature.result
  client_result_type = (
      output_type[0] if has_state else output_type
  ).result.member
  trainable_type = client_result_type.update.trainable
  if method.knows_chances:
    trainable_type = trainable_type.update
  packed = _packed_tensors(trainable_type, compressed)
  other_codec = wire.Float32Codec()
  if other_bits < _FLOAT32_BITS:
    if len(packed) != len(compressed):  # Python values.
      raise ValueError(
          'other_bits must be 32 with methods whose clients send numbers of'
          f' their own with a kernel, such as step sizes, got {other_bits}.'
      )
    other_codec = wire.MinifloatCodec(other_bits)
  mean = _mean_factory(method, packed, seed, other_codec)
  aggregator = _aggregation_factory(
      method, mean, wrap_aggregator(mean), seed, other_codec
  ).create(client_result_type.update, client_result_type.update_weight)
  compose = (
      stateful_process.compose_stateful_process
      if has_state
      else tff.learning.templates.compose_learning_process
  )
  if method.initial_kernel is not None:
    initial = _with_initial_kernels(initial, method, tensors)
  process = compose(
      initial,
      distributor,
      client_work,
      aggregator,
      method.finalizer(
          tensors,
          aggregator.next.type_signature.result.result.member,
          server_optimizer,
      ),
  )
  if method.knows_chances:
    process = _with_known_chances(process, mean, compressed)
  if method.inference_kernel is None:
    return process
  return _with_inference_kernels(process, method, tensors)


def _with_initial_kernels(initial, method, tensors):
  """Returns the computation of what the server starts with."""

  @tff.tensorflow.computation
  def initial_weights():
    return method.initial_weights(tensors, initial())

  return initial_weights


def _with_known_chances(process, mean, compressed):
  """Returns the process whose aggregator knows what clients receive."""
  state_type, data_type = process.next.type_signature.parameter

  @tff.tensorflow.computation(state_type.member)
  def tell(state):
    trainable = state.global_model_weights.trainable
    chances = [w for w, c in zip(trainable, compressed) if c]
    return state._replace(
        aggregator=mean.with_received(state.aggregator, chances)
    )

  @tff.federated_computation(state_type, data_type)
  def next_fn(state, client_data):
    return process.next(tff.federated_map(tell, state), client_data)

  return _changed(process, next_fn=next_fn)


def _with_inference_kernels(process, method, tensors):
  """Returns the process with another `get_model_weights`."""
  state_type = process.get_model_weights.type_signature.parameter

  @tf.function
  def draw(state, sample):
    # The state of the client work is the number of the round.
    return method.inference_weights(
        tensors, state.global_model_weights, state.client_work, sample
    )

  get_sampled_model_weights = None
  if method.inference_samples > 1:
    draw_sample = tff.tensorflow.computation(draw, (state_type, np.int32))
    get_sampled_model_weights = lambda state: (
        draw_sample(state, sample) for sample in range(method.inference_samples)
    )
  return _changed(
      process,
      get_model_weights=tff.tensorflow.computation(
          lambda state: draw(state, 0), state_type
      ),
      get_sampled_model_weights=get_sampled_model_weights,
  )


class SampledLearningProcess(tff.learning.templates.LearningProcess):
  """A learning process whose model is to be evaluated with several draws.

  Attributes:
    get_sampled_model_weights: A function from the server's state to the draws,
      an iterable of `tff.learning.models.ModelWeights`, the first of which are
      those of `get_model_weights`.
  """

  def __init__(
      self,
      *args,
      get_sampled_model_weights: Callable[
          [Any], Iterable[tff.learning.models.ModelWeights]
      ],
      **kwargs,
  ):
    """Initializes the process.

    Args:
      *args: See `tff.learning.templates.LearningProcess`.
      get_sampled_model_weights: See above.
      **kwargs: See `tff.learning.templates.LearningProcess`.
    """
    super().__init__(*args, **kwargs)
    self.get_sampled_model_weights = get_sampled_model_weights


def sampled_model_weights(
    process: Union[
        tff.learning.templates.LearningProcess,
        stateful_process.StatefulLearningProcess,
    ],
    state: Any,
) -> Iterator[tff.learning.models.ModelWeights]:
  """Yields the weights that a model is to be evaluated with, one or more.

  Args:
    process: A process from `build_learning_process`, or one of TFF's.
    state: The server's state.

  Yields:
    `ModelWeights`, as many as the method's `inference_samples`; the first are
    `process.get_model_weights(state)`. The mean of the metrics is reported.
  """
  sampled = getattr(process, 'get_sampled_model_weights', None)
  if sampled is None:
    yield process.get_model_weights(state)
  else:
    yield from sampled(state)


def _changed(
    process,
    next_fn=None,
    get_model_weights=None,
    get_sampled_model_weights=None,
):
  """Returns a process that differs in what is given."""
  next_fn = next_fn or process.next
  get_model_weights = get_model_weights or process.get_model_weights
  get_sampled_model_weights = get_sampled_model_weights or getattr(
      process, 'get_sampled_model_weights', None
  )
  if isinstance(process, stateful_process.StatefulLearningProcess):
    return stateful_process.StatefulLearningProcess(
        process.initialize,
        next_fn,
        process.initialize_client,
        get_model_weights,
        process.set_model_weights,
        process.get_hparams,
        process.set_hparams,
        get_sampled_model_weights=get_sampled_model_weights,
    )
  build = tff.learning.templates.LearningProcess
  if get_sampled_model_weights is not None:
    build = functools.partial(
        SampledLearningProcess,
        get_sampled_model_weights=get_sampled_model_weights,
    )
  return build(
      process.initialize,
      next_fn,
      get_model_weights,
      process.set_model_weights,
      get_hparams_fn=process.get_hparams,
      set_hparams_fn=process.set_hparams,
  )


def model_tensors(
    model: tff.learning.models.VariableModel,
    method: method_lib.Method,
    is_compressed: Optional[aggregators.IsCompressed] = None,
) -> distributors.ModelTensors:
  """Returns what travels of a model's tensors, and how.

  Args:
    model: The model, in the graph in which it was made or eagerly.
    method: The method that trains it.
    is_compressed: See `build_learning_process`.

  Raises:
    ValueError: If no trainable tensor is compressed.
  """
  compress_last = method.compress_last
  is_compressed = is_compressed or method.is_compressed
  variables = model.trainable_variables
  compressed = [
      bool(is_compressed(tf.TensorSpec(v.shape, v.dtype, v.name)))
      for v in variables
  ]
  if any(compressed) and not compress_last:
    compressed[len(compressed) - 1 - compressed[::-1].index(True)] = False
  if not any(compressed):
    refused_by = 'is_compressed' if compress_last else 'compress_last=False'
    raise ValueError(
        f'No trainable variable is compressed: {refused_by} refused'
        f' {[v.name for v in variables]}.'
    )
  return distributors.ModelTensors(
      tff.learning.models.weights_type_from_model(model),
      compressed,
      updated_variables.find(model),
  )


def _mean_factory(method, packed, seed, other_codec):
  """Returns the factory for the clients' trainable tensors.

  `packed` has one bool for each of them.
  """
  if method.knows_chances:
    return aggregators.SideInformationMeanFactory(
        method.codec, packed, seed, other_codec
    )
  if method.level_schedule is None:
    return aggregators.PackedMeanFactory(
        method.codec, packed, seed=seed, other_codec=other_codec
    )
  return aggregators.AdaptiveMeanFactory(
      method.codec,
      method.level_schedule,
      packed,
      method.levels_by_weight,
      seed,
      method.level_phases,
      other_codec,
  )


def _aggregation_factory(method, mean, wrapped_mean, seed, other_codec):
  """Returns the factory for all that clients send."""
  non_trainable = aggregators.PackedMeanFactory(
      wire.Float32Codec(),
      is_compressed=lambda spec: False,
      seed=seed,
      other_codec=other_codec,
  )
  update = aggregators.ModelUpdateFactory(wrapped_mean, non_trainable)
  if method.level_schedule is None:
    return update
  return aggregators.LossFeedbackFactory(
      update, mean.with_loss, method.reported_loss, method.level_phases
  )


def _packed_tensors(update_type, compressed):
  """Returns one bool for each tensor of the trainable half of an update.

  What a weight layer sends is a tensor for the codec, or a structure of it and
  further tensors, which travel in float32.
  """
  packed = []
  for entry_type, c in zip(update_type, compressed):
    specs = tff.types.type_to_tf_tensor_specs(entry_type)
    packed += [c] + [False] * (len(tf.nest.flatten(specs)) - 1)
  return packed
