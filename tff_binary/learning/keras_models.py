# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Makes a `model_fn` for TFF from a function that builds a Keras model.

The loss of a batch is what Keras' `fit` minimizes. For each output it is the
mean of the loss over all its labels, one for each example or several, weighted
by the sample weights (the sum of the weighted losses is divided by the number
of labels, not by the sum of the weights). Where an output carries a mask, such
as that of `Embedding(mask_zero=True)`, masked labels count neither in the sum
nor in the number. The outputs' losses are added, times `loss_weights`, and all
that the model's layers have added with `add_loss`, regularizers included. A
batch without any unmasked label has loss 0.

The metrics count every label by its mask and its sample weight, like Keras'
`weighted_metrics`. `loss` is the mean of the batches' losses, each weighted by
its number of examples, as Keras reports it; `num_examples` counts examples,
whatever their weights and masks.
"""

import collections
from collections.abc import Callable, Mapping, Sequence
import contextlib
import inspect
from typing import Any, Optional, Union
import warnings
import weakref

import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import parameters
from tff_binary.learning import structures
from tff_binary.ops import autograph

_finalizer = tff.learning.metrics.create_keras_metric_finalizer

# A loss, or one for each output: a Keras loss, its name, or a function of
# labels and predictions and, where one of its parameters has that name,
# `sample_weight`.
Loss = Union[str, tf.keras.losses.Loss, Callable[..., tf.Tensor]]
Losses = Union[Loss, Sequence[Optional[Loss]], Mapping[str, Optional[Loss]]]
LossWeights = Union[Sequence[float], Mapping[str, float]]
Metrics = Union[
    Sequence[tf.keras.metrics.Metric],
    Sequence[Sequence[tf.keras.metrics.Metric]],
    Mapping[str, Sequence[tf.keras.metrics.Metric]],
]


def keras_model_fn(
    build_keras_model: Callable[[], tf.keras.Model],
    element_spec: Any,
    *,
    preprocess_fn: Optional[Callable[[Any], Any]] = None,
    loss_fn: Optional[Callable[[], Losses]] = None,
    loss_weights: Optional[LossWeights] = None,
    metrics_fn: Optional[Callable[[], Metrics]] = None,
    compute_dtype: str = 'float32',
) -> Callable[[], 'KerasModel']:
  """Returns the no-arg `model_fn` that the process builders take.

  Args:
    build_keras_model: A no-arg function that returns a new, uncompiled Keras
      model at every call: Sequential, functional, subclassed or nested, of any
      number of inputs and outputs. Layers that look up strings must be given
      their vocabulary when they are constructed.
    element_spec: The spec of a client's data, `ClientStore.element_spec`, or
      that of a batched dataset, `(features, labels)`, `(features, labels,
      sample_weights)` or a dict of `x`, `y` and perhaps `sample_weight`.
    preprocess_fn: What `LocalTraining.preprocess_fn` does to a batch of
      features before it enters the model; `None` if nothing.
    loss_fn: Returns the loss, or a list or dict with one for each of several
      outputs, `None` where an output has none; by default sparse categorical
      cross-entropy of logits. What a single loss does to several outputs it
      does to each.
    loss_weights: What the losses of several outputs are multiplied by before
      they are added, a list or dict; by default 1.
    metrics_fn: Returns a list of new Keras metrics; for several outputs a dict
      or list with one such list for each. These metrics get the output's name
      in the dict, or `output_1`, `output_2`, ... in the list, before their own.
      By default `accuracy` of class scores where the loss is a sparse
      categorical cross-entropy, else none. `loss`, `num_examples` and
      `num_batches` are always there.
    compute_dtype: `'float32'`, or `'bfloat16'` for Keras mixed precision:
      layers compute in bfloat16, variables, loss and all that is aggregated
      stay float32.

  Returns:
    A function that returns a new `KerasModel`. It warns once if a model ends in
    a softmax where the loss takes logits.

  Raises:
    ValueError: If `compute_dtype` is neither; and from the returned function if
      the model is compiled or not new, or if a variable or an output of floats
      is not float32.
  """
  parameters.check(compute_dtype=compute_dtype)
  input_spec = batch_spec(element_spec, preprocess_fn)
  previous = lambda: None  # A reference to the model built before.
  has_warned = False

  def model_fn():
    nonlocal previous, has_warned
    with keras_compute_dtype(compute_dtype):
      keras_model = build_keras_model()
      if keras_model is previous() or (
          keras_model.built and _are_of_another_graph(keras_model.variables)
      ):
        raise ValueError(
            'The function that builds the Keras model must build a new one at'
            f' every call, got {keras_model.name!r} a second time.'
        )
      previous = weakref.ref(keras_model)
      # For the layers that a model makes at its first call.
      _predictions(keras_model, input_spec)
    model = KerasModel(
        keras_model,
        input_spec,
        loss_fn=loss_fn,
        loss_weights=loss_weights,
        metrics_fn=metrics_fn,
    )
    warning = model.softmax_warning()
    if warning and not has_warned:
      has_warned = True
      warnings.warn(warning, stacklevel=2)
    return model

  return model_fn


class KerasModel(tff.learning.models.VariableModel):
  """A Keras model with its loss and its metrics, for training and evaluation.

  Batches are `(x, y)` or `(x, y, sample_weight)`, or dicts of these names, of
  structures of tensors.

  Attributes:
    keras_model: The `tf.keras.Model`.
  """

  def __init__(
      self,
      keras_model: tf.keras.Model,
      input_spec: Any,
      *,
      loss_fn: Optional[Callable[[], Losses]] = None,
      loss_weights: Optional[LossWeights] = None,
      metrics_fn: Optional[Callable[[], Metrics]] = None,
  ):
    """Initializes the model.

    Args:
      keras_model: The `tf.keras.Model`, with its weights.
      input_spec: The structure of `tf.TensorSpec`s of a batch.
      loss_fn: See `keras_model_fn`.
      loss_weights: See `keras_model_fn`.
      metrics_fn: See `keras_model_fn`.

    Raises:
      TypeError: If there is a loss or a metric that is none.
      ValueError: If `keras_model` is compiled, if a variable or an output of
        floats is not float32, if losses, their weights, metrics or labels don't
        fit the outputs, or if two metrics have one name.
    """
    if getattr(keras_model, '_is_compiled', False):
      raise ValueError(
          'The Keras model must not be compiled: give its loss as loss_fn, its'
          ' metrics as metrics_fn and its optimizer to LocalTraining.'
      )
    self.keras_model = keras_model
    self._input_spec = input_spec
    self._losses_and_metrics = dict(
        loss_fn=loss_fn, loss_weights=loss_weights, metrics_fn=metrics_fn
    )
    outputs = _named_outputs(keras_model, _predictions(keras_model, input_spec))
    _check_dtypes(keras_model, outputs)
    names = list(outputs)
    losses = _default_loss() if loss_fn is None else loss_fn()
    self._losses = [
        _as_loss(loss) for loss in _per_output(losses, names, 'loss_fn')
    ]
    self._loss_weights = _per_output(loss_weights, names, 'loss_weights')
    _, labels, _ = unpack_batch(input_spec)
    labels = _labels_per_output(labels, names)
    for name, loss, label in zip(names, self._losses, labels):
      if loss is not None and label is None:
        raise ValueError(f'The output {name!r} has a loss but no labels.')
    self._num_classes = None
    if _is_sparse_cross_entropy(self._losses):
      if self._losses[0].get_config().get('ignore_class') is None:
        self._num_classes = outputs[names[0]].shape[-1]
    if metrics_fn is None:
      metrics_fn = _default_metrics_fn(self._losses)

    @autograph.as_written
    def build_metrics():
      metrics = _flat_metrics(autograph.of_user(metrics_fn)(), names)
      for name, (i, metric) in metrics.items():
        if _are_of_another_graph(metric.variables):
          raise ValueError(
              'metrics_fn must build new metrics at every call, got'
              f' {name!r} a second time.'
          )
        _build_metric(metric, labels[i], outputs[names[i]])
      return metrics

    self._output_metrics = build_metrics()
    self._loss_metric = tf.keras.metrics.Mean('loss')
    counters = (
        tff.learning.metrics.NumExamplesCounter(),
        tff.learning.metrics.NumBatchesCounter(),
    )
    self._counters = [c for c in counters if c.name not in self._output_metrics]
    self._metrics = collections.OrderedDict()
    self._finalizers = collections.OrderedDict()
    for name, (_, metric) in self._output_metrics.items():
      self._metrics[name] = metric
      self._finalizers[name] = _finalizer(
          autograph.as_written(lambda name=name: build_metrics()[name][1])
      )
    for metric in (self._loss_metric, *self._counters):
      self._metrics[metric.name] = metric
      self._finalizers[metric.name] = _finalizer(metric)

  @property
  def trainable_variables(self):
    return self.keras_model.trainable_variables

  @property
  def non_trainable_variables(self):
    return self.keras_model.non_trainable_variables

  @property
  def local_variables(self):
    return [v for metric in self._metrics.values() for v in metric.variables]

  @property
  def input_spec(self):
    return self._input_spec

  @tf.function
  def predict_on_batch(self, x, training=True):
    return self.keras_model(x, training=training)

  @tf.function
  @autograph.as_written
  def forward_pass(self, batch_input, training=True):
    x, y, sample_weight = unpack_batch(batch_input)
    predictions = self.keras_model(x, training=training)
    outputs = _named_outputs(self.keras_model, predictions)
    names = list(outputs)
    labels = [
        None if label is None else _aligned(label, output)
        for label, output in zip(
            _labels_per_output(y, names), outputs.values()
        )
    ]
    sample_weights = _per_output(sample_weight, names, 'sample_weights')
    losses = []
    for i, output in enumerate(outputs.values()):
      if self._losses[i] is not None:
        loss = _mean_loss(self._losses[i], labels[i], output, sample_weights[i])
        weight = self._loss_weights[i]
        losses.append(loss if weight is None else weight * loss)
    loss = tf.add_n(losses + self.keras_model.losses)
    num_examples = tf.shape(tf.nest.flatten(x)[0])[0]
    for i, metric in self._output_metrics.values():
      output = outputs[names[i]]
      metric.update_state(
          labels[i], output, _masked(sample_weights[i], output)
      )
    self._loss_metric.update_state(loss, num_examples)
    for counter in self._counters:
      counter.update_state(y, predictions)
    return tff.learning.models.BatchOutput(
        loss=loss, predictions=predictions, num_examples=num_examples
    )

  @tf.function
  @autograph.as_written
  def reset_metrics(self):
    for metric in self._metrics.values():
      autograph.of_user(metric.reset_state)()

  @tf.function
  @autograph.as_written
  def report_local_unfinalized_metrics(self):
    return collections.OrderedDict(
        (name, [v.read_value() for v in metric.variables])
        for name, metric in self._metrics.items()
    )

  def metric_finalizers(self):
    return collections.OrderedDict(self._finalizers)

  def metric_results(self) -> collections.OrderedDict[str, float]:
    """Returns the current values of `loss` and of the metrics of `metrics_fn`.

    Unlike the rest, this needs eager execution.

    Raises:
      ValueError: If a metric's value is no scalar.
    """
    results = collections.OrderedDict()
    for name in ('loss', *self._output_metrics):
      value = self._metrics[name].result().numpy()
      if value.shape:
        raise ValueError(
            f'The metric {name!r} must be a scalar, got shape {value.shape}.'
        )
      results[name] = float(str(value))  # 0.9, not 0.8999999761581421.
    return results

  def with_keras_model(self, keras_model: tf.keras.Model) -> 'KerasModel':
    """Returns the same with another Keras model of the same outputs."""
    return KerasModel(
        keras_model, self._input_spec, **self._losses_and_metrics
    )

  @property
  def num_classes(self) -> Optional[int]:
    """The number of classes where labels are their numbers.

    That is the width of the output whose loss is a sparse categorical
    cross-entropy; `None` if it is unknown or the loss is another one.
    """
    return self._num_classes

  def softmax_warning(self) -> Optional[str]:
    """Returns a warning if an output is a softmax where its loss takes logits.

    Returns:
      A sentence, or `None`. Only outputs of Sequential and functional models
      are known.
    """
    names = getattr(self.keras_model, 'output_names', None) or []
    for name, loss in zip(names, self._losses):
      if _takes_logits(loss) and _is_softmax(self.keras_model.get_layer(name)):
        return (
            f'The layer {name!r} of the Keras model ends in a softmax, but the'
            ' loss takes logits. Remove the softmax, or give loss_fn=lambda:'
            f' tf.keras.losses.{type(loss).__name__}(from_logits=False).'
        )
    return None


def keras_model_of(
    model: tff.learning.models.VariableModel,
) -> tf.keras.Model:
  """Returns the Keras model in a model that `keras_model_fn` has made.

  Args:
    model: A `tff.learning.models.VariableModel`.

  Raises:
    ValueError: If `model` is another one.
  """
  if not isinstance(getattr(model, 'keras_model', None), tf.keras.Model):
    raise ValueError(
        'This method changes the layers of the Keras model and needs a model'
        f' from tff_binary.learning.keras_model_fn, got {model!r}.'
    )
  return model.keras_model


@contextlib.contextmanager
def keras_compute_dtype(compute_dtype: str):
  """Keras layers that are created inside compute in `compute_dtype`."""
  parameters.check(compute_dtype=compute_dtype)
  previous = tf.keras.mixed_precision.global_policy()
  if compute_dtype == 'bfloat16':
    tf.keras.mixed_precision.set_global_policy('mixed_bfloat16')
  try:
    yield
  finally:
    tf.keras.mixed_precision.set_global_policy(previous)


def unpack_batch(batch: Any) -> tuple[Any, Any, Any]:
  """Returns features, labels and sample weights of a batch or of its spec.

  Args:
    batch: `(x, y)`, `(x, y, sample_weight)`, or a dict of these names.

  Returns:
    A tuple of three; what is not there is `None`.

  Raises:
    ValueError: If `batch` is none of these.
  """
  names = ('x', 'y', 'sample_weight')
  if isinstance(batch, Mapping):
    if set(batch) in (set(names[:2]), set(names)):
      return tuple(batch.get(name) for name in names)
    found = ', '.join(map(repr, batch))
  else:
    if isinstance(batch, (tuple, list)) and len(batch) in (2, 3):
      return tuple(batch) + (None,) * (3 - len(batch))
    found = repr(batch)
  raise ValueError(
      'A batch must be (x, y), (x, y, sample_weight) or a dict of these names,'
      f' got {found}.'
  )


def batch_spec(
    element_spec: Any, preprocess_fn: Optional[Callable[[Any], Any]] = None
) -> Any:
  """Returns the spec of the batches that enter the model.

  Args:
    element_spec: See `keras_model_fn`.
    preprocess_fn: See `keras_model_fn`.

  Returns:
    A tuple or `OrderedDict` as `unpack_batch` takes it.

  Raises:
    ValueError: If `element_spec` is none of those.
  """
  if isinstance(element_spec, Mapping) and 'features' in element_spec:
    element_spec = tuple(
        element_spec[name]
        for name in ('features', 'labels', 'sample_weights')
        if name in element_spec
    )
  features, *others = unpack_batch(element_spec)
  if preprocess_fn is not None:
    with tf.Graph().as_default():
      features = tf.nest.map_structure(
          lambda x: tf.TensorSpec([None] + x.shape[1:], x.dtype),
          preprocess_fn(
              tf.nest.map_structure(
                  lambda s: tf.compat.v1.placeholder(s.dtype, s.shape), features
              )
          ),
      )
  if isinstance(element_spec, Mapping):
    return collections.OrderedDict(element_spec, x=features)
  return (features, *(part for part in others if part is not None))


@autograph.as_written
def _are_of_another_graph(variables):
  """Whether there are variables that were not made where we are."""
  graph = None
  with tf.init_scope():
    if not tf.executing_eagerly():
      graph = tf.compat.v1.get_default_graph()
  return any(getattr(v.handle, 'graph', None) is not graph for v in variables)


def _zeros(spec):
  """Returns one example of zeros, or of empty strings."""
  return tf.zeros([1] + [size or 1 for size in spec.shape[1:]], spec.dtype)


def _predictions(keras_model, input_spec):
  """Returns a structure like the model's output, after building the model."""
  if not keras_model.outputs:
    features, _, _ = unpack_batch(input_spec)
    predictions = keras_model(tf.nest.map_structure(_zeros, features))
    if not keras_model.outputs:
      return predictions
  return keras_model.output


