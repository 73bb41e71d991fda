# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""FedBiF's training of some bits of one quantized kernel."""

import collections

import numpy as np
import tensorflow as tf

from tff_binary.layers import weight_layer
from tff_binary.ops import bit_planes
from tff_binary.ops import seeds


class BitFreezing(weight_layer.WeightLayer):
  """Trains the active bits of a kernel's codes and keeps the others.

  Source: Li et al., "FedBiF: Communication-Efficient Federated Learning via
  Bits Freezing", IEEE TPDS 2025 (arXiv 2509.10161), sections 3.1 and 3.2.

  Every active bit is the step function of a real virtual bit, which is what the
  optimizer trains. All frozen bits are summed up once a round. A client sends
  the active bits, as -1 for 0 and +1 for 1.

  At the beginning of a round the virtual bits get the signs that the received
  bits tell. Their magnitudes are either inherited from the client's last round
  (virtual bits inheritance), or drawn anew.

  Where the paper is silent or ambiguous:

  *   Inheritance takes place once a round. Algorithm 1 places it in the loop
      over the epochs, where it would undo the epoch before.
  *   The magnitudes of the paper are those of Kaiming initialization, the
      absolute values of N(0, 2 / fan_in). `'uniform'` draws them from `[0,
      0.001 * 2**i)` for bit i, as in the later code by way of a third party.
  *   The literal derivative of the kernel by virtual bit i is `alpha * 2**i`
      (`'chain'`); that code takes it to be 1 (`'identity'`).

  With `learn_step_size`, which the paper leaves to future work, clients train
  alpha too and send it beside the bits, in float32. Its gradient is that of the
  kernel, the sum over the codes, times `1 / sqrt(n (2**(B - 1) - 1))` for n
  weights, as in Esser et al., "Learned Step Size Quantization", ICLR 2020.

  Attributes:
    virtual_bits: The active virtual bits, a trainable variable of shape `[A,
      *s]` for a kernel of shape `s`.
    step_size: alpha, a trainable scalar if it is learned.
  """

  def __init__(
      self,
      bits,
      active_bits,
      select,
      inherit=True,
      gradient='identity',
      magnitudes='kaiming',
      has_sign_bit=False,
      learn_step_size=False,
      **kwargs,
  ):
    """Initializes the layer; the values are checked by `FedBiF`.

    Args:
      bits: The bits of a code, B.
      active_bits: The bits that are trained in a round, A.
      select: A function from a round number, an int32 scalar, to the numbers of
        the active bits, int32 of shape `[A]`, see `ops.bit_planes`.
      inherit: Whether a client's magnitudes last from round to round.
      gradient: `'identity'` or `'chain'`.
      magnitudes: `'kaiming'` or `'uniform'`, how new magnitudes are drawn.
      has_sign_bit: Whether the most significant bit is a sign.
      learn_step_size: Whether alpha is trained.
      **kwargs: Keyword arguments of `tf.keras.layers.Layer`.
    """
    super().__init__(dtype='float32', **kwargs)
    self._bits = bits
    self._active_bits = active_bits
    self._select = select
    self._inherit = inherit
    self._is_chain = gradient == 'chain'
    self._is_kaiming = magnitudes == 'kaiming'
    self._has_sign_bit = has_sign_bit
    self._learns_step_size = learn_step_size

  def build(self, kernel_shape):
    kernel_shape = tf.TensorShape(kernel_shape)
    active_shape = [self._active_bits] + kernel_shape
    self._kernel_shape = kernel_shape

    def add(name, shape, dtype='float32', trainable=False):
      return self.add_weight(
          name, shape, dtype, initializer='zeros', trainable=trainable
      )

    self.virtual_bits = add('virtual_bits', active_shape, trainable=True)
    self._active = add('active', [self._active_bits], 'int32')
    self._slopes = add('slopes', active_shape)
    self._frozen = add('frozen', kernel_shape)
    if self._learns_step_size:
      self.step_size = add('step_size', (), trainable=True)
    if self._inherit:
      self._magnitudes = add('magnitudes', [self._bits] + kernel_shape)
    super().build(kernel_shape)

  def _draw_magnitudes(self, seed):
    shape = [self._bits] + self._kernel_shape
    if self._is_kaiming:
      # For dense and convolution kernels; the same rule for all others.
      fan_in = self._kernel_shape[:-1].num_elements()
      normal = tf.random.stateless_normal(shape, seed, alg=seeds.ALGORITHM)
      return tf.abs(normal) * np.sqrt(2.0 / max(fan_in, 1)).astype(np.float32)
    scale = 1e-3 * 2.0 ** np.arange(self._bits, dtype=np.float32)
    scale = scale.reshape([-1] + [1] * self._kernel_shape.rank)
    return scale * seeds.uniform(shape, seed)

  def initial_state(self, seed):
    return self._draw_magnitudes(seed) if self._inherit else ()

  def receive(self, kernel, state, round_num, seed):
    active = self._select(round_num)
    self._active.assign(active)
    codes = tf.cast(kernel['codes'], tf.int32)
    frozen, slopes = bit_planes.linear_parts(
        codes, self._bits, kernel['step_size'], active, self._has_sign_bit
    )
    self._frozen.assign(frozen)
    self._slopes.assign(slopes)
    if self._learns_step_size:
      self.step_size.assign(kernel['step_size'])
    if self._inherit:
      self._magnitudes.assign(state)
    magnitudes = state if self._inherit else self._draw_magnitudes(seed)
    planes = tf.maximum(active, 0)  # A slot without a plane has no slope.
    self.virtual_bits.assign(
        bit_planes.inherit(
            tf.gather(magnitudes, planes), bit_planes.select(codes, planes)
        )
    )

  def call(self, kernel, seed):
    del seed  # Nothing is drawn.
    if self._is_chain:
      planes = self._slopes * bit_planes.step(self.virtual_bits)
    else:
      planes = bit_planes.scaled_step(self.virtual_bits, self._slopes)
    effective = self._frozen + tf.reduce_sum(planes, axis=0)
    if not self._learns_step_size:
      return effective
    largest_code = 2 ** (self._bits - 1) - 1
    num_codes = max(self._kernel_shape.num_elements(), 1) * largest_code
    step_size = _scale_gradient(self.step_size, num_codes**-0.5)
    # `frozen` and the slopes are multiples of the step size that was received.
    return effective * tf.math.divide_no_nan(step_size, kernel['step_size'])

  def update(self, kernel, seed):
    del kernel, seed
    signs = 2.0 * bit_planes.step(self.virtual_bits) - 1.0
    shape = [-1] + [1] * self._kernel_shape.rank
    is_used = tf.reshape(self._active >= 0, shape)
    signs = tf.where(is_used, signs, tf.zeros_like(signs))
    if not self._learns_step_size:
      return signs
    return collections.OrderedDict(
        signs=signs, step_size=self.step_size.read_value()
    )

  def observations(self, kernel):
    """Returns the share of the active bits that the round has changed.

    And the step size that the kernel was received with.
    """
    active = self._active.read_value()
    received = bit_planes.select(
        tf.cast(kernel['codes'], tf.int32), tf.maximum(active, 0)
    )
    trained = tf.cast(bit_planes.step(self.virtual_bits), tf.int32)
    shape = [-1] + [1] * self._kernel_shape.rank
    is_flipped = tf.logical_and(
        tf.not_equal(received, trained), tf.reshape(active >= 0, shape)
    )
    num_active = tf.math.count_nonzero(active >= 0, dtype=tf.float32)
    num_bits = num_active * float(self._kernel_shape.num_elements())
    flipped = tf.math.count_nonzero(is_flipped, dtype=tf.float32)
    return collections.OrderedDict(
        flipped_bits=tf.math.divide_no_nan(flipped, num_bits),
        step_size=kernel['step_size'],
    )

  def state(self):
    if not self._inherit:
      return ()
    planes = tf.range(self._bits)[:, tf.newaxis]
    holds = tf.equal(planes, self._active.read_value())  # `[B, A]`.
    slots = tf.argmax(tf.cast(holds, tf.int32), axis=1)
    is_trained = tf.reshape(
        tf.reduce_any(holds, axis=1), [-1] + [1] * self._kernel_shape.rank
    )
    trained = tf.gather(tf.abs(self.virtual_bits), slots)
    return tf.where(is_trained, trained, self._magnitudes)


def _scale_gradient(x, factor):
  """Returns `x`, whose gradient is multiplied by `factor`."""
  return tf.stop_gradient(x * (1.0 - factor)) + x * factor
