# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What every client does in a round: one local training loop for all methods.

The loop stands between the server's weights and the user's unchanged Keras
model. A kernel with a weight layer is assigned the layer's output before every
step, and its gradient is pulled back to the layer's variables after it; all
other variables are trained in place. Without weight layers this is FedAvg.

Sign convention: an update is trained minus initial, as in the FedBAT paper. The
updates of TFF's own client work have the opposite sign.
"""

import collections
from collections.abc import Callable, Sequence
import dataclasses
from typing import Any, Optional, Union

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import parameters
from tff_binary.layers import weight_layer
from tff_binary.learning import client_data
from tff_binary.learning import update_observer
from tff_binary.learning import updated_variables
from tff_binary.ops import autograph
from tff_binary.ops import seeds
from tff_binary.ops import small_tensors


TRAINING_LOSS, RECEIVED_LOSS = 'training_loss', 'received_loss'
# Metrics of clients that are added up; of others there are means.
_SUMS = ('non_finite_clients', 'received_bytes')


@dataclasses.dataclass(frozen=True)
class LocalTraining:
  """How a client trains in each round.

  Of clients that are stored in one element, see `client_dataset`, the loop
  makes the batches. Of clients that are datasets of batches the user does, so
  `batch_size`, `preprocess_fn` and `augment_fn` are refused there.

  Attributes:
    local_epochs: Passes over the client's data, at least 1.
    batch_size: Examples in a batch, at least 1; the last batch of an epoch may
      be smaller. `None` for 64.
    optimizer: A `tff.learning.optimizers.Optimizer`, which starts anew each
      round; by default SGD with learning rate 0.1.
    preprocess_fn: A TensorFlow function that turns a batch of stored features
      into a batch of model inputs, or `None`.
    augment_fn: A TensorFlow function that changes a batch of stored features at
      random before that, given the batch and an int32 seed of shape `[2]`, or
      `None`.
    num_steps: The most steps of a client whose data is a dataset of batches;
      such a dataset may be infinite. Where it does not know its length, what
      depends on a client's number of steps, such as FedBAT's warm-up, takes it
      to have so many. `None` for no limit.
    proximal_strength: mu of FedProx (Li et al., MLSys 2020): half of it times
      the squared distance of all that a client trains from what it starts with
      is added to the loss which it minimizes. 0 for nothing.
    keep_optimizer_state: Whether a client goes on with the state of its
      optimizer, Adam's moments say, from the last round that it took part in,
      as in the code of FedPM, github.com/BerivanIsik/sparse-random-networks;
      with the learning rate of the process, if that is another one now.
  """

  local_epochs: int = 1
  batch_size: Optional[int] = None
  optimizer: Optional[tff.learning.optimizers.Optimizer] = None
  preprocess_fn: Optional[Callable[[Any], Any]] = None
  augment_fn: Optional[Callable[[Any, tf.Tensor], Any]] = None
  num_steps: Optional[int] = None
  proximal_strength: float = 0.0
  keep_optimizer_state: bool = False

  def __post_init__(self):
    for name in ('proximal_strength', 'keep_optimizer_state'):
      value = parameters.RUN[name].check(name, getattr(self, name))
      object.__setattr__(self, name, value)
    for name in ('local_epochs', 'batch_size', 'num_steps'):
      value = getattr(self, name)
      if name == 'local_epochs' or value is not None:
        value = parameters.RUN[name].check(name, value)
        object.__setattr__(self, name, value)  # NumPy's integers, too.
    if self.optimizer is None:
      object.__setattr__(
          self,
          'optimizer',
          tff.learning.optimizers.build_sgdm(learning_rate=0.1),
      )
    elif not isinstance(
        self.optimizer, tff.learning.optimizers.Optimizer
    ):
      raise TypeError(
          'optimizer must be a tff.learning.optimizers.Optimizer, got'
          f' {self.optimizer!r}.'
      )

  def check_fits(self, is_stored: bool):
    """Refuses what the form of the clients' data decides by itself.

    Args:
      is_stored: Whether clients are stored in one element, see
        `client_dataset`; else they are datasets of batches.

    Raises:
      ValueError: If one of the attributes is set that has no meaning then.
    """
    if is_stored:
      names = ['num_steps']
      reason = 'is for clients that are datasets of batches'
    else:
      names = ['batch_size', 'preprocess_fn', 'augment_fn']
      reason = (
          'is for clients that are stored in one element, see client_dataset;'
          ' batch and map the datasets of batches themselves'
      )
    for name in names:
      value = getattr(self, name)
      if value is not None:
        raise ValueError(f'{name}={value!r} {reason}.')


def build_client_update(
    model: tff.learning.models.VariableModel,
    weight_layers: Sequence[Optional[weight_layer.WeightLayer]],
    local_training: LocalTraining,
    seed: int,
    reported_loss: Optional[str] = None,
    is_updated: Optional[Sequence[bool]] = None,
    observer: Optional[update_observer.UpdateObserver] = None,
):
  """Returns the `tf.function` that trains one client for one round.

  Args:
    model: The user's model.
    weight_layers: For each trainable variable its layer, or `None`.
    local_training: How to train.
    seed: The seed of the whole run.
    reported_loss: A third element of the update. `'training_loss'`: the mean
      loss of the examples in the steps that they are trained on, which costs
      nothing. `'received_loss'`: their mean loss at what the client has
      received, before it trains, as training would see it: in the same batches
      in the order of the data, without augmentation, in training mode, so that
      batch normalization uses the batches' statistics.
    is_updated: One bool for each non-trainable variable: whether the update has
      its change; by default those that training changes.
    observer: What measures the updates for further metrics, or None.

  Returns:
    A `tf.function` of the round number (int32 scalar), what the client receives
    (`tff.learning.models.ModelWeights`; for a variable with a layer, what the
    layer takes), a client's data, see `client_data.read`, and the client's
    state, see `initial_client_state`. It returns the update
    `<trainable, non_trainable>`, the client's number of examples (float32, 0
    for a client that cannot be used), its unfinalized metrics and its new state.
  """
  for layer, variable in zip(weight_layers, model.trainable_variables):
    if layer is not None:
      layer.build(variable.shape)
  layers = [layer for layer in weight_layers if layer is not None]
  # Those of the trainable variables that have a layer.
  positions = [i for i, l in enumerate(weight_layers) if l is not None]
  with_layer = lambda values: [values[i] for i in positions]
  local_variables = _local_variables(weight_layers, model.trainable_variables)
  optimizer = local_training.optimizer
  needs_num_steps = any(layer.needs_num_steps for layer in layers)
  if is_updated is None:
    is_updated = updated_variables.find(model)

  def assign_effective(received, seed):
    """Sets the model's kernels to their layers' outputs and returns those."""
    effective = weight_layer.call_all(
        layers, with_layer(received), seeds.fold_in_each(seed, positions)
    )
    for variable, value in zip(
        with_layer(model.trainable_variables), effective
    ):
      variable.assign(value)
    return effective

  def local_gradients(batch, received, seed):
    """Returns dL/dv for each of `local_variables`, and the model's output."""
    with tf.GradientTape() as layer_tape:
      effective = assign_effective(received, seed)
    with tf.GradientTape() as model_tape:
      output = autograph.of_user(model.forward_pass)(batch, training=True)
    gradients = model_tape.gradient(
        output.loss,
        list(model.trainable_variables),
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    # One call for all layers: their gradients flow back through one tape.
    pulled_back = iter(
        layer_tape.gradient(
            effective,
            [v for layer in layers for v in layer.trainable_variables],
            output_gradients=[
                tf.convert_to_tensor(g) for g in with_layer(gradients)
            ],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        if layers
        else ()
    )
    result = []
    for layer, gradient in zip(weight_layers, gradients):
      if layer is None:
        result.append(gradient)
      else:
        result += [next(pulled_back) for _ in layer.trainable_variables]
    for variable, gradient in zip(local_variables, result):
      if isinstance(gradient, tf.Tensor):
        # Of a `shared.method` it has none, and optimizers ask for it.
        gradient.set_shape(variable.shape)
    return result, output

  def receive(round_num, weights, client_state, client_seed):
    """Sets all variables to what the server has sent and the client kept."""
    states = iter(client_state or [()] * len(layers))
    layer_seeds = iter(
        seeds.fold_in_each(
            seeds.fold_in(client_seed, client_data.RECEIVE), positions
        )
    )
    for layer, variable, value in zip(
        weight_layers, model.trainable_variables, weights.trainable
    ):
      if layer is None:
        variable.assign(value)
      else:
        autograph.of_user(layer.receive)(
            value, next(states), round_num, next(layer_seeds)
        )
    receive_non_trainable(weights)

  def receive_non_trainable(weights):
    for variable, value in zip(
        model.non_trainable_variables, weights.non_trainable
    ):
      variable.assign(value)

  def total_loss(output):
    """Returns the sum of the losses of a batch's examples."""
    size = tf.cast(output.num_examples, output.loss.dtype)
    return tf.cast(output.loss * size, tf.float32)

  def received_loss(weights, client, num_steps, seed):
    """Returns the loss before training, and leaves all variables alone."""
    weight_layer.advance_all(layers, 0, num_steps)
    assign_effective(weights.trainable, seed)

    @autograph.as_written
    def add(sums, batch):
      output = autograph.of_user(model.forward_pass)(batch, training=True)
      size = output.num_examples
      return sums[0] + total_loss(output), sums[1] + size

    total, num_examples = autograph.of_user(client.pass_over)(
        add, (tf.constant(0.0), tf.constant(0))
    )
    receive_non_trainable(weights)
    return tf.math.divide_no_nan(total, tf.cast(num_examples, tf.float32))

  @autograph.as_written
  def train_client(round_num, weights, data, client_state):
    client = client_data.read(data, local_training)
    num_steps = client.num_steps() if needs_num_steps else tf.constant(0)
    client_seed = client.seed(seed, round_num)
    forward_seed = seeds.fold_in(client_seed, client_data.FORWARD)
    receive(round_num, weights, client_state, client_seed)
    for layer in layers:
      autograph.of_user(layer.start)()
    initial_values = [v.read_value() for v in local_variables]
    report = collections.OrderedDict()
    if reported_loss == RECEIVED_LOSS:  # Python values.
      report[RECEIVED_LOSS] = received_loss(
          weights,
          client,
          num_steps,
          seeds.fold_in(client_seed, client_data.REPORT),
      )
    autograph.of_user(model.reset_metrics)()

    @autograph.as_written
    def take_step(step, state, batch):
      optimizer_state, num_trained, loss = state
      weight_layer.advance_all(layers, step, num_steps)
      gradients, output = local_gradients(
          batch, weights.trainable, seeds.fold_in(forward_seed, step)
      )
      if local_training.proximal_strength > 0.0:
        gradients = [
            tf.convert_to_tensor(g)
            + local_training.proximal_strength * (v - v_0)
            for g, v, v_0 in zip(gradients, local_variables, initial_values)
        ]
      optimizer_state, updated = autograph.of_user(optimizer.next)(
          optimizer_state,
          tuple(v.read_value() for v in local_variables),
          tuple(gradients),
      )
      for variable, value in zip(local_variables, updated):
        variable.assign(value)
      if reported_loss == TRAINING_LOSS:  # Python values.
        loss += total_loss(output)
      return optimizer_state, num_trained + output.num_examples, loss

    optimizer_state = _initial_optimizer_state(optimizer, local_variables)
    if local_training.keep_optimizer_state:
      # Learning rates and the like are those of this process.
      optimizer_state = optimizer.set_hparams(
          client_state[-1], optimizer.get_hparams(optimizer_state)
      )
    optimizer_state, num_trained, loss = autograph.of_user(client.train)(
        take_step,
        (optimizer_state, tf.constant(0), tf.constant(0.0)),
        client_seed,
    )
    if reported_loss == TRAINING_LOSS:  # Python values.
      report[TRAINING_LOSS] = tf.math.divide_no_nan(
          loss, tf.cast(num_trained, tf.float32)
      )
    num_examples = client.num_examples(num_trained)

    weight_layer.advance_all(layers, num_steps, num_steps)
    upload_seed = seeds.fold_in(client_seed, client_data.UPLOAD)
    layer_seeds = iter(seeds.fold_in_each(upload_seed, positions))
    trainable = []
    for layer, variable, initial in zip(
        weight_layers, model.trainable_variables, weights.trainable
    ):
      if layer is None:
        trainable.append(variable - initial)
      else:
        # One after the other: what a layer needs meanwhile takes memory.
        with tf.control_dependencies(trainable[-1:]):
          layer_seed = tf.identity(next(layer_seeds))
        trainable.append(autograph.of_user(layer.update)(initial, layer_seed))
    non_trainable = [
        variable - initial
        for variable, initial, changes in zip(
            model.non_trainable_variables, weights.non_trainable, is_updated
        )
        if changes
    ]
    # A binarized update is finite even where what it stands for is not. The
    # change of a variable that is not finite is not finite either.
    is_finite = small_tensors.are_finite(
        tf.nest.flatten([
            [layer.trainable_variables for layer in layers],
            trainable,
            non_trainable,
            report,
        ])
    )
    has_trained = tf.logical_and(is_finite, num_examples > 0)
    keep = lambda x: tf.where(has_trained, x, tf.zeros_like(x))
    update = collections.OrderedDict(
        trainable=trainable, non_trainable=non_trainable, **report
    )
    # Unlike `keep` it copies nothing.
    update = tf.cond(
        has_trained,
        lambda: update,
        lambda: tf.nest.map_structure(tf.zeros_like, update),
    )
    metrics = collections.OrderedDict(
        autograph.of_user(model.report_local_unfinalized_metrics)()
    )
    metrics.update(_layer_measurements(layers))
    metrics = tf.nest.map_structure(keep, metrics)
    # What was taken was sent, whatever has become of it.
    metrics.update(_received_bytes(layers))
    metrics['non_finite_clients'] = 1 - tf.cast(is_finite, tf.int32)
    if observer is not None:
      observed = autograph.of_user(observer.observe)(
          weight_layers,
          weights.trainable,
          trainable,
          seeds.fold_in(client_seed, client_data.OBSERVE),
      )
      metrics.update(tf.nest.map_structure(keep, observed))
    new_state = client_state
    if client_state:
      new_state = [autograph.of_user(layer.state)() for layer in layers]
      new_state = _where(has_trained, new_state, client_state[: len(layers)])
      if local_training.keep_optimizer_state:
        # The last step may have left infinite moments and finite variables.
        is_usable = tf.logical_and(
            has_trained, small_tensors.are_finite(_floats(optimizer_state))
        )
        new_state.append(
            _where(is_usable, optimizer_state, client_state[-1])
        )
    num_examples = keep(tf.cast(num_examples, tf.float32))
    return update, num_examples, metrics, new_state

  @tf.function
  def client_update(round_num, weights, data, client_state):
    return train_client(round_num, weights, data, client_state)

  return client_update


def _where(condition, new, old):
  """Returns one of two structures of the same kind."""
  return tf.nest.map_structure(
      lambda n, o: tf.where(condition, n, o), new, old
  )


def _floats(structure):
  """Returns the tensors of a structure that are not integers or the like."""
  tensors = map(tf.convert_to_tensor, tf.nest.flatten(structure))
  return [x for x in tensors if x.dtype.is_floating]


def _layer_measurements(layers):
  """Returns the sum over the layers and their count for each measurement."""
  return collections.OrderedDict(
      (name, [tf.add_n(sums), tf.constant(float(count))])
      for name, (sums, count) in weight_layer.measure_all(layers).items()
  )


def _received_bytes(layers):
  """Returns the sum over the layers that report it, under its name."""
  received = [autograph.of_user(layer.received_bytes)() for layer in layers]
  received = [n for n in received if n is not None]
  return {'received_bytes': tf.add_n(received)} if received else {}


def _mean(sum_and_count):
  return tf.math.divide_no_nan(sum_and_count[0], sum_and_count[1])


def _local_variables(weight_layers, variables):
  """Returns what a client trains: variables, or in their place a layer's."""
  result = []
  for layer, variable in zip(weight_layers, variables):
    result.extend([variable] if layer is None else layer.trainable_variables)
  return result


def _initial_optimizer_state(optimizer, variables):
  return autograph.of_user(optimizer.initialize)(
      tuple(tf.TensorSpec(v.shape, v.dtype) for v in variables)
  )


def initial_client_state(
    weight_layers, variables, local_training, seed, client_id
):
  """Returns what a client keeps before its first round.

  Args:
    weight_layers: For each trainable variable its built layer, or `None`.
    variables: The trainable variables, or their specs.
    local_training: How clients train.
    seed: The seed of the whole run.
    client_id: An int32 scalar.

  Returns:
    A list of the layers' initial states and, if that is kept, of the
    optimizer's; `()` if all of them are empty.
  """
  client_seed = seeds.fold_in([seed, seeds.CLIENT_INITIAL_DRAWS], client_id)
  states = [
      layer.initial_state(seeds.fold_in(client_seed, i))
      for i, layer in enumerate(weight_layers)
      if layer is not None
  ]
  if local_training.keep_optimizer_state:
    local_variables = _local_variables(weight_layers, variables)
    states.append(
        _initial_optimizer_state(local_training.optimizer, local_variables)
    )
  return states if tf.nest.flatten(states) else ()


@dataclasses.dataclass(frozen=True)
class StatefulClientWork:
  """Client work whose clients keep a state from round to round.

  Attributes:
    initialize: As of a `ClientWorkProcess`.
    next: As of a `ClientWorkProcess`, with the clients' states as third
      argument before their data; it returns the usual output and the new
      states, placed at CLIENTS.
    initialize_client: A `tff.Computation` from a client id to the state before
      the client's first round.
  """

  initialize: tff.Computation
  next: tff.Computation
  initialize_client: tff.Computation


def build_client_work(
    model_fn: Callable[[], tff.learning.models.VariableModel],
    element_spec: Optional[collections.OrderedDict[str, Any]],
    build_weight_layers: Callable[
        [], Sequence[Optional[weight_layer.WeightLayer]]
    ],
    local_training: LocalTraining,
    seed: int,
    received_type: Optional[tff.Type] = None,
    weighting: str = 'examples',
    reported_loss: Optional[str] = None,
    model: Optional[tff.learning.models.VariableModel] = None,
    is_updated: Optional[Sequence[bool]] = None,
    known: Optional[Sequence[bool]] = None,
    observer: Optional[update_observer.UpdateObserver] = None,
) -> Union[tff.learning.templates.ClientWorkProcess, StatefulClientWork]:
  """Builds the client work of all processes in this package.

  Its state is the number of the round, counted from 0; with the run's seed and
  the client's id it determines everything a client draws. It reports the
  model's training metrics, the layers' measurements (their mean over layers and
  clients), `non_finite_clients` and, where layers tell it, `received_bytes`,
  summed over the clients, under `train`, and the bytes of the round number as
  `downlink_bytes_per_client`.

  A client whose variables are not all finite at the end sends an update of
  zeros with weight 0, its metrics don't count and its state stays as it was;
  likewise an empty client.

  Args:
    model_fn: A no-arg function that returns the model.
    element_spec: The spec of a stored client, `ClientStore.element_spec`;
      `None` if clients are datasets of batches with the model's `input_spec`.
    build_weight_layers: A no-arg function that returns, for each trainable
      variable of the model, a new layer or `None`.
    local_training: How clients train.
    seed: The seed of the run.
    received_type: The type of what a client receives; by default the type of
      the model's weights.
    weighting: How much a client counts: `'examples'`, as much as it has of
      them, or `'uniform'`, as much as any other.
    reported_loss: A loss that an update holds, `'training_loss'` or
      `'received_loss'`, see `build_client_update`. The second takes one more
      forward pass over the client's data.
    model: What `model_fn` has returned before, to spare another call.
    is_updated: See `build_client_update`.
    known: One bool for each trainable tensor: whether the aggregator is told
      what the client has received in its place, see
      `aggregators.SideInformationMeanFactory`.
    observer: What measures the updates for further metrics under `train`, means
      over the clients that have some, or None.

  Returns:
    A `tff.learning.templates.ClientWorkProcess`, or a `StatefulClientWork` if
    clients keep a state. Its client results hold the update
    `<trainable=..., non_trainable=...>` and the reported loss, if any; with
    `known`, `trainable` is `<update=..., received=...>`.

  Raises:
    ValueError: If `local_training` does not fit the form of the data.
  """
  local_training.check_fits(is_stored=element_spec is not None)

  with tf.Graph().as_default():
    if model is None:
      model = model_fn()
    if is_updated is None:
      is_updated = updated_variables.find(model)
  if received_type is None:
    received_type = tff.learning.models.weights_type_from_model(model)
  specs = [tf.TensorSpec(v.shape, v.dtype) for v in model.trainable_variables]
  finalizers = collections.OrderedDict(model.metric_finalizers())
  batch_spec = model.input_spec

  def build_layers():
    layers = build_weight_layers()
    for layer, spec in zip(layers, specs):
      if layer is not None:
        layer.build(spec.shape)
    return layers

  has_state = False
  # Most layers keep nothing, and a large model's take a second to build.
  if local_training.keep_optimizer_state or any(
      type(layer).initial_state is not weight_layer.WeightLayer.initial_state
      for layer in build_weight_layers()
      if layer is not None
  ):
    with tf.Graph().as_default():
      has_state = bool(
          initial_client_state(build_layers(), specs, local_training, seed, 0)
      )
  is_stored = element_spec is not None
  data_type = tff.SequenceType(
      tff.types.tensorflow_to_type(element_spec if is_stored else batch_spec)
  )
  is_uniform = weighting == 'uniform'  # Python values.

  @tff.tensorflow.computation(np.int32)
  def initialize_client(client_id):
    if not has_state:
      return ()
    return initial_client_state(
        build_layers(), specs, local_training, seed, client_id
    )

  state_type = initialize_client.type_signature.result

  @tff.tensorflow.computation(np.int32, received_type, state_type, data_type)
  def client_computation(round_num, weights, client_state, dataset):
    client_update = build_client_update(
        model_fn(),
        build_weight_layers(),
        local_training,
        seed,
        reported_loss,
        is_updated,
        observer,
    )
    data = dataset.get_single_element() if is_stored else dataset
    update, num_examples, metrics, new_state = client_update(
        round_num, weights, data, client_state
    )
    if known is not None:
      update['trainable'] = collections.OrderedDict(
          update=update['trainable'],
          received=[w for w, k in zip(weights.trainable, known) if k],
      )
    weight = tf.sign(num_examples) if is_uniform else num_examples
    result = tff.learning.templates.ClientResult(update, weight)
    return result, metrics, new_state

  metrics_type = client_computation.type_signature.result[1]
  for name in tff.structure.name_list(metrics_type):
    if name in _SUMS:
      finalizers[name] = tf.identity
    # What the layers measure, and the observer.
    finalizers.setdefault(name, _mean)
  aggregate_metrics = tff.learning.metrics.sum_then_finalize(finalizers)

  @tff.tensorflow.computation(np.int32)
  def measure(round_num):
    return tf.size(round_num, tf.int64) * round_num.dtype.size

  @tff.tensorflow.computation(np.int32)
  def next_round(round_num):
    return round_num + 1

  @tff.federated_computation
  def init_fn():
    return tff.federated_value(0, tff.SERVER)

  def train(round_num, weights, client_states, client_data):
    """Returns the output of a `ClientWorkProcess` and the new states."""
    client_result, metrics, new_states = tff.federated_map(
        client_computation,
        (
            tff.federated_broadcast(round_num),
            weights,
            client_states,
            client_data,
        ),
    )
    measurements = tff.federated_zip(
        collections.OrderedDict(
            train=aggregate_metrics(metrics),
            downlink_bytes_per_client=tff.federated_map(measure, round_num),
        )
    )
    output = tff.templates.MeasuredProcessOutput(
        tff.federated_map(next_round, round_num), client_result, measurements
    )
    return output, new_states

  round_type = init_fn.type_signature.result
  at_clients = lambda member: tff.FederatedType(member, tff.CLIENTS)

  if not has_state:

    @tff.federated_computation(
        round_type, at_clients(received_type), at_clients(data_type)
    )
    def stateless_next_fn(round_num, weights, client_data):
      no_states = tff.federated_value((), tff.CLIENTS)
      return train(round_num, weights, no_states, client_data)[0]

    return tff.learning.templates.ClientWorkProcess(init_fn, stateless_next_fn)

  @tff.federated_computation(
      round_type,
      at_clients(received_type),
      at_clients(state_type),
      at_clients(data_type),
  )
  def next_fn(round_num, weights, client_states, client_data):
    return train(round_num, weights, client_states, client_data)

  return StatefulClientWork(init_fn, next_fn, initialize_client)