def _named_outputs(keras_model, predictions):
  """Returns the outputs in Keras' order, with the names that Keras gives."""
  if isinstance(predictions, Mapping):
    return collections.OrderedDict(
        (name, predictions[name]) for name in sorted(predictions)
    )
  outputs = tf.nest.flatten(predictions)
  names = keras_model.output_names or [
      f'output_{i}' for i in range(1, len(outputs) + 1)
  ]
  return collections.OrderedDict(zip(names, outputs))


def _per_output(value, names, argument):
  """Returns a list with what a list, a dict or one for all has for each."""
  if isinstance(value, Mapping):
    if set(value) <= set(names):
      return [value.get(name) for name in names]
  elif not isinstance(value, (list, tuple)):
    return [value] * len(names)
  elif len(value) == len(names):
    return list(value)
  given = list(value) if isinstance(value, Mapping) else f'{len(value)} of them'
  raise ValueError(
      f'{argument} must fit the outputs {names} of the Keras model, got'
      f' {given}.'
  )


def _labels_per_output(labels, names):
  """Returns the labels of each output; a single one takes all there are."""
  if len(names) == 1:
    leaves = tf.nest.flatten(labels)
    return leaves if len(leaves) == 1 else [labels]
  if not isinstance(labels, (Mapping, list, tuple)):
    raise ValueError(
        f'The Keras model has the outputs {names} and needs labels for each, a'
        f' tuple or a dict, got {labels}.'
    )
  return _per_output(labels, names, 'labels')


