# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Learning processes whose clients keep a state from round to round."""

import collections
from collections.abc import Callable, Iterable
from typing import Any, Optional

import tensorflow_federated as tff

from tff_binary.learning import local_training


class StatefulLearningProcess(tff.templates.IterativeProcess):
  """An iterative process that takes and returns its clients' states.

  `next(state, client_states, client_data)` returns `<state, client_states,
  metrics>`. A client's state goes in and comes out in the place of the client;
  the process keeps none of them, see `ClientStates`.

  A `tff.learning.templates.LearningProcess` has no channel for client states;
  in all else this one has the same shape: the same server state, metrics and
  access to the model.

  Attributes:
    initialize_client: A `tff.Computation` from a client id, int32, to the state
      of the client before its first round.
    get_model_weights: A `tff.Computation` from the server state to the
      `tff.learning.models.ModelWeights`.
    set_model_weights: A `tff.Computation` from the server state and weights to
      the server state with these weights.
    get_hparams: A `tff.Computation` from the server state to the
      hyper-parameters of the server's optimizer, as of a `LearningProcess`.
    set_hparams: A `tff.Computation` from the server state and hyper-parameters
      to the server state with these.
    get_sampled_model_weights: See `SampledLearningProcess`, or None.
  """

  def __init__(
      self,
      initialize_fn: tff.Computation,
      next_fn: tff.Computation,
      initialize_client: tff.Computation,
      get_model_weights: tff.Computation,
      set_model_weights: tff.Computation,
      get_hparams: tff.Computation,
      set_hparams: tff.Computation,
      *,
      get_sampled_model_weights: Optional[
          Callable[[Any], Iterable[tff.learning.models.ModelWeights]]
      ] = None,
  ):
    super().__init__(initialize_fn, next_fn, next_is_multi_arg=True)
    self.initialize_client = initialize_client
    self.get_model_weights = get_model_weights
    self.set_model_weights = set_model_weights
    self.get_hparams = get_hparams
    self.set_hparams = set_hparams
    self.get_sampled_model_weights = get_sampled_model_weights


def compose_stateful_process(
    initial_weights: tff.Computation,
    distributor: tff.learning.templates.DistributionProcess,
    client_work: local_training.StatefulClientWork,
    aggregator: tff.templates.AggregationProcess,
    finalizer: tff.learning.templates.FinalizerProcess,
) -> StatefulLearningProcess:
  """Does what `compose_learning_process` does, for client work with states.

  Args:
    initial_weights: Returns the initial `ModelWeights`.
    distributor: Sends them to the clients.
    client_work: What clients do with what they receive and keep.
    aggregator: Aggregates their updates.
    finalizer: Applies the result.

  Returns:
    A `StatefulLearningProcess`.
  """
  state_class = tff.learning.templates.LearningAlgorithmState

  @tff.federated_computation
  def init_fn():
    return tff.federated_zip(
        state_class(
            tff.federated_eval(initial_weights, tff.SERVER),
            distributor.initialize(),
            client_work.initialize(),
            aggregator.initialize(),
            finalizer.initialize(),
        )
    )

  state_type = init_fn.type_signature.result
  _, _, client_state_type, data_type = client_work.next.type_signature.parameter

  @tff.federated_computation(state_type, client_state_type, data_type)
  def next_fn(state, client_states, client_data):
    weights = state.global_model_weights
    sent = distributor.next(state.distributor, weights)
    trained, new_client_states = client_work.next(
        state.client_work, sent.result, client_states, client_data
    )
    aggregated = aggregator.next(
        state.aggregator, trained.result.update, trained.result.update_weight
    )
    finalized = finalizer.next(state.finalizer, weights, aggregated.result)
    new_state = state_class(
        finalized.result,
        sent.state,
        trained.state,
        aggregated.state,
        finalized.state,
    )
    metrics = collections.OrderedDict(
        distributor=sent.measurements,
        client_work=trained.measurements,
        aggregator=aggregated.measurements,
        finalizer=finalized.measurements,
    )
    return (
        tff.federated_zip(new_state),
        new_client_states,
        tff.federated_zip(metrics),
    )

  @tff.tensorflow.computation(state_type.member)
  def get_model_weights(state):
    return state.global_model_weights

  @tff.tensorflow.computation(
      state_type.member, state_type.member.global_model_weights
  )
  def set_model_weights(state, weights):
    return state_class(
        weights,
        state.distributor,
        state.client_work,
        state.aggregator,
        state.finalizer,
    )

  # Clients' own are fixed: the state of the client work is the round's number.
  @tff.tensorflow.computation(state_type.member)
  def get_hparams(state):
    return collections.OrderedDict(
        client_work=collections.OrderedDict(),
        finalizer=finalizer.get_hparams(state.finalizer),
    )

  @tff.tensorflow.computation(
      state_type.member, get_hparams.type_signature.result
  )
  def set_hparams(state, hparams):
    return state_class(
        state.global_model_weights,
        state.distributor,
        state.client_work,
        state.aggregator,
        finalizer.set_hparams(state.finalizer, hparams['finalizer']),
    )

  return StatefulLearningProcess(
      init_fn,
      next_fn,
      client_work.initialize_client,
      get_model_weights,
      set_model_weights,
      get_hparams,
      set_hparams,
  )
