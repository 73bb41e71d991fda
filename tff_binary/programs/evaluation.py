# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluation of the global model, on a central test set or on the clients'.

Loss and metrics are those of training, `learning.keras_model_fn`, and equal
those of Keras' `evaluate` with the same batch size.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from tff_binary.learning import keras_models
from tff_binary.learning import structures

_DECILES = range(10, 100, 10)
_NO_EXAMPLES = 'test must hold at least one example, got 0 examples.'


def build_evaluation(
    model: tf.keras.Model,
    data: Any,
    *,
    preprocess_fn: Optional[Callable[[Any], Any]] = None,
    batch_size: int = 250,
    **losses_and_metrics,
) -> Callable[[], dict[str, float]]:
  """Builds a function that evaluates `model` with its current weights.

  Batches are evaluated one by one by one function. It is compiled by XLA where
  there is a GPU, for the full batches and for the last one. On CPUs XLA's
  convolutions take 2-3 times as long as TensorFlow's own.

  Args:
    model: An uncompiled `tf.keras.Model`.
    data: `(features, labels)` or `(features, labels, sample_weights)` of at
      least one example, each an array of shape `[n, ...]` or a structure of
      such arrays; or a `tf.data.Dataset` of batches of that form.
    preprocess_fn: A TensorFlow function of a batch of features, or None.
    batch_size: The number of examples in a batch of arrays.
    **losses_and_metrics: `loss_fn`, `loss_weights` and `metrics_fn`, see
      `learning.keras_model_fn`.

  Returns:
    A function of no arguments that returns a dict of floats: `test_loss` and
    `test_<metric>` for each metric.

  Raises:
    ValueError: If there are no examples, if features, labels and sample weights
      differ in number, or if a metric's value is no scalar; from the returned
      function if a dataset is empty.
  """
  data = _as_data(data, 'test')
  if isinstance(data, tuple) and not structures.num_examples(data):
    raise ValueError(_NO_EXAMPLES)
  evaluator = _Evaluator(
      model,
      data,
      preprocess_fn,
      batch_size,
      bool(tf.config.list_physical_devices('GPU')),
      losses_and_metrics,
  )

  def evaluate():
    results = evaluator(data)
    if results is None:
      raise ValueError(_NO_EXAMPLES)
    return {f'test_{name}': value for name, value in results.items()}

  return evaluate


def build_client_evaluation(
    model: tf.keras.Model,
    clients: Sequence[Any],
    *,
    preprocess_fn: Optional[Callable[[Any], Any]] = None,
    batch_size: int = 250,
    **losses_and_metrics,
) -> Callable[[], dict[str, float]]:
  """Builds a function that evaluates `model` on each client's own test data.

  Args:
    model: An uncompiled `tf.keras.Model`.
    clients: For each client its data, in one of the forms that
      `build_evaluation` takes, all in the same. They are looked up anew in
      every evaluation. A client may have no examples.
    preprocess_fn: See `build_evaluation`.
    batch_size: See `build_evaluation`.
    **losses_and_metrics: See `build_evaluation`.

  Returns:
    A function of no arguments that returns a dict of floats:
    `test_clients_<metric>_mean` and the deciles `test_clients_<metric>_p10` to
    `_p90` over the clients, all of which count alike, for `loss` and each
    metric; and `test_clients_empty`, the number of clients without examples,
    which are left out. If there is no other client, the rest is NaN.

  Raises:
    ValueError: If there is no client, and see `build_evaluation`.
  """
  if not len(clients):  # pylint: disable=g-explicit-length-test
    raise ValueError('clients must not be empty.')
  evaluator = _Evaluator(
      model,
      _as_data(clients[0], 'client 0'),
      preprocess_fn,
      batch_size,
      False,  # XLA would compile for each size of a client's last batch.
      losses_and_metrics,
  )

  def evaluate():
    results = [
        evaluator(_as_data(clients[i], f'client {i}'))
        for i in range(len(clients))
    ]
    found = [result for result in results if result is not None]
    summary = {'test_clients_empty': float(len(results) - len(found))}
    for name in evaluator.names:
      values = [result[name] for result in found] or [np.nan]
      prefix = f'test_clients_{name}'
      summary[f'{prefix}_mean'] = float(np.mean(values))
      for percent, value in zip(_DECILES, np.percentile(values, _DECILES)):
        summary[f'{prefix}_p{percent}'] = float(value)
    return summary

  return evaluate


class _Evaluator:
  """Evaluates a model on data of one form.

  Attributes:
    names: The names of the results.
  """

  def __init__(
      self, model, data, preprocess_fn, batch_size, use_xla, losses_and_metrics
  ):
    """Initializes the evaluator; `data` are an example of what it takes."""
    spec = batch_spec(data)
    has_strings = any(s.dtype == tf.string for s in tf.nest.flatten(spec))
    self._batch_size = batch_size
    self._model = keras_models.KerasModel(
        model,
        keras_models.batch_spec(spec, preprocess_fn),
        **losses_and_metrics,
    )
    # What cannot be reported is refused before any training.
    self.names = list(self._model.metric_results())

    @tf.function(
        input_signature=[spec], jit_compile=use_xla and not has_strings
    )
    def evaluate_batch(batch):
      x, y, sample_weight = keras_models.unpack_batch(batch)
      if preprocess_fn is not None:
        x = preprocess_fn(x)
      output = self._model.forward_pass((x, y, sample_weight), training=False)
      return output.num_examples

    self._evaluate_batch = evaluate_batch

  def __call__(self, data):
    """Returns the results by name, or None if there are no examples."""
    self._model.reset_metrics()
    num_examples = 0
    for batch in _batches(data, self._batch_size):
      num_examples += int(self._evaluate_batch(batch))
    return self._model.metric_results() if num_examples else None


def _as_data(data, name):
  """Returns a dataset as it is, anything else as a tuple of arrays."""
  if isinstance(data, tf.data.Dataset):
    return data
  return structures.as_examples(data, name)


def batch_spec(data: Any) -> Any:
  """Returns the spec of batches of any size of arrays or a dataset."""
  if isinstance(data, tf.data.Dataset):
    data = data.element_spec
  return tf.nest.map_structure(
      lambda x: tf.TensorSpec([None, *x.shape[1:]], x.dtype), data
  )


def _batches(data, batch_size) -> Iterator[Any]:
  if isinstance(data, tf.data.Dataset):
    yield from data
    return
  for start in range(0, structures.num_examples(data), batch_size):
    yield tf.nest.map_structure(
        lambda x, start=start: x[start : start + batch_size], data
    )