@autograph.as_written
def _flat_metrics(metrics, names):
  """Returns an `OrderedDict` from name to the output's index and the metric."""
  is_flat = not isinstance(metrics, Mapping) and not any(
      isinstance(m, (list, tuple)) for m in metrics
  )
  if is_flat and len(names) > 1 and metrics:
    raise ValueError(
        f'The Keras model has the outputs {names}: metrics_fn must return a'
        ' list or dict with one list of metrics for each.'
    )
  by_output = (
      [metrics] if is_flat else _per_output(metrics, names, 'metrics_fn')
  )
  if not isinstance(metrics, Mapping):
    # Layers without a name of the user's get another one in every model.
    names = [f'output_{i}' for i in range(1, len(names) + 1)]
  result = collections.OrderedDict()
  for i, (prefix, output_metrics) in enumerate(zip(names, by_output)):
    for metric in output_metrics or ():
      if not isinstance(metric, tf.keras.metrics.Metric):
        raise TypeError(
            'metrics_fn must return objects of tf.keras.metrics.Metric, got'
            f' {metric!r}.'
        )
      name = metric.name if len(names) == 1 else f'{prefix}_{metric.name}'
      if name in result or name == 'loss':
        raise ValueError(f'Two metrics are called {name!r}.')
      result[name] = i, metric
  return result


