# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Makes a `model_fn` for TFF from a function that builds a Keras model."""

import collections
import contextlib
from collections.abc import Callable
from typing import Optional
import warnings

import tensorflow as tf
import tensorflow_federated as tff

COMPUTE_DTYPES = ('float32', 'bfloat16')


def keras_model_fn(
    build_keras_model: Callable[[], tf.keras.Model],
    element_spec: collections.OrderedDict[str, tf.TensorSpec],
    *,
    preprocess_fn: Optional[Callable[[tf.Tensor], tf.Tensor]] = None,
    loss_fn: Optional[Callable[[], tf.keras.losses.Loss]] = None,
    metrics_fn: Optional[Callable[[], list[tf.keras.metrics.Metric]]] = None,
    compute_dtype: str = 'float32',
) -> Callable[[], tff.learning.models.VariableModel]:
  """Returns the no-arg `model_fn` that the process builders take.

  Args:
    build_keras_model: A no-arg function that returns a new, uncompiled Keras
      model. Any model works: Sequential, functional, subclassed, nested.
    element_spec: The spec of a client's data, `ClientStore.element_spec`.
    preprocess_fn: What `LocalTraining.preprocess_fn` does to a batch of
      features before it enters the model; `None` if nothing.
    loss_fn: Returns the loss; by default sparse categorical cross-entropy of
      logits.
    metrics_fn: Returns the training metrics; by default `accuracy` of class
      logits. `loss` and `num_examples` are always there.
    compute_dtype: `'float32'`, or `'bfloat16'` for Keras mixed precision:
      layers compute in bfloat16, variables, loss and all that is aggregated
      stay float32.

  Returns:
    A function that returns a `tff.learning.models.VariableModel`.

  Raises:
    ValueError: If `compute_dtype` is neither; and from the returned function if
      the model's output is not float32.
  """
  if loss_fn is None:
    loss_fn = lambda: tf.keras.losses.SparseCategoricalCrossentropy(
        from_logits=True
    )
  if metrics_fn is None:
    metrics_fn = lambda: [
        tf.keras.metrics.SparseCategoricalAccuracy(name='accuracy')
    ]
  features = element_spec['features']
  if preprocess_fn is not None:
    with tf.Graph().as_default():
      features = preprocess_fn(
          tf.compat.v1.placeholder(features.dtype, features.shape)
      )
  input_spec = (
      tf.TensorSpec([None] + features.shape[1:], features.dtype),
      tf.TensorSpec(element_spec['labels'].shape, element_spec['labels'].dtype),
  )

  def model_fn():
    with keras_compute_dtype(compute_dtype):
      keras_model = build_keras_model()
      output = keras_model(tf.zeros([1] + features.shape[1:], features.dtype))
    if output.dtype != tf.float32:  # Python values.
      raise ValueError(
          f'The output of the Keras model must be float32, got'
          f' {output.dtype.name}. Under mixed precision end the model with'
          " tf.keras.layers.Activation('linear', dtype='float32')."
      )
    with warnings.catch_warnings():
      # True of TFF's own processes; ours aggregate the moving statistics.
      warnings.filterwarnings('ignore', message='Batch Normalization contains')
      model = tff.learning.models.from_keras_model(
          keras_model,
          loss=loss_fn(),
          input_spec=input_spec,
          metrics=metrics_fn(),
      )
    model.keras_model = keras_model
    return model

  _check_compute_dtype(compute_dtype)
  return model_fn


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
  _check_compute_dtype(compute_dtype)
  previous = tf.keras.mixed_precision.global_policy()
  if compute_dtype == 'bfloat16':
    tf.keras.mixed_precision.set_global_policy('mixed_bfloat16')
  try:
    yield
  finally:
    tf.keras.mixed_precision.set_global_policy(previous)


def _check_compute_dtype(compute_dtype):
  if compute_dtype not in COMPUTE_DTYPES:
    raise ValueError(
        f'compute_dtype must be one of {COMPUTE_DTYPES}, got {compute_dtype!r}.'
    )
