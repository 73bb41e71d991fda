# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Joins client work, aggregator and finalizer to a learning process."""

import collections
from collections.abc import Callable, Sequence
import functools
from typing import Optional, Union

import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import aggregators
from tff_binary import distributors
from tff_binary import wire
from tff_binary.layers import weight_layer
from tff_binary.learning import finalizers
from tff_binary.learning import local_training as local_training_lib
from tff_binary.learning import stateful_process
from tff_binary.ops import rounding

ModelAggregator = tff.aggregators.WeightedAggregationFactory
BuildDistributor = Callable[
    [tff.Type, Sequence[bool]], tff.learning.templates.DistributionProcess
]
BuildFinalizer = Callable[
    [
        tff.Type,
        tff.Type,
        Sequence[bool],
        Optional[tff.learning.optimizers.Optimizer],
    ],
    tff.learning.templates.FinalizerProcess,
]
PrepareModel = Callable[
    [tff.learning.models.VariableModel, Sequence[tf.Variable]], None
]

_FLOAT32_BITS = 32


def build_learning_process(
    model_fn: Callable[[], tff.learning.models.VariableModel],
    *,
    codec: wire.Codec,
    build_weight_layer: Optional[
        Callable[[], weight_layer.WeightLayer]
    ] = None,
    element_spec: Optional[collections.OrderedDict[str, tf.TensorSpec]] = None,
    local_training: Optional[local_training_lib.LocalTraining] = None,
    server_optimizer: Optional[tff.learning.optimizers.Optimizer] = None,
    is_compressed: aggregators.IsCompressed = aggregators.is_kernel,
    compress_last: bool = True,
    wrap_aggregator: Callable[
        [ModelAggregator], ModelAggregator
    ] = lambda factory: factory,
    weighting: str = 'examples',
    level_schedule: Optional[aggregators.LevelSchedule] = None,
    levels_by_weight: bool = False,
    downlink_bits: int = 32,
    build_distributor: Optional[BuildDistributor] = None,
    build_finalizer: Optional[BuildFinalizer] = None,
    inference_kernel: Optional[Callable[[tf.Tensor], tf.Tensor]] = None,
    prepare_model: Optional[PrepareModel] = None,
    seed: int = 0,
) -> Union[
    tff.learning.templates.LearningProcess,
    stateful_process.StatefulLearningProcess,
]:
  """Builds the process of a method from its parts.

  Server weights -> distributor -> clients train with the weight layers ->
  kernels packed by the codec, all other trainable tensors and the changes of
  the non-trainable ones in float32 -> weighted mean -> finalizer.

  Args:
    model_fn: A no-arg function that returns a
      `tff.learning.models.VariableModel`, for example from `keras_model_fn`.
    codec: The codec of the compressed tensors.
    build_weight_layer: Returns a new layer for one compressed tensor; `None`
      trains all tensors in place.
    element_spec: The spec of a client's data; by default features and labels as
      in the model's `input_spec`, and a client id.
    local_training: How clients train.
    server_optimizer: The server's optimizer for the trainable weights; by
      default SGD with learning rate 1.
    is_compressed: Which trainable tensors are compressed, a predicate on a
      `tf.TensorSpec` with the variable's name; by default those of rank >= 2.
    compress_last: Whether the last of these, in most models the classifier's
      kernel, is compressed like the others.
    wrap_aggregator: A function from the aggregation factory of the trainable
      tensors to the factory to use, for example
      `lambda f: tff.aggregators.clipping_factory(1.0, f)`.
    weighting: How much a client counts in the mean: `'examples'`, as much as it
      has of them, or `'uniform'`, as much as any other.
    level_schedule: How many levels clients quantize with, depending on the loss
      of the model that they have received, which they evaluate and send; for a
      `QSGDCodec` alone. By default the codec says it.
    levels_by_weight: Whether these depend on the client's weight, too; with a
      `level_schedule` alone.
    downlink_bits: What the compressed kernels take on their way to the clients:
      32, or 2 to 16 for stochastically rounded codes of so many bits, see
      `distributors.KernelQuantizer`.
    build_distributor: A function from the weights' type and one bool for each
      trainable tensor, whether it is compressed, to the distributor of a method
      that has its own.
    build_finalizer: A function from the weights' type, the aggregate's type,
      those bools and the server optimizer to the finalizer of a method that has
      its own; by default `build_model_update_finalizer`.
    inference_kernel: A TensorFlow function from a compressed tensor of the
      server to the one that the model is to be used with, which is what
      `get_model_weights` returns then; by default the tensor itself. The state
      and `set_model_weights` are about the server's own tensors all the same.
    prepare_model: A function of a new model and its compressed variables, for
      methods that change what layers compute.
    seed: The seed of all that clients and server draw.

  Returns:
    A `tff.learning.templates.LearningProcess` or, if the weight layers keep a
    state, a `StatefulLearningProcess`. Clients' data are sequences of one
    element, see `client_dataset`.

  Raises:
    TypeError: If `model_fn` does not return a `VariableModel`, or if there is a
      `level_schedule` and `codec` is no `QSGDCodec`.
    ValueError: If no trainable tensor is compressed, if `downlink_bits` is not
      allowed, or if there is `levels_by_weight` without a `level_schedule`.
  """
  _check_downlink_bits(downlink_bits, build_distributor)
  if local_training is None:
    local_training = local_training_lib.LocalTraining()
  with tf.Graph().as_default():
    model = model_fn()
    if not isinstance(model, tff.learning.models.VariableModel):
      raise TypeError(
          'model_fn must return a tff.learning.models.VariableModel, got'
          f' {model!r}. See tff_binary.learning.keras_model_fn.'
      )
    weights_type = tff.learning.models.weights_type_from_model(model)
    compressed = _compressed(
        model.trainable_variables, is_compressed, compress_last
    )
    if element_spec is None:
      element_spec = _default_element_spec(model.input_spec)

  def prepared_model_fn():
    model = model_fn()
    if prepare_model is not None:
      variables = model.trainable_variables
      prepare_model(model, [v for v, c in zip(variables, compressed) if c])
    return model

  def build_weight_layers():
    return [
        build_weight_layer() if build_weight_layer is not None and c else None
        for c in compressed
    ]

  @tff.tensorflow.computation
  def initial_weights():
    return tff.learning.models.ModelWeights.from_model(model_fn())

  if build_distributor is None:
    build_distributor = _default_distributor(downlink_bits, seed)
  distributor = build_distributor(weights_type, compressed)
  client_work = local_training_lib.build_client_work(
      prepared_model_fn,
      element_spec,
      build_weight_layers,
      local_training,
      seed,
      distributor.next.type_signature.result.result.member,
      weighting,
      reports_loss=level_schedule is not None,
  )
  has_state = isinstance(client_work, local_training_lib.StatefulClientWork)
  output_type = client_work.next.type_signature.result
  client_result_type = (
      output_type[0] if has_state else output_type
  ).result.member
  packed = _packed_tensors(client_result_type.update.trainable, compressed)
  aggregator = _aggregation_factory(
      codec, packed, wrap_aggregator, level_schedule, levels_by_weight, seed
  ).create(client_result_type.update, client_result_type.update_weight)
  if build_finalizer is None:
    build_finalizer = _default_finalizer
  compose = (
      stateful_process.compose_stateful_process
      if has_state
      else tff.learning.templates.compose_learning_process
  )
  process = compose(
      initial_weights,
      distributor,
      client_work,
      aggregator,
      build_finalizer(
          weights_type,
          aggregator.next.type_signature.result.result.member,
          compressed,
          server_optimizer,
      ),
  )
  if inference_kernel is None:
    return process
  return _with_inference_kernels(process, inference_kernel, compressed)


