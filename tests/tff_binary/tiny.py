# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tiny models, clients and processes, for tests of whole rounds."""

import collections
import contextlib
from unittest import mock

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import learning
from tff_binary.learning import local_training

NUM_FEATURES = 6
NUM_CLASSES = 3


def element_spec(features_shape=(NUM_FEATURES,), features_dtype=tf.float32):
  return collections.OrderedDict(
      features=tf.TensorSpec((None, *features_shape), features_dtype),
      labels=tf.TensorSpec((None,), tf.int32),
      client_id=tf.TensorSpec((), tf.int32),
  )


def dense_model():
  """Kernels of 30 and 15 entries, the same ones at every call."""
  return tf.keras.Sequential([
      tf.keras.Input((NUM_FEATURES,)),
      _dense(5, seed=1),
      tf.keras.layers.Activation('tanh'),
      _dense(NUM_CLASSES, seed=2),
  ])


def batch_norm_model():
  """`dense_model` with batch normalization."""
  return tf.keras.Sequential([
      tf.keras.Input((NUM_FEATURES,)),
      _dense(5, seed=1, use_bias=False),
      tf.keras.layers.BatchNormalization(momentum=0.9),
      tf.keras.layers.Activation('tanh'),
      _dense(NUM_CLASSES, seed=2),
  ])


def _dense(units, seed, **kwargs):
  initializer = tf.keras.initializers.GlorotUniform(seed)
  return tf.keras.layers.Dense(
      units, kernel_initializer=initializer, **kwargs
  )


def arrays(num_examples, seed=0):
  """Random features, and labels that can be learned from them."""
  random = np.random.RandomState(seed)
  features = random.randn(num_examples, NUM_FEATURES).astype(np.float32)
  return features, np.argmax(features[:, :NUM_CLASSES], 1).astype(np.int32)


def client(num_examples, client_id=0, num_nan=0):
  """A client's data set, with NaN in the features of its last examples."""
  features, labels = arrays(num_examples, seed=client_id)
  features[num_examples - num_nan :] = np.nan
  return learning.client_dataset(features, labels, client_id)


@contextlib.contextmanager
def aggregated_types():
  """Yields a list of the types of all that enters `tff.federated_aggregate`.

  Only aggregations that are built inside the block are seen.
  """
  types = []
  federated_aggregate = tff.federated_aggregate

  def spy(value, *args, **kwargs):
    types.append(value.type_signature.member)
    return federated_aggregate(value, *args, **kwargs)

  with mock.patch.object(tff, 'federated_aggregate', spy):
    yield types


def _tensor_specs(member_type):
  return tf.nest.flatten(
      tff.types.type_to_tf_tensor_specs(member_type), expand_composites=True
  )


def has_static_size(member_type):
  """Whether all tensors of a type have static shapes."""
  return all(s.shape.is_fully_defined() for s in _tensor_specs(member_type))


def num_bytes(member_type):
  """Returns the bytes of a value of a type of tensors of static shape."""
  return sum(
      spec.shape.num_elements() * spec.dtype.size
      for spec in _tensor_specs(member_type)
  )


def is_on_grid(update):
  """Whether all entries are plus or minus one and the same number."""
  return np.unique(np.abs(update)).size <= 1


class EagerClient:
  """What a client does in a round, called like a Python function.

  Attributes:
    weights: The server's weights, `ModelWeights` of NumPy arrays.
    compressed: One bool for each trainable tensor.
  """

  def __init__(
      self,
      build_model=dense_model,
      spec=None,
      build_weight_layer=None,
      seed=0,
      model_fn_kwargs=(),
      reported_loss=None,
      **kwargs,
  ):
    """Initializes the client.

    Args:
      build_model: Returns the Keras model.
      spec: The spec of the client's data.
      build_weight_layer: Returns the layer of one kernel; `None` for FedAvg.
      seed: The seed of the run.
      model_fn_kwargs: Keyword arguments of `keras_model_fn`.
      reported_loss: See `build_client_update`.
      **kwargs: Keyword arguments of `LocalTraining`.
    """
    spec = spec or element_spec()
    model_fn_kwargs = dict(model_fn_kwargs)
    model = learning.keras_model_fn(build_model, spec, **model_fn_kwargs)()
    weights = tff.learning.models.ModelWeights.from_model(model)
    self.weights = tf.nest.map_structure(lambda v: v.numpy(), weights)
    self.compressed = [v.shape.rank >= 2 for v in model.trainable_variables]
    with_layer = [
        c and build_weight_layer is not None for c in self.compressed
    ]
    # Traced once for clients of any size.
    self._client_update = local_training.build_client_update(
        model,
        [build_weight_layer() if w else None for w in with_layer],
        learning.LocalTraining(**kwargs),
        seed,
        reported_loss,
    ).get_concrete_function(
        tf.TensorSpec((), tf.int32),
        tf.nest.map_structure(
            lambda x: tf.TensorSpec(x.shape, x.dtype), self.weights
        ),
        spec,
        (),
    )

  def train(self, dataset, round_num=0):
    """Returns the client's update, weight and metrics as NumPy arrays."""
    outputs = self._client_update(
        tf.constant(round_num),
        tf.nest.map_structure(tf.constant, self.weights),
        dataset.get_single_element(),
        (),
    )[:3]
    return tf.nest.map_structure(lambda x: x.numpy(), outputs)

  def kernel_updates(self, *args, **kwargs):
    """Returns the updates of the compressed tensors."""
    update, _, _ = self.train(*args, **kwargs)
    return [u for u, c in zip(update['trainable'], self.compressed) if c]
