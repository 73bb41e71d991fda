# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""A codec whose codes take as many bits as they have entropy."""

import collections
import copy

import numpy as np
import tensorflow as tf

from tff_binary.wire import bit_packing
from tff_binary.wire import codec
from tff_binary.wire import range_coding

_CHECKSUM_BYTES = 4
# Contexts of one-bit codes with known chances, by that of the rarer bit.
_CHANCE_LIMITS = np.float32([
    0.0005, 0.003, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3,
    0.35, 0.4, 0.45,
])  # pyformat: disable
_MEAN_CHANCES = (
    np.concatenate([[0.0], _CHANCE_LIMITS])
    + np.concatenate([_CHANCE_LIMITS, [0.5]])
) / 2.0


class EntropyCodec(codec.Codec):
  """Sends the codes of another codec in about as many bits as their entropy.

  The payload is the other codec's, but its codes are coded once more, see
  `range_coding`, or stay packed where that is shorter; a checksum stands
  before them. That is at most 4 bytes more than the other codec takes, and for
  codes of one bit about 8 bytes more than their entropy.

  Bytes that are not those that were sent (truncated, changed, of a tensor of
  another name or size, or with other chances) are an `InvalidArgumentError`
  that names the tensor, but for one in 2^32.
  """

  def __init__(self, inner, name='value'):
    """Initializes the codec.

    Args:
      inner: A `Codec` whose payload has one code for each entry of the value,
        see `Codec.codes`.
      name: See `named`.

    Raises:
      TypeError: If `inner` is no codec.
      ValueError: If its payload has no such codes.
    """
    if not isinstance(inner, codec.Codec):
      raise TypeError(f'inner must be a Codec, got {inner!r}.')
    if inner.codes is None:
      raise ValueError(
          'inner must send one code of fixed width for each entry, which'
          f' {type(inner).__name__} does not.'
      )
    self._inner = inner
    self._name = name
    self.is_joint = inner.is_joint
    self.draws = inner.draws

  @property
  def inner(self):
    """The other codec."""
    return self._inner

  def named(self, name):
    other = copy.copy(self)
    other._name = name
    return other

  def encode(self, value, seed=None, chances=None):
    """Returns the payload of `value`; see `Codec`.

    Args:
      value: See `Codec`.
      seed: See `Codec`.
      chances: Where both ends know how likely each entry's bit is a one, say a
        mask's means that the server has sent, these: float32 of `value`'s
        shape, entries in [0, 1], the same bits at both ends. The bits then take
        about their cross-entropy under them, or less where they are wrong.

    Raises:
      ValueError: If there are chances, but codes of more than one bit.
    """
    field, bits = self._inner.codes
    payload = self._inner.encode(value, seed)
    codes = bit_packing.unpack_codes(
        payload[field], value.shape.num_elements(), bits
    )
    flipped, contexts, counts = self._model(bits, chances)
    message = range_coding.encode(_flip(codes, flipped), bits, counts, contexts)
    payload[field] = tf.concat(
        [self._checksum(message, value.shape, chances), message], axis=0
    )
    return payload

  def decode(self, payload, spec, weight=1.0, chances=None, client=None):
    """Returns `weight` times the decoded value; see `Codec`.

    Args:
      payload: See `Codec`.
      spec: See `Codec`.
      weight: See `Codec`.
      chances: As in `encode`.
      client: A number of the sender, for errors, an int scalar or `None`.

    Returns:
      A tensor of `spec`'s shape and dtype.
    """
    field, bits = self._inner.codes
    num_codes = spec.shape.num_elements()
    flipped, contexts, counts = self._model(bits, chances)
    message = self._checked(payload[field], spec.shape, chances, client)
    codes = range_coding.decode(message, num_codes, bits, counts, contexts)
    payload = collections.OrderedDict(payload)
    payload[field] = bit_packing.pack_codes(_flip(codes, flipped), bits)
    return self._inner.decode(payload, spec, weight)

  def num_off_grid(self, value):
    return self._inner.num_off_grid(value)

  def num_params(self, spec):
    return self._inner.num_params(spec)

  def _model(self, bits, chances):
    """Returns which codes are flipped, all contexts, and the counts."""
    if chances is None:
      return None, None, range_coding.counts(1, bits)
    if bits > 1:
      raise ValueError(
          f'chances are for codes of one bit, those of'
          f' {type(self._inner).__name__} have {bits}.'
      )
    # A bit that is likely a one is coded as its opposite.
    chances = tf.reshape(chances, [-1])
    flipped = chances > 0.5
    rarer = tf.where(flipped, 1.0 - chances, chances)
    contexts = tf.searchsorted(_CHANCE_LIMITS, rarer, side='right')
    counts = range_coding.counts(_MEAN_CHANCES.size, bits, _MEAN_CHANCES)
    return flipped, contexts, counts

  def _checksum(self, message, shape, chances):
    text = f'{self._name} {shape}'.encode()
    # A zero ends the text: it is not taken for the message.
    parts = [np.frombuffer(text + b'\0', np.uint8), message]
    if chances is not None:
      parts.insert(0, _fingerprint(chances))
    return _fingerprint(tf.concat(parts, axis=0))[:_CHECKSUM_BYTES]

  def _checked(self, sent, shape, chances, client):
    """Returns the message of what was sent, or fails."""
    message = sent[_CHECKSUM_BYTES:]
    # What is missing counts as zeros.
    checksum = tf.pad(sent, [[0, _CHECKSUM_BYTES]])[:_CHECKSUM_BYTES]
    is_intact = tf.reduce_all(
        tf.equal(checksum, self._checksum(message, shape, chances))
    )
    check = tf.debugging.Assert(
        is_intact,
        [
            f'The payload of tensor {self._name} of shape {tuple(shape)} is not'
            ' what was encoded for it: its checksum is wrong. Bytes:',
            tf.size(sent),
        ]
        + ([] if client is None else ['Client:', client]),
    )
    with tf.control_dependencies([check]):
      return tf.identity(message)


def _flip(codes, flipped):
  return codes if flipped is None else tf.where(flipped, 1 - codes, codes)


def _fingerprint(x):
  return tf.fingerprint(tf.reshape(x, [1, -1]))[0]
