# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Codecs of sign methods: one bit an entry, whatever the update."""

import collections

import tensorflow as tf

from tff_binary.ops import norms
from tff_binary.ops import seeds
from tff_binary.ops import signs
from tff_binary.wire import codec
from tff_binary.wire import packing


_POSITIVE = f'a number in (0, {tf.float32.max:.6g}]'


def _is_positive(value):
  return codec.is_number(value) and 0.0 < value <= tf.float32.max


class SignCodec(codec.Codec):
  """Lossy: the sign of every entry times one step size; `sign(0)` is +1.

  The step size is either the same for all clients, rounds and tensors (SignSGD
  as in the FedBAT paper, section 1 and appendix A.2), and then not sent, or the
  mean absolute entry of the tensor, which minimizes the squared error
  (EF-SignSGD, Karimireddy et al. 2019). The payload is `bits`, uint8 of shape
  `[ceil(n / 8)]`, and in the second case `step_size`, one float32.
  """

  draws = False
  codes = ('bits', 1)

  def __init__(self, step_size='mean'):
    """Initializes the codec.

    Args:
      step_size: `'mean'`, or a positive float.

    Raises:
      ValueError: If `step_size` is neither.
    """
    self._sends_step_size = isinstance(step_size, str) and step_size == 'mean'
    if not (self._sends_step_size or _is_positive(step_size)):
      raise ValueError(
          f"step_size must be 'mean' or {_POSITIVE}, got {step_size!r}."
      )
    self._step_size = step_size

  def _sign_is_positive(self, value, seed):
    """Returns which signs are +1, a bool tensor of `value`'s shape."""
    del seed  # Nothing is drawn here.
    return value >= 0.0  # -0.0 >= 0 holds.

  def encode(self, value, seed=None):
    value = tf.saturate_cast(value, tf.float32)
    positive = self._sign_is_positive(value, seed)
    payload = collections.OrderedDict(
        bits=packing.pack_signs(tf.reshape(positive, [-1]))
    )
    if self._sends_step_size:
      payload['step_size'] = norms.mean_magnitude(value)
    return payload

  def decode(self, payload, spec, weight=1.0):
    step_size = payload.get('step_size', self._step_size)
    step_size = tf.cast(step_size, codec.wide(spec.dtype))
    entries = packing.unpack_signs(
        payload['bits'],
        spec.shape.num_elements(),
        codec.weighted(step_size, weight, spec.dtype),
    )
    return codec.restored(entries, spec)


class NoisySignCodec(SignCodec):
  """Lossy: `step_size * sign(x + sigma * noise)`.

  Source: Noisy-SignSGD as in the FedBAT paper (Gaussian noise, z = 1) and its
  generalization z-SignFedAvg (Tang et al., arXiv 2302.02589).
  """

  draws = True

  def __init__(self, step_size, sigma, z=1.0):
    """Initializes the codec.

    Args:
      step_size: A positive float; `ops.signs.z_noise_step_size(sigma, z)` makes
        the result unbiased.
      sigma: The scale of the noise, a positive float.
      z: The distribution of the noise, a float >= 1: see `ops.signs.z_noise`.

    Raises:
      ValueError: If a value is outside its range.
    """
    for name, value in (('step_size', step_size), ('sigma', sigma)):
      if not _is_positive(value):
        raise ValueError(f'{name} must be {_POSITIVE}, got {value!r}.')
    if not (codec.is_number(z) and z >= 1.0):
      raise ValueError(f'z must be a number >= 1, got {z!r}.')
    super().__init__(step_size)
    self._sigma = sigma
    self._z = float(z)

  def _sign_is_positive(self, value, seed):
    noise = signs.z_noise(value.shape, self._z, seed)
    return value + self._sigma * noise >= 0.0


class StochasticSignCodec(SignCodec):
  """Lossy: signs drawn with chance `1/2 + x / (2 bound)` of being +1.

  Source: Stoc-SignSGD (Safaryan and Richtárik, ICML 2021), whose bound is the
  2-norm of the update (FedBAT paper, section 1); the FedBAT paper takes its max
  norm (appendix A.2), since with the 2-norm either sign is about as likely. The
  bound is taken tensor by tensor (our choice, the papers do not say) and not
  sent: the result is unbiased up to the factor `step_size / bound`.
  """

  draws = True

  def __init__(self, step_size, bound='max_norm'):
    """Initializes the codec.

    Args:
      step_size: A positive float.
      bound: `'max_norm'` or `'2_norm'`.

    Raises:
      ValueError: If a value is outside its range.
    """
    if not _is_positive(step_size):
      raise ValueError(f'step_size must be {_POSITIVE}, got {step_size!r}.')
    if bound not in ('max_norm', '2_norm'):
      raise ValueError(f"bound must be 'max_norm' or '2_norm', got {bound!r}.")
    super().__init__(step_size)
    self._norm = norms.max_norm if bound == 'max_norm' else norms.two_norm

  def _sign_is_positive(self, value, seed):
    noise = seeds.uniform(value.shape, seed)
    return signs.stochastic_sign(value, self._norm(value), noise)
