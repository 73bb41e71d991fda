# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The learning process of clients that train parts of a model.

A client tells the server the numbers of its sub-models and gets them, and
nothing else, by `tff.federated_select`. It really trains narrow models, one
after the other, on the same batches in the same order, and sends their updates
as one vector, whose length depends on what it has trained.

In a simulation the client's graph holds a model of each rate, of which one is
run; that is about 4 / 3 of the whole model's variables for rates that halve.
"""

import collections
from typing import Any, Optional

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import aggregators
from tff_binary import distributors
from tff_binary.learning import client_data
from tff_binary.learning import keras_models
from tff_binary.learning import local_training as local_training_lib
from tff_binary.learning import sub_models
from tff_binary.ops import seeds
from tff_binary.ops import sizes
from tff_binary.wire import packing

_FLOAT32_BYTES = 4


def build_sub_model_process(
    model: keras_models.KerasModel,
    graph: tf.Graph,
    tensors: distributors.ModelTensors,
    method: Any,
    initial_weights: tff.Computation,
    *,
    element_spec: Optional[collections.OrderedDict[str, Any]],
    local_training: local_training_lib.LocalTraining,
    server_optimizer: Optional[tff.learning.optimizers.Optimizer] = None,
    seed: int = 0,
) -> tff.learning.templates.LearningProcess:
  """Builds the process of a method with `sub_models`.

  The state, the weights and the measurements are those of other processes. The
  training metrics are those of a client's first sub-model.

  Args:
    model: The whole model.
    graph: The graph in which it was made.
    tensors: Its tensors.
    method: The `Method`.
    initial_weights: Returns the initial `ModelWeights`.
    element_spec: See `build_learning_process`.
    local_training: See `build_learning_process`.
    server_optimizer: See `build_learning_process`.
    seed: See `build_learning_process`.

  Returns:
    A `tff.learning.templates.LearningProcess`.

  Raises:
    ValueError: If the model has no such sub-models, naming the layer, or if
      labels are to be masked and are not the numbers of classes.
  """
  spec = method.sub_models
  keras_models.keras_model_of(model)  # Refuses other models.
  is_stored = element_spec is not None
  local_training.check_fits(is_stored)
  if spec.masks_labels and model.num_classes is None:
    raise ValueError(
        'mask_labels=True needs labels that are numbers of classes, with a'
        ' SparseCategoricalCrossentropy; it must be false with other losses.'
    )
  with graph.as_default():
    architectures = [
        sub_models.Architecture(model, spec, rate) for rate in spec.rates
    ]
  data_type = tff.SequenceType(
      tff.types.tensorflow_to_type(
          element_spec if is_stored else model.input_spec
      )
  )
  weights_type = tensors.weights_type
  num_trainable = len(tensors.is_compressed)
  # Moving statistics are not used in training. Those of a narrow model are no
  # others' either.
  received_format = aggregators.SubModelFormat(
      [[*a.trainable, *a.non_trainable] for a in architectures],
      spec.num_blocks,
      [False] * num_trainable + list(tensors.is_updated),
  )
  sent_format = aggregators.SubModelFormat(
      [
          [*a.trainable]
          + [s for s, u in zip(a.non_trainable, tensors.is_updated) if u]
          for a in architectures
      ],
      spec.num_blocks,
      [False] * num_trainable + [True] * sum(tensors.is_updated),
  )
  num_sent = num_trainable + sum(tensors.is_updated)
  is_kernel = [*tensors.is_compressed] + [False] * len(tensors.is_updated)
  kernel_sizes = received_format.sizes_of(is_kernel)
  # What no round changes a client needs only once.
  updated_sizes = received_format.sizes_of(
      [True] * num_trainable + list(tensors.is_updated)
  )

  def read(dataset):
    data = dataset.get_single_element() if is_stored else dataset
    return client_data.read(data, local_training)

  # Read once: of a shuffled dataset every look would see another first batch.
  @tff.tensorflow.computation(np.int32, data_type)
  @tf.function
  def identify(round_num, dataset):
    client = read(dataset)
    draws = seeds.fold_in(client.seed(seed, round_num), client_data.CHOOSE)
    return client.identity(), draws

  ids_type = tff.TensorType(np.int32, [None])

  @tff.tensorflow.computation
  def no_ids():
    return tf.raw_ops.PlaceholderWithDefault(
        input=tf.zeros([0], tf.int32), shape=[None]
    )

  @tff.tensorflow.computation(ids_type, np.int32)
  def add_id(ids, identity):
    return tf.concat([ids, tf.reshape(identity, [1])], axis=0)

  @tff.tensorflow.computation(ids_type, ids_type)
  def merge_ids(a, b):
    return tf.concat([a, b], axis=0)

  @tff.tensorflow.computation(ids_type)
  def report_ids(ids):
    return ids

  @tff.tensorflow.computation(
      np.int32, ids_type, identify.type_signature.result
  )
  @tf.function
  def choose(round_num, ids, identified):
    identity, draws = identified
    # Before this round as many have had their turn in each.
    position = round_num * tf.size(ids) + tf.math.count_nonzero(
        ids < identity, dtype=tf.int32
    )
    return tf.ensure_shape(
        spec.choose(identity, draws, position), [spec.max_models]
    )

  numbers_type = choose.type_signature.result

  def number_at(index):

    @tff.tensorflow.computation(numbers_type)
    def number(numbers):
      return numbers[index : index + 1]

    return number

  @tff.tensorflow.computation(weights_type, np.int32)
  @tf.function
  def select(weights, number):
    return received_format.take(
        [*weights.trainable, *weights.non_trainable], number
    )

  vectors_type = tff.to_type(
      [tff.SequenceType(select.type_signature.result)] * spec.max_models
  )

  @tff.tensorflow.computation(np.int32, numbers_type, vectors_type, data_type)
  def train(round_num, numbers, received, dataset):
    label_mask = None
    if spec.masks_labels:
      label_mask = tf.Variable(tf.ones([model.num_classes]), trainable=False)
    models = [a.build(label_mask) for a in architectures]
    updates = [
        local_training_lib.build_client_update(
            m,
            [None] * num_trainable,
            local_training,
            seed,
            is_updated=tensors.is_updated,
        )
        for m in models
    ]

    def train_at(rate, vector, data):
      """Trains the model of a rate, an index."""
      parts = received_format.split(vector, rate)
      weights = tff.learning.models.ModelWeights(
          parts[:num_trainable], parts[num_trainable:]
      )
      update, weight, metrics, _ = updates[rate](round_num, weights, data, ())
      if method.weighting == 'uniform':
        weight = tf.sign(weight)
      vector = sent_format.join(
          [*update['trainable'], *update['non_trainable']], rate
      )
      # What cannot be multiplied by its weight would spoil the mean.
      is_finite = tf.reduce_all(tf.math.is_finite(vector * weight))
      return (
          tf.where(is_finite, vector, tf.zeros_like(vector)),
          tf.where(is_finite, weight, float('nan')),
          metrics,
      )

    def train_any(number, vector, data):
      return tf.switch_case(
          number // spec.num_blocks,
          [
              lambda rate=rate: train_at(rate, vector, data)
              for rate in range(len(updates))
          ],
      )

    def train_more(number, vector, data):
      trained, weight, metrics = train_any(number, vector, data)
      return trained, weight, metrics['non_finite_clients']

    @tf.function
    def train_all(numbers, received, dataset):
      data = dataset.get_single_element() if is_stored else dataset
      message = collections.OrderedDict()
      if label_mask is not None:
        present = _present_labels(
            client_data.read(data, local_training), model.num_classes
        )
        label_mask.assign(tf.cast(present, tf.float32))
        message['labels'] = packing.pack_signs(present)
      values, weights, metrics, non_finite, received_bytes = [], [], {}, [], []
      for i in range(spec.max_models):
        vector = received[i].get_single_element()
        if i == 0:  # Python values.
          trained, weight, metrics = train_any(numbers[i], vector, data)
          failed = metrics['non_finite_clients']
        else:
          trained, weight, failed = tf.cond(
              numbers[i] < spec.num_models,
              lambda i=i, vector=vector: train_more(numbers[i], vector, data),
              lambda: (tf.zeros([0]), tf.constant(0.0), tf.constant(0)),
          )
        values.append(trained)
        weights.append(weight)
        non_finite.append(failed)
        received_bytes.append(sizes.num_bytes(vector))
      is_chosen = numbers < spec.num_models
      models = tf.boolean_mask(numbers, is_chosen)
      message.update(
          models=models,
          weights=tf.boolean_mask(tf.stack(weights), is_chosen),
          values=tf.concat(values, axis=0),
      )
      rates = models // spec.num_blocks
      kernel_bytes, updated_bytes, all_bytes = (
          _FLOAT32_BYTES
          * tf.reduce_sum(tf.gather(tf.constant(s, tf.int64), rates))
          for s in (kernel_sizes, updated_sizes, received_format.sizes)
      )
      static_bytes = all_bytes - updated_bytes
      metrics = collections.OrderedDict(metrics)
      metrics['non_finite_clients'] = tf.reduce_max(tf.stack(non_finite))
      metrics['received_bytes'] = kernel_bytes
      metrics['received_other_bytes'] = (
          tf.add_n(received_bytes) - kernel_bytes - static_bytes
      )
      return message, metrics

    return train_all(numbers, received, dataset)

  finalizers = collections.OrderedDict(model.metric_finalizers())
  for name in ('received_bytes', 'received_other_bytes', 'non_finite_clients'):
    finalizers[name] = tf.identity
  aggregate_metrics = tff.learning.metrics.sum_then_finalize(finalizers)

  updated_types = [
      t for t, u in zip(weights_type.non_trainable, tensors.is_updated) if u
  ]
  update_types = [*weights_type.trainable, *updated_types]
  mean = aggregators.build_owners_mean(
      sent_format,
      [tf.TensorSpec(t.shape, t.dtype.type) for t in update_types],
      is_kernel[:num_sent],
      architectures[0].is_output + [False] * (num_sent - num_trainable),
      train.type_signature.result[0],
      num_id_bytes=np.dtype(np.int32).itemsize if spec.in_turn else 0,
  )

  @tff.tensorflow.computation(update_types)
  def as_update(mean):
    return collections.OrderedDict(
        trainable=mean[:num_trainable], non_trainable=mean[num_trainable:]
    )

  finalizer = method.finalizer(
      tensors, as_update.type_signature.result, server_optimizer
  )

  @tff.tensorflow.computation(np.int32, ids_type)
  def measure(round_num, ids):
    return sizes.num_bytes([round_num, ids])

  @tff.tensorflow.computation(np.int32)
  def next_round(round_num):
    return round_num + 1

  state_class = tff.learning.templates.LearningAlgorithmState

  @tff.federated_computation
  def init_fn():
    nothing = tff.federated_value((), tff.SERVER)
    return tff.federated_zip(
        state_class(
            tff.federated_eval(initial_weights, tff.SERVER),
            nothing,
            tff.federated_value(0, tff.SERVER),
            nothing,
            finalizer.initialize(),
        )
    )

  state_type = init_fn.type_signature.result

  @tff.federated_computation(
      state_type, tff.FederatedType(data_type, tff.CLIENTS)
  )
  def next_fn(state, client_datasets):
    weights, round_num = state.global_model_weights, state.client_work
    identified = tff.federated_map(
        identify, (tff.federated_broadcast(round_num), client_datasets)
    )
    if spec.in_turn:  # Python values.
      ids = tff.federated_aggregate(
          identified[0],
          no_ids(),
          add_id,
          merge_ids,
          report_ids,
      )
    else:
      ids = tff.federated_eval(no_ids, tff.SERVER)
    numbers = tff.federated_map(
        choose,
        (
            tff.federated_broadcast(round_num),
            tff.federated_broadcast(ids),
            identified,
        ),
    )
    received = [
        tff.federated_select(
            tff.federated_map(number_at(i), numbers),
            tff.federated_value(spec.num_models, tff.SERVER),
            weights,
            select,
        )
        for i in range(spec.max_models)
    ]
    message, metrics = tff.federated_map(
        train,
        (
            tff.federated_broadcast(round_num),
            numbers,
            tff.federated_zip(received),
            client_datasets,
        ),
    )
    update, measurements = mean(message)
    finalized = finalizer.next(
        state.finalizer, weights, tff.federated_map(as_update, update)
    )
    new_state = state_class(
        finalized.result,
        state.distributor,
        tff.federated_map(next_round, round_num),
        state.aggregator,
        finalized.state,
    )
    return tff.learning.templates.LearningProcessOutput(
        tff.federated_zip(new_state),
        tff.federated_zip(
            collections.OrderedDict(
                distributor=tff.federated_value(
                    collections.OrderedDict(), tff.SERVER
                ),
                client_work=collections.OrderedDict(
                    train=aggregate_metrics(metrics),
                    downlink_bytes_per_client=tff.federated_map(
                        measure, (round_num, ids)
                    ),
                ),
                aggregator=measurements,
                finalizer=finalized.measurements,
            )
        ),
    )

  @tff.tensorflow.computation(state_type.member)
  def get_model_weights(state):
    weights = state.global_model_weights
    used = architectures[0].ensemble(
        [*weights.trainable, *weights.non_trainable]
    )
    return tff.learning.models.ModelWeights(
        used[:num_trainable], used[num_trainable:]
    )

  @tff.tensorflow.computation(state_type.member, weights_type)
  def set_model_weights(state, weights):
    return state_class(
        weights,
        state.distributor,
        state.client_work,
        state.aggregator,
        state.finalizer,
    )

  return tff.learning.templates.LearningProcess(
      init_fn, next_fn, get_model_weights, set_model_weights
  )


def _present_labels(client, num_classes):
  """Returns which labels a client has, bools `[num_classes]`."""

  def add(present, batch):
    _, labels, _ = keras_models.unpack_batch(batch)
    (labels,) = tf.nest.flatten(labels)
    labels = tf.cast(tf.reshape(labels, [-1]), tf.int64)
    is_label = tf.one_hot(labels, num_classes, True, False, dtype=tf.bool)
    return tf.logical_or(present, tf.reduce_any(is_label, axis=0))

  return client.pass_over(add, tf.zeros([num_classes], tf.bool))