@autograph.as_written
def _build_metric(metric, labels_spec, output_spec):
  """Makes the variables of a metric that waits for its first batch."""
  if metric.built and getattr(metric, '_built', True):
    return
  labels, output = (
      tf.nest.map_structure(_zeros, spec) for spec in (labels_spec, output_spec)
  )
  metric.update_state(_aligned(labels, output), output)
  autograph.of_user(metric.reset_state)()


def _default_loss():
  return tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _is_sparse_cross_entropy(losses):
  return len(losses) == 1 and isinstance(
      losses[0], tf.keras.losses.SparseCategoricalCrossentropy
  )


def _default_metrics_fn(losses):
  @autograph.as_written
  def build_metrics():
    if _is_sparse_cross_entropy(losses):
      return [tf.keras.metrics.SparseCategoricalAccuracy(name='accuracy')]
    return []

  return build_metrics


class _FunctionLoss(tf.keras.losses.Loss):
  """The mean of what a function of labels and predictions returns."""

  def __init__(self, fn):
    super().__init__()
    self._fn = fn

  def call(self, y_true, y_pred):
    return self._fn(y_true, y_pred)


def _as_loss(loss):
  """Returns a function of labels, predictions and `sample_weight`, or None."""
  given = loss
  if isinstance(loss, str):
    loss = tf.keras.losses.get(loss)
  if loss is None or isinstance(loss, tf.keras.losses.Loss):
    return loss
  if not callable(loss) or isinstance(loss, type):
    raise TypeError(
        'loss_fn must return objects of tf.keras.losses.Loss, functions or'
        f' names, got {given!r}.'
    )
  if 'sample_weight' in inspect.signature(loss).parameters:
    return loss
  return _FunctionLoss(loss)


