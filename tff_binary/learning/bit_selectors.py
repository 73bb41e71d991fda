# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Which bits FedBiF's clients train in a round: the same ones on all.

A selector is a function from a round number, an int32 scalar counted from 0, to
the numbers of the active bits: int32 of shape `[A]`, each at most once, where
bit i has the value 2**i and -1 leaves a slot empty. Layer and finalizer call it
independently, so it must depend on nothing else.
"""

from collections.abc import Callable

import tensorflow as tf

from tff_binary.ops import seeds

Selector = Callable[[tf.Tensor], tf.Tensor]


def round_robin(num_bits: int, num_active: int) -> Selector:
  """All bits in blocks without overlap, the most significant block first.

  The default of FedBiF's section 3.2. The last block is shorter if `num_active`
  does not divide `num_bits`.

  Args:
    num_bits: The bits of a code, B.
    num_active: The bits of a block, A, in `[1, B]`.

  Returns:
    A selector.
  """
  num_blocks = -(-num_bits // num_active)

  def select(round_num):
    return _block(round_num % num_blocks, num_bits, num_active)

  return select


def fixed(bit: int, num_active: int = 1) -> Selector:
  """The same bits in every round: `bit` and those below it.

  Args:
    bit: The number of the highest of them.
    num_active: How many they are.

  Returns:
    A selector.

  Raises:
    ValueError: If there are fewer than `num_active` bits up to `bit`.
  """
  if not 1 <= num_active <= bit + 1:
    raise ValueError(
        f'num_active must be in [1, {bit + 1}] to end at bit {bit}, got'
        f' {num_active}.'
    )

  def select(round_num):
    del round_num
    return bit - tf.range(num_active)

  return select


def random(num_bits: int, num_active: int, seed: int) -> Selector:
  """`num_active` different bits, drawn uniformly in every round.

  Args:
    num_bits: The bits of a code, B.
    num_active: How many bits are drawn, A.
    seed: The seed of the run.

  Returns:
    A selector.
  """

  def select(round_num):
    order = seeds.shuffle(
        tf.range(num_bits),
        seeds.fold_in([seed, seeds.SELECTOR_DRAWS], round_num),
    )
    return order[:num_active]

  return select


def ruler(num_bits: int, num_active: int) -> Selector:
  """Every block twice as often as the next less significant one.

  The first block in every second round, the second in every fourth, and so on,
  like the marks of a ruler: an idea of this package, after the thought that a
  bit is worth twice the next one.

  Args:
    num_bits: The bits of a code, B.
    num_active: The bits of a block, A, in `[1, B]`.

  Returns:
    A selector.
  """
  num_blocks = -(-num_bits // num_active)

  def select(round_num):
    position = round_num % 2**(num_blocks - 1) + 1
    powers = tf.constant([2**i for i in range(1, num_blocks)], tf.int32)
    # The number of trailing zeros of the position.
    divides = tf.equal(position % powers, 0)
    block = tf.reduce_sum(tf.cast(divides, tf.int32))
    return _block(block, num_bits, num_active)

  return select


def _block(block, num_bits, num_active):
  """Returns the bits of a block, counted from the most significant one."""
  highest = num_bits - 1 - block * num_active
  return tf.maximum(highest - tf.range(num_active), -1)
