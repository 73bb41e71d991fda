# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Codec of randomly rotated vectors: DRIVE and EDEN."""

import collections
import functools
import math

import numpy as np
import tensorflow as tf

from tff_binary.ops import norms
from tff_binary.ops import rotation
from tff_binary.ops import rounding
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
# The entropy of what normal numbers are rounded to, in bits.
_ENTROPIES = (0.01, 4.0)
# No more than 4e-6 of normal numbers are larger than this: they may be rounded
# further than others.
_LARGEST_NORMAL = 4.5
_NUM_HALVINGS = 60
# How many entries of a block are never rounded to 0.
_SMALLEST_NUMBER = 8
# Rotations of blocks up to this size are not random enough: rounded to the
# nearest value, a block of two is the same after all of them, and the mean of
# blocks of 16 is off by 4 to 8 % of their norm.
_MAX_DRAWN = 16


@functools.lru_cache(None)
def entropy_quantizer(entropy):
  """Returns the multiples of a step to which normal numbers are rounded.

  They have a given entropy, and a smaller error for it than those of
  `_CENTROIDS` for as many bits.

  Args:
    entropy: The entropy of the multiple's number, in bits.

  Returns:
    The limits between the multiples and the means of what is nearest to each of
    them, float64 arrays of shapes `[2 m]` and `[2 m + 1]` in increasing order,
    `2 m + 2` a power of two. The middle one of the means is 0.
  """
  smallest, largest = 0.0, 20.0
  for _ in range(_NUM_HALVINGS):
    step = 0.5 * (smallest + largest)
    limits, shares, means = _positive_multiples(step)
    share_of_zero = 1.0 - 2.0 * np.sum(shares)
    all_shares = np.concatenate([shares, shares, [share_of_zero]])
    if -np.sum(all_shares * np.log2(all_shares)) > entropy:
      smallest = step
    else:
      largest = step
  return _mirrored(limits), _mirrored(means, [0.0])


def _positive_multiples(step):
  """Returns the limits below multiples, their shares and their means."""
  number = 1
  while (number + 0.5) * step < _LARGEST_NORMAL:
    number = 2 * number + 1
  limits = step * (np.arange(number) + 0.5)
  above = np.array([0.5 * math.erfc(x / math.sqrt(2.0)) for x in limits])
  density = np.exp(-0.5 * limits**2) / math.sqrt(2.0 * math.pi)
  shares, moments = (-np.diff(x, append=0.0) for x in (above, density))
  return limits, shares, moments / shares


def _mirrored(positive, middle=()):
  return np.concatenate([-positive[::-1], middle, positive])


