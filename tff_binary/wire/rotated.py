# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Codec of randomly rotated vectors: DRIVE and EDEN."""

import collections
import numbers

import numpy as np
import tensorflow as tf

from tff_binary.ops import norms
from tff_binary.ops import rotation
from tff_binary.ops import seeds
from tff_binary.wire import bit_packing
from tff_binary.wire import codec

# The values to which normal numbers are best rounded (Max, "Quantizing for
# minimum distortion", IRE Transactions on Information Theory, 1960): those above
# zero.
_CENTROIDS = {
    1: [0.79788456],
    2: [0.45278003, 1.51041761],
    3: [0.24509418, 0.75600528, 1.34390928, 2.15194570],
    4: [
        0.12839503, 0.38804830, 0.65675912, 0.94234046, 1.25623120, 1.61804639,
        2.06901723, 2.73258957,
    ],
}  # pyformat: disable


class RotatedCodec(codec.Codec):
  """Lossy: b bits for each entry of the randomly rotated tensor.

  The tensor is cut into blocks of powers of two, see
  `ops.rotation.block_sizes`. Each is rotated at random, every entry is rounded
  to the nearest of the 2^b values that suit a normal distribution of the
  block's mean square, and the server rotates that back and scales it.

  Sources: DRIVE (Vargaftik et al., NeurIPS 2021), which is b = 1, and EDEN
  (Vargaftik et al., ICML 2022), with their code, github.com/amitport/
  EDEN-Distributed-Mean-Estimation, tf/eden.py. That a single rotation by
  Hadamard's matrix takes the place of a uniformly random one is theirs; of a
  block with one entry that outweighs all others it hides these. Blocks in place
  of padding are ours.

  The payload is `codes`, uint8 of shape `[ceil(n b / 8)]`, `scales`, float32
  of shape `[number of blocks]`, and `seed`, int32 of shape `[2]`.
  """

  def __init__(self, bits=1, scale='unbiased'):
    """Initializes the codec.

    Args:
      bits: b, an integer in `[1, 4]`.
      scale: Of the rounded vector q of a rotated vector y: `'unbiased'` for
        `||y||^2 / <y, q>`, with which the result is right on average over the
        rotations, or `'nearest'` for `<y, q> / ||q||^2`, with which it is as
        close as it can be.

    Raises:
      ValueError: If one is none of these.
    """
    if not (isinstance(bits, numbers.Integral) and bits in _CENTROIDS):
      raise ValueError(f'bits must be an integer in [1, 4], got {bits!r}.')
    if scale not in ('unbiased', 'nearest'):
      raise ValueError(
          f"scale must be 'unbiased' or 'nearest', got {scale!r}."
      )
    self._bits = int(bits)
    self._is_unbiased = scale == 'unbiased'  # Python values.
    positive = np.float32(_CENTROIDS[self._bits])
    self._centroids = np.concatenate([-positive[::-1], positive])
    self._limits = (self._centroids[1:] + self._centroids[:-1]) / 2.0
    self.codes = ('codes', self._bits)

  def encode(self, value, seed=None):
    value = tf.reshape(tf.saturate_cast(value, tf.float32), [-1])
    codes, scales = [tf.zeros([0], tf.int32)], []
    for i, block in self._blocks(value):
      # No square overflows or vanishes.
      largest = norms.max_norm(block)
      unit = tf.math.divide_no_nan(block, largest)
      rotated = rotation.rotate(unit, seeds.fold_in(seed, i))
      square = tf.reduce_mean(rotated * rotated)
      normal = tf.math.divide_no_nan(rotated, tf.sqrt(square))
      codes.append(tf.searchsorted(self._limits, normal, side='right'))
      rounded = tf.gather(self._centroids, codes[-1])
      product = tf.reduce_mean(rotated * rounded)
      if self._is_unbiased:
        scale = tf.math.divide_no_nan(square, product)
      else:
        scale = product / tf.reduce_mean(rounded * rounded)
      scales.append(tf.minimum(scale * largest, value.dtype.max))
    return collections.OrderedDict(
        codes=bit_packing.pack_codes(tf.concat(codes, axis=0), self._bits),
        scales=tf.stack(scales) if scales else tf.zeros([0]),
        seed=tf.convert_to_tensor(seed, tf.int32),
    )

  def decode(self, payload, spec, weight=1.0):
    codes = bit_packing.unpack_codes(
        payload['codes'], spec.shape.num_elements(), self._bits
    )
    rounded = tf.gather(self._centroids, codes)
    dtype = codec.wide(spec.dtype)
    entries = [tf.zeros([0], dtype)]
    for i, block in self._blocks(rounded):
      back = rotation.rotate_back(block, seeds.fold_in(payload['seed'], i))
      # A sum of the block's entries may exceed float32.
      scale = tf.cast(payload['scales'][i], tf.float64)
      entries.append(
          tf.saturate_cast(scale * tf.cast(back, tf.float64), dtype)
      )
    weighted = tf.math.multiply_no_nan(
        tf.concat(entries, axis=0), tf.cast(weight, dtype)
    )
    return codec.restored(weighted, spec)

  def _blocks(self, vector):
    """Returns the numbered blocks of a vector."""
    sizes = rotation.block_sizes(vector.shape[0])
    return enumerate(tf.split(vector, sizes) if sizes else ())
