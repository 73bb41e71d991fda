# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Stores a model of masked random weights as a seed and its masks."""

import collections
import hashlib
import json
import os
from typing import Any, Optional, Union
import zlib

import numpy as np
import tensorflow as tf

from tff_binary.aggregators import messages
from tff_binary.ops import masks
from tff_binary.wire import entropy
from tff_binary.wire import signs

_MAGIC = b'tff_binary masked model 1\n'
_DIGEST_BYTES = 32


def save_masked_model(
    model: tf.keras.Model,
    path: Union[str, os.PathLike[str]],
    *,
    seed: int,
    frozen_weights: str = 'signed_kaiming',
    is_compressed: messages.IsCompressed = messages.is_kernel,
) -> int:
  """Writes a model that FedPM has trained to a file.

  Of each masked kernel the file has the mask alone, in as many bits as it has
  entropy, and of all kernels the seed; all other variables as they are, and the
  architecture as Keras describes it.

  Args:
    model: A model with weights of `get_model_weights`, evaluated with masks of
      zeros and ones, `evaluation='sample'` or `'threshold'`.
    path: The file to write.
    seed: The seed of the process.
    frozen_weights: The process' hyperparameter.
    is_compressed: The process' choice.

  Returns:
    The size of the file in bytes.

  Raises:
    ValueError: If a kernel is not one of masked weights of this seed, or if no
      variable is.
  """
  trainable = {id(v): i for i, v in enumerate(model.trainable_variables)}
  kinds, parts = [], []
  for variable in model.variables:
    index = trainable.get(id(variable))
    if index is None or not is_compressed(
        tf.TensorSpec(variable.shape, variable.dtype, variable.name)
    ):
      kinds.append(None)
      parts.append(_to_bytes(variable))
      continue
    weights = masks.frozen_weights_of_run(
        variable.shape, frozen_weights, seed, index
    )
    is_kept = tf.not_equal(variable, 0.0)
    if not np.array_equal(variable, tf.where(is_kept, weights, 0.0)):
      raise ValueError(
          f'{variable.name} must have the masked weights of seed={seed!r} and'
          f' frozen_weights={frozen_weights!r}, but has others.'
      )
    kinds.append(index)
    payload = _codec(variable.name).encode(tf.where(is_kept, 1.0, -1.0))
    parts.append(payload['bits'].numpy().tobytes())
  if all(kind is None for kind in kinds):
    raise ValueError(
        f'{model.name} must have a masked variable, but is_compressed refused'
        f' {[v.name for v in model.trainable_variables]}.'
    )
  header = zlib.compress(
      json.dumps({
          'architecture': model.to_json(),
          'seed': int(seed),
          'frozen_weights': frozen_weights,
          'masked': kinds,
          'names': [v.name for v in model.variables],
          'sizes': [len(part) for part in parts],
      }).encode(),
      level=9,
  )
  content = b''.join(
      [_MAGIC, len(header).to_bytes(4, 'little'), header, *parts]
  )
  content += hashlib.sha256(content).digest()
  with open(path, 'wb') as file:
    file.write(content)
  return len(content)


def load_masked_model(
    path: Union[str, os.PathLike[str]],
    model: Optional[tf.keras.Model] = None,
    *,
    custom_objects: Optional[dict[str, Any]] = None,
) -> tf.keras.Model:
  """Returns a model that `save_masked_model` has written.

  Args:
    path: The file.
    model: A model of the same architecture to load the weights into; `None` for
      a new one, made from the architecture in the file.
    custom_objects: See `tf.keras.models.model_from_json`.

  Returns:
    The model, whose predictions are those of the one that was written.

  Raises:
    ValueError: If the file is not one of these, is damaged, or has variables of
      other shapes than `model`.
  """
  with open(path, 'rb') as file:
    content = file.read()
  if not content.startswith(_MAGIC):
    raise ValueError(f'{path} is not a file of save_masked_model.')
  content, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
  is_intact = hashlib.sha256(content).digest() == digest  # Python values.
  if not is_intact:
    raise ValueError(f'{path} is damaged: its checksum is wrong.')
  start = len(_MAGIC) + 4
  end = start + int.from_bytes(content[start - 4 : start], 'little')
  header = json.loads(zlib.decompress(content[start:end]))
  original = tf.keras.models.model_from_json(
      header['architecture'], custom_objects
  )
  if model is None:
    model = original
  shapes = [v.shape.as_list() for v in original.variables]
  given = [v.shape.as_list() for v in model.variables]
  if given != shapes:  # Python values.
    raise ValueError(
        f'{path} has a model with variables of the shapes {shapes},'
        f' {model.name} has {given}.'
    )
  for variable, index, name, size in zip(
      model.variables, header['masked'], header['names'], header['sizes']
  ):
    part, end = content[end : end + size], end + size
    if index is None:
      variable.assign(_from_bytes(part, variable))
      continue
    weights = masks.frozen_weights_of_run(
        variable.shape, header['frozen_weights'], header['seed'], index
    )
    payload = collections.OrderedDict(
        bits=tf.constant(np.frombuffer(part, np.uint8))
    )
    mask = _codec(name).decode(payload, variable)
    variable.assign(tf.where(mask > 0.0, weights, 0.0))
  return model


def _codec(name):
  return entropy.EntropyCodec(signs.SignCodec(1.0), name)


def _to_bytes(variable):
  array = np.asarray(variable)
  return array.astype(array.dtype.newbyteorder('<')).tobytes()


def _from_bytes(part, variable):
  dtype = np.dtype(variable.dtype.as_numpy_dtype).newbyteorder('<')
  array = np.frombuffer(part, dtype).reshape(variable.shape)
  return tf.constant(array.astype(variable.dtype.as_numpy_dtype))
