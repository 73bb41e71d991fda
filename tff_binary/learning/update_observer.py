# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What compression does to the updates of real training, on request."""

import collections
from collections.abc import Sequence
from typing import Any, Optional

import tensorflow as tf

from tff_binary import wire
from tff_binary.layers import weight_layer
from tff_binary.ops import norms
from tff_binary.ops import seeds


class UpdateObserver:
  """Compares what a client sends for a tensor to what it has trained.

  Of compressed tensor i, its position among the trainable ones, it measures,
  with x the update in full precision and C(x) what the server gets for it:

  *   `update_error_<i>`: `|C(x) - x|^2 / |x|^2`, in Euclidean norms. Its mean
      over draws is at most the q^2 of the FedBAT paper's assumption 5.
  *   `update_cosine_<i>`: the cosine of the angle between C(x) and x.
  *   `step_size_<i>`: the step size that C(x) is sent with, in units of x, if
      the payload has one.
  *   `<name>_<i>`: what the layer observes itself, such as `flipped_bits`.

  An update of zeros does not count. With error feedback x is the update and
  what is left of those before. With a mask x is the mean of what is drawn. Of
  methods that send no rounded number, but signs of weights or some bits of
  them, only what their layers observe is measured.

  Nothing that trains depends on it. A codec that draws does so once more, since
  the aggregator's draws come later.
  """

  def __init__(self, codec: wire.Codec, is_compressed: Sequence[bool]):
    """Initializes the observer.

    Args:
      codec: The codec of the compressed tensors.
      is_compressed: One bool for each trainable tensor.

    Raises:
      ValueError: If the codec makes one vector of all tensors.
    """
    if codec.is_joint:
      raise ValueError(
          'observe_updates=True is for codecs of single tensors, got'
          f' {type(codec).__name__} for all of them together.'
      )
    # What codes losslessly has nothing to say, and takes its time.
    is_coded = isinstance(codec, wire.EntropyCodec)
    self._codec = codec.inner if is_coded else codec
    self._is_compressed = is_compressed

  @tf.autograph.experimental.do_not_convert
  def observe(
      self,
      layers: Sequence[Optional[weight_layer.WeightLayer]],
      received: Sequence[Any],
      updates: Sequence[Any],
      seed: tf.Tensor,
  ) -> collections.OrderedDict[str, list[tf.Tensor]]:
    """Returns for each measurement its value and count, or two zeros.

    Args:
      layers: For each trainable tensor its layer, after the last step, or None.
      received: For each of them what the client has received.
      updates: For each of them what goes into the codec.
      seed: An int32 tensor of shape `[2]`, for this client and round alone.
    """
    observed = collections.OrderedDict()
    for i, (layer, kernel, update, is_compressed) in enumerate(
        zip(layers, received, updates, self._is_compressed)
    ):
      if not is_compressed:
        continue
      exact = update if layer is None else layer.uncompressed_update(kernel)
      if exact is not None:
        is_update = tf.cast(tf.reduce_any(tf.not_equal(exact, 0.0)), tf.float32)
        for name, value in self._compare(
            exact, update, seeds.fold_in(seed, i)
        ).items():
          observed[f'{name}_{i}'] = [is_update * value, is_update]
      if layer is not None:
        for name, value in layer.observations(kernel).items():
          observed[f'{name}_{i}'] = [value, tf.constant(1.0)]
    return observed

  def _compare(self, exact, update, seed):
    payload = self._codec.encode(update, seed)
    spec = tf.TensorSpec(update.shape, update.dtype)
    sent = self._codec.decode(payload, spec)
    norm, sent_norm = norms.two_norm(exact), norms.two_norm(sent)
    unit = tf.math.divide_no_nan(exact, norm)
    ratio = tf.math.divide_no_nan(norms.two_norm(sent - exact), norm)
    result = collections.OrderedDict(
        update_error=tf.minimum(ratio**2, ratio.dtype.max),
        update_cosine=tf.reduce_sum(
            unit * tf.math.divide_no_nan(sent, sent_norm)
        ),
    )
    if 'step_size' in payload:
      result['step_size'] = tf.reshape(payload['step_size'], [])
    return result
