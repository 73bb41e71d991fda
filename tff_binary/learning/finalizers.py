# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Applies an aggregated update to both halves of the model weights."""

import collections
from collections.abc import Callable, Mapping, Sequence
import functools
from typing import Optional

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary.distributors import model_tensors
from tff_binary.distributors import packed_broadcast
from tff_binary.ops import bit_planes
from tff_binary.ops import small_tensors


def build_model_update_finalizer(
    tensors: model_tensors.ModelTensors,
    update_type: tff.Type,
    server_optimizer: Optional[tff.learning.optimizers.Optimizer] = None,
) -> tff.learning.templates.FinalizerProcess:
  """Builds the finalizer for updates `<trainable=..., non_trainable=...>`.

  The server optimizer takes a step on the trainable weights, with the negative
  update as gradient, since an update is trained minus initial. The
  non-trainable update is added: BatchNorm's moving statistics follow the
  clients' mean (TFF's `build_apply_optimizer_finalizer` leaves them at their
  initial values). Those that training does not change stay as they are.

  An update of zeros, which is what a round without any usable client gives,
  changes neither weights nor optimizer state.

  Args:
    tensors: The model's tensors.
    update_type: The type of the update; `non_trainable` has the updated tensors
      of the non-trainable weights, in their order.
    server_optimizer: A `tff.learning.optimizers.Optimizer`; by default SGD with
      learning rate 1, which adds the update.

  Returns:
    A `tff.learning.templates.FinalizerProcess`; its state and its
    hyper-parameters are the optimizer's.
  """
  if server_optimizer is None:
    server_optimizer = tff.learning.optimizers.build_sgdm(learning_rate=1.0)
  weights_type = tensors.weights_type

  @tff.tensorflow.computation
  def initialize():
    specs = tff.types.type_to_tf_tensor_specs(weights_type.trainable)
    return server_optimizer.initialize(specs)

  state_type = initialize.type_signature.result

  @tff.tensorflow.computation(state_type, weights_type, update_type)
  @tf.function
  def apply_update(state, weights, update):
    gradient = tf.nest.map_structure(tf.negative, update['trainable'])
    new_state, trainable = server_optimizer.next(
        state, weights.trainable, gradient
    )
    is_zero = small_tensors.are_zero(tf.nest.flatten(update))
    keep = lambda new, old: tf.where(is_zero, old, new)
    updates = iter(update['non_trainable'])
    non_trainable = [
        w + next(updates) if is_updated else w
        for w, is_updated in zip(weights.non_trainable, tensors.is_updated)
    ]
    return (
        tf.nest.map_structure(keep, new_state, state),
        tff.learning.models.ModelWeights(
            tf.nest.map_structure(keep, trainable, weights.trainable),
            non_trainable,
        ),
    )

  @tff.federated_computation
  def init_fn():
    return tff.federated_eval(initialize, tff.SERVER)

  @tff.federated_computation(
      init_fn.type_signature.result,
      tff.FederatedType(weights_type, tff.SERVER),
      tff.FederatedType(update_type, tff.SERVER),
  )
  def next_fn(state, weights, update):
    new_state, new_weights = tff.federated_map(
        apply_update, (state, weights, update)
    )
    return tff.templates.MeasuredProcessOutput(
        new_state,
        new_weights,
        tff.federated_value(collections.OrderedDict(), tff.SERVER),
    )

  get_hparams = tff.tensorflow.computation(
      server_optimizer.get_hparams, state_type
  )
  set_hparams = tff.tensorflow.computation(
      server_optimizer.set_hparams,
      (state_type, get_hparams.type_signature.result),
  )
  return tff.learning.templates.FinalizerProcess(
      init_fn, next_fn, get_hparams_fn=get_hparams, set_hparams_fn=set_hparams
  )