class RotatedCodec(codec.Codec):
  """Lossy: b bits for each entry of the randomly rotated tensor.

  The tensor is cut into blocks of powers of two, see
  `ops.rotation.block_sizes`. Each is rotated at random, every entry is rounded
  to one of some values that suit a normal distribution of the block's mean
  square, and the server rotates that back and scales it.

  Sources: DRIVE (Vargaftik et al., NeurIPS 2021), which is b = 1, and EDEN
  (Vargaftik et al., ICML 2022), with their code, github.com/amitport/
  EDEN-Distributed-Mean-Estimation, tf/eden.py and torch/eden.py. That a
  single rotation by Hadamard's matrix takes the place of a uniformly random one is theirs; of a
  block with one entry that outweighs all others it hides these. Blocks in place
  of padding are ours, and that the eight largest entries of a block are never
  rounded to 0, without which small blocks would be lost. Of blocks of up to 16
  entries `'unbiased'` draws which of the two values around an entry it is
  rounded to, for otherwise they would not be right on average.

  The payload is `codes`, uint8 of shape `[ceil(n w / 8)]` for codes of w bits,
  `scales`, float32 of shape `[number of blocks]`, and `seed`, int32 of shape
  `[2]`.
  """

  def __init__(self, bits=1, scale='unbiased', quantizer='max_lloyd'):
    """Initializes the codec.

    Args:
      bits: b, an integer in `[1, 4]`; for the entropy a number in `[0.01, 4]`.
      scale: Of the rounded vector q of a rotated vector y: `'unbiased'` for
        `||y||^2 / <y, q>`, with which the result is right on average over the
        rotations, or `'nearest'` for `<y, q> / ||q||^2`, with which it is as
        close as it can be.
      quantizer: `'max_lloyd'` for the nearest of the 2^b best values (EDEN,
        section 3), in codes of b bits; `'entropy'` for the multiples of a step
        that have b bits of entropy (section 4.3), in codes of 2 to 6 bits,
        which `EntropyCodec` sends in about b.

    Raises:
      ValueError: If one is none of these.
    """
    if scale not in ('unbiased', 'nearest'):
      raise ValueError(
          f"scale must be 'unbiased' or 'nearest', got {scale!r}."
      )
    self._is_unbiased = scale == 'unbiased'  # Python values.
    if quantizer == 'max_lloyd':  # Python values.
      if not (codec.is_integer(bits) and bits in _CENTROIDS):
        raise ValueError(f'bits must be an integer in [1, 4], got {bits!r}.')
      centroids = _mirrored(np.array(_CENTROIDS[bits]))
      limits = (centroids[1:] + centroids[:-1]) / 2.0
    elif quantizer == 'entropy':  # Python values.
      low, high = _ENTROPIES
      if not (codec.is_number(bits) and low <= bits <= high):
        raise ValueError(
            f'bits of entropy must be in [{low}, {high:g}], got {bits!r}.'
        )
      limits, centroids = entropy_quantizer(bits)
    else:
      raise ValueError(
          f"quantizer must be 'max_lloyd' or 'entropy', got {quantizer!r}."
      )
    self._limits, self._centroids = np.float32(limits), np.float32(centroids)
    self.codes = ('codes', (centroids.size - 1).bit_length())

  def encode(self, value, seed=None):
    value = tf.reshape(tf.saturate_cast(value, tf.float32), [-1])
    codes, scales = [tf.zeros([0], tf.int32)], []
    for i, block in self._blocks(value):
      # No square overflows or vanishes.
      largest = norms.max_norm(block)
      unit = tf.math.divide_no_nan(block, largest)
      block_seed = seeds.fold_in(seed, i)
      rotated = rotation.rotate(unit, block_seed)
      if self._is_unbiased and block.shape[0] <= _MAX_DRAWN:
        block_codes, scale = self._draw(rotated, seeds.fold_in(block_seed, 0))
      else:
        block_codes, scale = self._round(rotated)
      codes.append(block_codes)
      scales.append(tf.minimum(scale * largest, value.dtype.max))
    _, bits = self.codes
    return collections.OrderedDict(
        codes=bit_packing.pack_codes(tf.concat(codes, axis=0), bits),
        scales=tf.stack(scales) if scales else tf.zeros([0]),
        seed=tf.convert_to_tensor(seed, tf.int32),
    )

  def _round(self, rotated):
    """Returns the codes of the nearest values, and the scale of these."""
    square = tf.reduce_mean(rotated * rotated)
    normal = tf.math.divide_no_nan(rotated, tf.sqrt(square))
    codes = self._nearest(normal)
    rounded = tf.gather(self._centroids, codes)
    product = tf.reduce_mean(rotated * rounded)
    if self._is_unbiased:
      return codes, tf.math.divide_no_nan(square, product)
    square = tf.reduce_mean(rounded * rounded)
    return codes, tf.math.divide_no_nan(product, square)

  def _draw(self, rotated, seed):
    """Returns the codes of values that are right on average, and a scale."""
    scale = norms.max_norm(rotated) / self._centroids[-1]
    ratio = tf.math.divide_no_nan(rotated, scale)
    noise = seeds.uniform(rotated.shape, seed)
    return rounding.stochastic_index(ratio, self._centroids, noise), scale

  def _nearest(self, normal):
    """Returns the numbers of the centroids that entries are rounded to."""
    codes = tf.searchsorted(self._limits, normal, side='right')
    middle, is_odd = divmod(self._centroids.size, 2)
    if is_odd:  # Python values.
      magnitude = tf.abs(normal)
      number = min(_SMALLEST_NUMBER, normal.shape[0])
      smallest = tf.math.top_k(magnitude, number).values[-1]
      is_lost = tf.logical_and(tf.equal(codes, middle), magnitude >= smallest)
      codes += tf.where(is_lost, tf.cast(tf.sign(normal), tf.int32), 0)
    return codes

  def decode(self, payload, spec, weight=1.0):
    _, bits = self.codes
    codes = bit_packing.unpack_codes(
        payload['codes'], spec.shape.num_elements(), bits
    )
    # A code that is never sent stands for 0, on all devices.
    centroids = tf.pad(
        self._centroids, [[0, 2**bits - self._centroids.size]]
    )
    rounded = tf.gather(centroids, codes)
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
