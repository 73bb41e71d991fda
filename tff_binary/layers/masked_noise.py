# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""FedMRN's training of a mask for the noise of one kernel."""

import tensorflow as tf

from tff_binary.layers import weight_layer
from tff_binary.ops import masked_noise
from tff_binary.ops import seeds


class MaskedNoise(weight_layer.WeightLayer):
  """Maps w_t to `w_t + G * M(u)` and learns u, from which the mask M is drawn.

  Source: FedMRN (Li et al., ACM MM 2024) and the authors' code,
  github.com/Leopold1423/fedmrn-mm24, model/srn.py and train/trainer.py.

  The noise G is drawn anew for each client and round. In step s of tau, counted
  from 1, an entry is masked with chance `s / tau` and clipped otherwise
  (progressive stochastic masking); without it all entries are masked from the
  first step on. After the last step one mask is drawn for all entries and sent.

  What a client sends is a vector: the masked noise, flattened, and the words
  of its seed, see `wire.MaskedNoiseCodec`.

  Attributes:
    update_variable: The update u, a trainable variable of the kernel's shape.
  """

  def __init__(
      self,
      mask='binary',
      distribution='uniform',
      magnitude=0.01,
      is_progressive=True,
      **kwargs,
  ):
    """Initializes the layer; the values are checked by `FedMRN`.

    Args:
      mask: `'binary'` for values 0 and 1, `'signed'` for -1 and 1.
      distribution: See `ops.masked_noise.draw_noise`.
      magnitude: See `ops.masked_noise.draw_noise`.
      is_progressive: Whether entries are masked progressively.
      **kwargs: Keyword arguments of `tf.keras.layers.Layer`.
    """
    # Update and noise stay in float32 under mixed precision.
    super().__init__(dtype='float32', **kwargs)
    self._is_signed = mask == 'signed'  # Python values.
    self._distribution = distribution
    self._magnitude = magnitude
    self.needs_num_steps = is_progressive

  def build(self, kernel_shape):
    def add(name, shape, dtype='float32', trainable=False):
      return self.add_weight(
          name, shape, dtype, initializer='zeros', trainable=trainable
      )

    self.update_variable = add('update', kernel_shape, trainable=True)
    self._noise = add('noise', kernel_shape)
    self._words = add('words', [masked_noise.NUM_SEED_WORDS])
    self._share = add('share', ())
    super().build(kernel_shape)

  def receive(self, kernel, state, round_num, seed):
    del kernel, state, round_num
    words = masked_noise.seed_words(seed)
    self._words.assign(words)
    self._noise.assign(
        masked_noise.draw_noise(
            self._noise.shape,
            masked_noise.seed_of(words),
            self._distribution,
            self._magnitude,
        )
    )

  def start(self):
    self.update_variable.assign(tf.zeros_like(self.update_variable))

  def advance(self, step, num_steps):
    if not self.needs_num_steps:
      self._share.assign(1.0)
      return
    share = tf.cast(step + 1, tf.float32) / tf.cast(
        tf.maximum(num_steps, 1), tf.float32
    )
    self._share.assign(tf.minimum(share, 1.0))

  def _masked(self, seed, share):
    return masked_noise.progressively_masked(
        self.update_variable,
        self._noise,
        seeds.uniform(self.update_variable.shape, seed),
        share,
        self._is_signed,
    )

  def _message(self, entries, words):
    return tf.concat([tf.reshape(entries, [-1]), words], axis=0)

  def call(self, kernel, seed):
    return kernel + self._masked(seed, self._share)

  def update(self, kernel, seed):
    del kernel  # The update is what the layer owns.
    masked = self._masked(seed, tf.constant(1.0))
    return self._message(masked, self._words)

  def uncompressed_update(self, kernel):
    del kernel
    # As the server gets it: without words.
    return self._message(self.update_variable, tf.zeros_like(self._words))