def build_finalizer_around(
    inner: tff.learning.templates.FinalizerProcess,
    init_fn: tff.Computation,
    next_fn: tff.Computation,
) -> tff.learning.templates.FinalizerProcess:
  """Builds a finalizer whose state is a number and that of an inner one.

  Args:
    inner: The inner finalizer, whose hyper-parameters are the new one's.
    init_fn: Returns the number and the inner state at SERVER.
    next_fn: The new finalizer's `next`.
  """
  state_type = init_fn.type_signature.result.member
  hparams_type = inner.get_hparams.type_signature.result

  @tff.tensorflow.computation(state_type)
  def get_hparams(state):
    return inner.get_hparams(state[1])

  @tff.tensorflow.computation(state_type, hparams_type)
  def set_hparams(state, hparams):
    return state[0], inner.set_hparams(state[1], hparams)

  return tff.learning.templates.FinalizerProcess(
      init_fn, next_fn, get_hparams_fn=get_hparams, set_hparams_fn=set_hparams
  )


def build_bit_freezing_finalizer(
    tensors: model_tensors.ModelTensors,
    aggregate_type: tff.Type,
    quantizer: packed_broadcast.KernelQuantizer,
    select: Callable[[tf.Tensor], tf.Tensor],
    server_optimizer: Optional[tff.learning.optimizers.Optimizer] = None,
) -> tff.learning.templates.FinalizerProcess:
  """Builds FedBiF's finalizer: the mean of the clients' decoded kernels.

  The clients' mean of the active bits, which they send as -1 and +1, is put in
  place of these bits into the kernel that was broadcast; the result, equation 6
  of FedBiF, is a real kernel. The broadcast codes are derived anew by the
  distributor's quantizer.

  With learned step sizes the server takes the mean step size of the clients for
  all of them, which is equation 6 up to the covariance, over the clients, of
  step size and bits.

  A server optimizer takes its step from the broadcast kernel towards that one,
  and reaches it with the default. All else is as with
  `build_model_update_finalizer`.

  Args:
    tensors: The model's tensors.
    aggregate_type: The type of the aggregate `<trainable, non_trainable>`: for
      a compressed tensor of shape `s`, `BitFreezing`'s upload: signs of shape
      `[A, *s]`, or `<signs, step_size>`.
    quantizer: The quantizer of the distributor, whose rounds count from 0 too.
    select: The selector of the clients' `BitFreezing` layers.
    server_optimizer: See `build_model_update_finalizer`.

  Returns:
    A `tff.learning.templates.FinalizerProcess`; its state is the round number
    and the optimizer's state.
  """

  def decode(round_num, weights, aggregate):
    active = select(round_num)
    broadcast, update = [], []
    for i, (kernel, mean, c) in enumerate(
        zip(
            weights.trainable, aggregate['trainable'], tensors.is_compressed
        )
    ):
      if c:
        quantized = quantizer.quantize(kernel, round_num, i)
        frozen, slopes = bit_planes.linear_parts(
            tf.cast(quantized['codes'], tf.int32),
            quantizer.bits,
            quantized['step_size'],
            active,
            quantizer.has_sign_bit,
        )
        kernel = quantizer.dequantize(quantized)
        learned = None
        if isinstance(mean, Mapping):
          mean, learned = mean['signs'], mean['step_size']
        mean_bits = (mean + 1.0) / 2.0
        mean = frozen + tf.reduce_sum(slopes * mean_bits, axis=0)
        if learned is not None:
          mean *= tf.math.divide_no_nan(learned, quantized['step_size'])
        mean -= kernel
      broadcast.append(kernel)
      update.append(mean)
    return broadcast, update

  return build_decoding_finalizer(
      tensors, aggregate_type, decode, server_optimizer
  )


def build_kernel_finalizer(
    tensors: model_tensors.ModelTensors,
    aggregate_type: tff.Type,
    server_optimizer: Optional[tff.learning.optimizers.Optimizer] = None,
    *,
    kernel_update: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
) -> tff.learning.templates.FinalizerProcess:
  """Builds a finalizer that makes each kernel's update from its aggregate.

  All other tensors of the aggregate are updates. A server optimizer takes its
  step from the old kernel. All else is as with `build_model_update_finalizer`;
  a round without any usable client, whose aggregate is zero, changes nothing.

  Args:
    tensors: The model's tensors.
    aggregate_type: The type of the aggregate `<trainable, non_trainable>`.
    server_optimizer: See `build_model_update_finalizer`.
    kernel_update: A TensorFlow function from the aggregate of a compressed
      tensor and the old tensor to the update.

  Returns:
    A `tff.learning.templates.FinalizerProcess`; its state is the round number
    and the optimizer's state.
  """

  def decode(round_num, weights, aggregate):
    del round_num  # All rounds are alike.
    update = [
        kernel_update(x, w) if c else x
        for x, w, c in zip(
            aggregate['trainable'], weights.trainable, tensors.is_compressed
        )
    ]
    return weights.trainable, update

  return build_decoding_finalizer(
      tensors, aggregate_type, decode, server_optimizer
  )