def _aligned(labels, output):
  """Returns labels with the last dimension and the precision of an output."""
  if not tf.is_tensor(labels):  # A structure for a loss of the user's.
    return labels
  if labels.dtype.is_floating and output.dtype.is_floating:
    labels = tf.cast(labels, output.dtype)
  # Else the difference of [n] and [n, 1] would be one of [n, n].
  if output.shape[-1] == 1 and labels.shape.rank < output.shape.rank:
    labels = labels[..., tf.newaxis]
  return labels


def _mean_loss(loss, labels, output, sample_weight):
  """Returns the scalar loss of one output."""
  if sample_weight is not None:
    sample_weight = tf.cast(sample_weight, output.dtype)
  if not isinstance(loss, tf.keras.losses.Loss):
    value = autograph.of_user(loss)(
        labels, output, sample_weight=_masked(sample_weight, output)
    )
  elif _mask(output) is None:
    value = loss(labels, output, sample_weight)
  else:
    # Keras divides by the number of entries that are not masked.
    mask = _mask(output)
    is_empty = tf.logical_not(tf.reduce_any(mask))
    output._keras_mask = tf.logical_or(mask, is_empty)
    value = loss(labels, output, sample_weight)
    output._keras_mask = mask
    value = tf.where(is_empty, tf.zeros_like(value), value)
  if value.shape.rank:
    raise ValueError(
        'The loss of a batch must be a scalar, got one of shape'
        f' {value.shape}: a loss must not have the reduction NONE.'
    )
  return value