def _with_inference_kernels(process, inference_kernel, compressed):
  """Returns the process with another `get_model_weights`."""

  @tff.tensorflow.computation(
      process.get_model_weights.type_signature.parameter
  )
  @tf.function
  def get_model_weights(state):
    weights = state.global_model_weights
    return tff.learning.models.ModelWeights(
        [
            inference_kernel(w) if c else w
            for w, c in zip(weights.trainable, compressed)
        ],
        weights.non_trainable,
    )

  if isinstance(process, stateful_process.StatefulLearningProcess):
    return stateful_process.StatefulLearningProcess(
        process.initialize,
        process.next,
        process.initialize_client,
        get_model_weights,
        process.set_model_weights,
    )
  return tff.learning.templates.LearningProcess(
      process.initialize,
      process.next,
      get_model_weights,
      process.set_model_weights,
      get_hparams_fn=process.get_hparams,
      set_hparams_fn=process.set_hparams,
  )


def _compressed(variables, is_compressed, compress_last):
  """Returns one bool for each variable."""
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
  return compressed


def _aggregation_factory(
    codec, packed, wrap_aggregator, level_schedule, levels_by_weight, seed
):
  """Returns the factory for the clients' updates, see the process' arguments.

  `packed` has one bool for each tensor of their trainable half.
  """
  non_trainable = aggregators.PackedMeanFactory(
      wire.Float32Codec(), is_compressed=lambda spec: False
  )
  if level_schedule is None:
    if levels_by_weight:
      raise ValueError(
          'levels_by_weight=True needs a level_schedule, got None.'
      )
    mean = aggregators.PackedMeanFactory(codec, packed, seed=seed)
    return aggregators.ModelUpdateFactory(wrap_aggregator(mean), non_trainable)
  mean = aggregators.AdaptiveMeanFactory(
      codec, level_schedule, packed, levels_by_weight, seed
  )
  update = aggregators.ModelUpdateFactory(wrap_aggregator(mean), non_trainable)
  return aggregators.LossFeedbackFactory(update, mean.with_loss)


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


def _check_downlink_bits(downlink_bits, build_distributor):
  allowed = (*range(2, rounding.MAX_BITS + 1), _FLOAT32_BITS)
  if downlink_bits not in allowed:
    raise ValueError(
        f'downlink_bits must be 32 or an integer in [2, {rounding.MAX_BITS}],'
        f' got {downlink_bits!r}.'
    )
  if build_distributor is not None and downlink_bits < _FLOAT32_BITS:
    raise ValueError(
        f'downlink_bits={downlink_bits} is for methods that send weights; this'
        ' one has a downlink of its own.'
    )


def _default_distributor(downlink_bits, seed):
  """Returns the `build_distributor` of methods without one of their own."""
  if downlink_bits >= _FLOAT32_BITS:
    return distributors.build_float32_broadcast
  quantizer = distributors.KernelQuantizer(downlink_bits, seed)
  return functools.partial(
      distributors.build_packed_broadcast, quantizer=quantizer
  )


def _default_finalizer(weights_type, update_type, compressed, optimizer):
  del compressed  # All tensors of an update are alike.
  return finalizers.build_model_update_finalizer(
      weights_type, update_type, optimizer
  )


def _default_element_spec(input_spec):
  features, labels = (
      input_spec.values() if isinstance(input_spec, dict) else input_spec
  )
  return collections.OrderedDict(
      features=features,
      labels=labels,
      client_id=tf.TensorSpec((), tf.int32),
  )
