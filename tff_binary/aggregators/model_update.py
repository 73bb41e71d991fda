# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Aggregates the two halves of a model update, each in its own way."""

import collections

import tensorflow_federated as tff


class ModelUpdateFactory(tff.aggregators.WeightedAggregationFactory):
  """Aggregation factory for `<trainable=..., non_trainable=...>`.

  The changes of BatchNorm's moving statistics must not be clipped, zeroed,
  compressed or noised together with the weights, so they are aggregated by a
  process of their own. State and measurements are `OrderedDict`s with the two
  processes' under `trainable` and `non_trainable`. Without non-trainable
  tensors the second process does not exist.
  """

  def __init__(
      self,
      trainable: tff.aggregators.WeightedAggregationFactory,
      non_trainable: tff.aggregators.WeightedAggregationFactory,
  ):
    """Initializes `ModelUpdateFactory`.

    Args:
      trainable: Aggregates the changes of the trainable weights.
      non_trainable: Aggregates the changes of the non-trainable weights.

    Raises:
      TypeError: If either is not a `WeightedAggregationFactory`.
    """
    for factory in (trainable, non_trainable):
      if not isinstance(factory, tff.aggregators.WeightedAggregationFactory):
        raise TypeError(
            'Clients have weights: the aggregation factory must be a'
            f' tff.aggregators.WeightedAggregationFactory, got {factory!r}.'
        )
    self._factories = collections.OrderedDict(
        trainable=trainable, non_trainable=non_trainable
    )

  def create(
      self, value_type: tff.Type, weight_type: tff.Type
  ) -> tff.templates.AggregationProcess:
    """Creates the process for a struct type with the two fields."""
    processes = collections.OrderedDict()
    for name, factory in self._factories.items():
      if len(value_type[name]):  # pylint: disable=g-explicit-length-test
        processes[name] = factory.create(value_type[name], weight_type)

    @tff.federated_computation
    def init_fn():
      return tff.federated_zip(
          collections.OrderedDict(
              (name, process.initialize())
              for name, process in processes.items()
          )
      )

    @tff.federated_computation(
        init_fn.type_signature.result,
        tff.FederatedType(value_type, tff.CLIENTS),
        tff.FederatedType(weight_type, tff.CLIENTS),
    )
    def next_fn(state, value, weight):
      outputs = collections.OrderedDict(
          (name, process.next(state[name], value[name], weight))
          for name, process in processes.items()
      )
      empty = tff.federated_value([], tff.SERVER)
      result = collections.OrderedDict(
          (name, outputs[name].result if name in outputs else empty)
          for name in self._factories
      )
      return tff.templates.MeasuredProcessOutput(
          tff.federated_zip(
              collections.OrderedDict(
                  (name, output.state) for name, output in outputs.items()
              )
          ),
          tff.federated_zip(result),
          tff.federated_zip(
              collections.OrderedDict(
                  (name, output.measurements)
                  for name, output in outputs.items()
              )
          ),
      )

    return tff.templates.AggregationProcess(init_fn, next_fn)