def _mask(output):
  """Returns the mask that Keras' layers have given an output, or None."""
  return getattr(output, '_keras_mask', None)


def _masked(sample_weight, output):
  """Returns the sample weights, 0 where the output is masked, or None."""
  mask = _mask(output)
  if mask is None:
    return sample_weight
  mask = tf.cast(mask, output.dtype)
  if sample_weight is None:
    return mask
  sample_weight = tf.cast(sample_weight, output.dtype)
  if sample_weight.shape.rank < mask.shape.rank:
    sample_weight = sample_weight[..., tf.newaxis]
  elif sample_weight.shape.rank > mask.shape.rank:
    mask = mask[..., tf.newaxis]
  return sample_weight * mask


def _takes_logits(loss):
  return isinstance(loss, tf.keras.losses.Loss) and loss.get_config().get(
      'from_logits', False
  )


def _is_softmax(layer):
  """Whether a layer, or the last one of a model, ends in a softmax."""
  while isinstance(layer, tf.keras.Model) and layer.layers:
    layer = layer.layers[-1]
  return isinstance(layer, tf.keras.layers.Softmax) or (
      getattr(layer, 'activation', None) is tf.keras.activations.softmax
  )


def _check_dtypes(keras_model, outputs):
  """Raises a `ValueError` if a variable or output of floats is not float32."""
  for v in keras_model.variables:
    if v.dtype.is_floating and v.dtype != tf.float32:  # Python values.
      raise ValueError(
          f'The variables of the Keras model must be float32, got {v.name!r} of'
          f" {v.dtype.name}: give its layer dtype='float32'."
      )
  for name, output in outputs.items():
    dtype = output.dtype
    if dtype.is_floating and dtype != tf.float32:  # Python values.
      raise ValueError(
          f'The output of the Keras model must be float32, got {dtype.name}'
          f' from {name!r}. Under mixed precision end the model with'
          " tf.keras.layers.Activation('linear', dtype='float32')."
      )
