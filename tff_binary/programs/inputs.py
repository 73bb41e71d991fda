# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Converts and checks a user's data before any training.

What cannot be trained or evaluated on is refused by one sentence that names the
client and the value, not by TensorFlow in the first round or after it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
import contextlib
import numbers
import re
import reprlib
from typing import Any, Optional, Union

import numpy as np
import tensorflow as tf

from tff_binary.learning import keras_models
from tff_binary.learning import structures

ClientId = Union[int, str]
Examples = tuple[Any, ...]


def as_clients(clients: Any) -> tuple[list[ClientId], list[Examples]]:
  """Converts all clients' examples to arrays.

  Args:
    clients: A sequence of clients, or a dict from an integer or string id to a
      client. A client is (features, labels) or (features, labels,
      sample_weights), each what NumPy can make an array of shape `[n, ...]` of
      (arrays, tensors, data frames, lists of numbers), or a tuple, list or dict
      of such. `n` may differ and be 0.

  Returns:
    The clients' ids, by default their positions, and their examples.

  Raises:
    ValueError: If there is no client, if an id is neither integer nor string,
      or if a client's examples are no regular arrays of numbers or strings of
      one number of examples, or unlike those of the first client.
  """
  if isinstance(clients, Mapping):
    ids = [_as_id(client_id) for client_id in clients]
    clients = list(clients.values())
  elif isinstance(clients, Sequence) and not isinstance(clients, (str, bytes)):
    ids = list(range(len(clients)))
  else:
    raise ValueError(
        'clients must be a list of clients or a dict from id to client, got'
        f' {reprlib.repr(clients)}'
    )
  if not ids:
    raise ValueError('clients must hold at least one client')
  examples = []
  for client_id, client in zip(ids, clients):
    name = client_name(client_id)
    examples.append(structures.as_examples(client, name))
    structures.check_alike(
        examples[-1], name, examples[0], client_name(ids[0])
    )
  return ids, examples


def as_test(test: Any) -> Examples:
  """Converts the examples of the central test set to arrays.

  Args:
    test: As one of the clients of `as_clients`.

  Returns:
    The examples.

  Raises:
    ValueError: If there are no examples, and see `as_clients`.
  """
  examples = structures.as_examples(test, 'test')
  if not structures.num_examples(examples):
    raise ValueError('test must hold at least one example, got 0 examples')
  return examples


def client_name(client_id: ClientId) -> str:
  """Returns what a client is called in an error."""
  return f'client {client_id!r}'


def check_examples(
    model: tf.keras.Model,
    named_examples: Iterable[tuple[str, Examples]],
    *,
    preprocess_fn: Optional[Callable[[Any], Any]] = None,
    **losses_and_metrics,
) -> None:
  """Checks that a model, its loss and its metrics can take examples.

  Where labels are numbers of classes all of them are checked. Two of the first
  examples there are go through the model, in inference mode.

  Args:
    model: An uncompiled `tf.keras.Model`.
    named_examples: Examples, all alike, as `as_clients` or `as_test` returns
      them, each after what they are called in an error.
    preprocess_fn: A TensorFlow function of a batch of features, or None.
    **losses_and_metrics: `loss_fn`, `loss_weights` and `metrics_fn`, see
      `learning.keras_model_fn`.

  Raises:
    ValueError: If a label is not the number of a class, or if the model, the
      loss or a metric cannot take the examples.
  """
  named_examples = [
      (name, examples)
      for name, examples in named_examples
      if structures.num_examples(examples)
  ]
  if not named_examples:
    return
  first_name, first = named_examples[0]
  spec = tf.nest.map_structure(
      lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype), first
  )
  with _explained(first_name, spec):
    keras_model = keras_models.KerasModel(
        model,
        keras_models.batch_spec(spec, preprocess_fn),
        **losses_and_metrics,
    )
  if keras_model.num_classes is not None:
    for name, (_, labels, *_) in named_examples:
      _check_class_labels(labels, name, keras_model.num_classes)
  with _explained(first_name, spec):
    features, *others = tf.nest.map_structure(
        lambda x: tf.convert_to_tensor(x[:2]), first
    )
    if preprocess_fn is not None:
      features = preprocess_fn(features)
    keras_model.forward_pass((features, *others), training=False)
  keras_model.metric_results()


@contextlib.contextmanager
def _explained(name, spec):
  """Turns an error of Keras' or TensorFlow's into one about the examples."""
  try:
    yield
  except (TypeError, ValueError, tf.errors.OpError) as e:
    described = ', '.join(
        f'{leaf} {s.dtype.name}{list(s.shape[1:])}'
        for part, structure in zip(structures.PARTS, spec)
        for leaf, s in structures.named_leaves(part, structure)
    )
    lines = [line.strip() for line in str(e).splitlines()]
    # Keras tells what it was doing before and after, AutoGraph before.
    reasons = [line for line in lines if re.match(r'\w+Error: ', line)]
    raise ValueError(
        'the Keras model, its loss or a metric cannot take the examples of'
        f' {name} ({described} an example): {(reasons or lines)[0]}'
    ) from e


def _check_class_labels(labels, name, num_classes):
  """Raises a `ValueError` unless all labels are integers of the range."""
  labels = np.asarray(labels)
  allowed = f'integers in [0, {num_classes})'
  if labels.dtype == object:
    raise ValueError(
        f'the labels of {name} must be {allowed}, got {labels.flat[0]!r}'
    )
  values = labels.astype(np.float64)
  wrong = ~((values >= 0) & (values < num_classes) & (values % 1 == 0))
  if wrong.any():
    index = np.argwhere(wrong)[0].tolist()
    raise ValueError(
        f'the labels of {name} must be {allowed}, got'
        f' {labels[tuple(index)]} at {index}'
    )


def _as_id(client_id):
  """Returns a client's id as an `int` or `str`."""
  if isinstance(client_id, numbers.Integral):
    return int(client_id)
  if isinstance(client_id, str):
    return str(client_id)
  raise ValueError(
      f"clients' ids must be integers or strings, got {client_id!r}"
  )