# For methods whose clients send compressed kernels themselves, not updates: the
# mean of them takes the kernel's place.
build_replacing_finalizer = functools.partial(
    build_kernel_finalizer, kernel_update=lambda mean, kernel: mean - kernel
)

# For flat updates that are followed by words of seeds, see
# `wire.MaskedNoiseCodec`.
build_masked_noise_finalizer = functools.partial(
    build_kernel_finalizer,
    kernel_update=lambda mean, kernel: tf.reshape(
        mean[: kernel.shape.num_elements()], kernel.shape
    ),
)


def build_decoding_finalizer(
    tensors: model_tensors.ModelTensors,
    aggregate_type: tff.Type,
    decode: Callable[..., tuple[Sequence[tf.Tensor], Sequence[tf.Tensor]]],
    server_optimizer: Optional[tff.learning.optimizers.Optimizer] = None,
) -> tff.learning.templates.FinalizerProcess:
  """Builds the finalizer of an aggregate that is no update by itself.

  A round without any usable client, whose aggregate is zero, changes neither
  weights nor optimizer state: what it decodes to may be anything.

  Args:
    tensors: The model's tensors.
    aggregate_type: The type of the aggregate `<trainable, non_trainable>`.
    decode: A TensorFlow function from the round number, the weights and the
      aggregate to the trainable weights from which the server takes its step,
      and their update.
    server_optimizer: See `build_model_update_finalizer`.

  Returns:
    A `tff.learning.templates.FinalizerProcess`; its state is the round number,
    counted from 0, and the optimizer's state.
  """
  weights_type = tensors.weights_type
  update_type = tff.StructWithPythonType(
      [
          ('trainable', weights_type.trainable),
          ('non_trainable', aggregate_type['non_trainable']),
      ],
      collections.OrderedDict,
  )
  inner = build_model_update_finalizer(tensors, update_type, server_optimizer)

  @tff.tensorflow.computation(np.int32, weights_type, aggregate_type)
  @tf.function
  def decode_computation(round_num, weights, aggregate):
    trainable, update = decode(round_num, weights, aggregate)
    return (
        tff.learning.models.ModelWeights(trainable, weights.non_trainable),
        collections.OrderedDict(
            trainable=update, non_trainable=aggregate['non_trainable']
        ),
    )

  kept_type = (inner.initialize.type_signature.result.member, weights_type)

  @tff.tensorflow.computation(aggregate_type, kept_type, kept_type)
  @tf.function
  def keep_without_clients(aggregate, old, new):
    # Without a client that can be used even the mean of the signs is zero.
    is_zero = small_tensors.are_zero(tf.nest.flatten(aggregate))
    return tf.nest.map_structure(
        lambda o, n: tf.where(is_zero, o, n), old, new
    )

  @tff.tensorflow.computation(np.int32)
  def next_round(round_num):
    return round_num + 1

  @tff.federated_computation
  def init_fn():
    return tff.federated_zip(
        (tff.federated_value(0, tff.SERVER), inner.initialize())
    )

  @tff.federated_computation(
      init_fn.type_signature.result,
      tff.FederatedType(weights_type, tff.SERVER),
      tff.FederatedType(aggregate_type, tff.SERVER),
  )
  def next_fn(state, weights, aggregate):
    trainable, update = tff.federated_map(
        decode_computation, (state[0], weights, aggregate)
    )
    output = inner.next(state[1], trainable, update)
    new_state, new_weights = tff.federated_map(
        keep_without_clients,
        (aggregate, (state[1], weights), (output.state, output.result)),
    )
    return tff.templates.MeasuredProcessOutput(
        tff.federated_zip(
            (tff.federated_map(next_round, state[0]), new_state)
        ),
        new_weights,
        output.measurements,
    )

  return build_finalizer_around(inner, init_fn, next_fn)
