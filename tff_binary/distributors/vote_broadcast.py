# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Broadcast of kernels as the votes that have changed them, a bit an entry."""

import collections
import dataclasses

import tensorflow as tf
import tensorflow_federated as tff

from tff_binary.distributors import broadcast
from tff_binary.distributors import model_tensors
from tff_binary.ops import sizes
from tff_binary.wire import packing

_FLOAT32_BYTES = 4
# Older than any version of the server's.
_NO_VERSION = -(2**30)
# One more of 1 bit a parameter would take as much as the kernel.
_MAX_VOTES = 31


def _num_votes(num_params):
  """Returns how many votes take less bytes than a kernel, a Python int."""
  size = packing.num_bytes(num_params)
  return max(num_params * _FLOAT32_BYTES - 1, 0) // max(size, 1)


@dataclasses.dataclass(frozen=True)
class VoteHistory:
  """Keeps the last votes on kernels that `step_size * vote` is added to.

  A vote is +1 or -1 for each entry of a kernel, packed like signs. It is read
  from the kernels before and after the round; what was no vote, for example
  weights that were set, makes all former votes void, and an unchanged model,
  which is what a round without usable clients leaves, is no vote at all.

  Attributes:
    step_size: By how much a vote moves an entry, a positive float.
  """

  step_size: float

  def initialize(self, shapes):
    """Returns the history before the first round.

    Args:
      shapes: The static shapes of the kernels.

    Returns:
      An `OrderedDict` of `version`, an int32 scalar; of `kernels`, the latest
      ones; and of `votes`, for each kernel of n entries uint8 of shape `[v,
      ceil(n / 8)]`, the last one first, where v is 31, or less for a kernel of
      so few entries that less votes take as many bytes as the kernel.
    """
    lengths = [tf.TensorShape(shape).num_elements() for shape in shapes]
    return collections.OrderedDict(
        version=tf.constant(0),
        kernels=[tf.zeros(shape) for shape in shapes],
        votes=[
            tf.zeros([_num_votes(n), packing.num_bytes(n)], tf.uint8)
            for n in lengths
        ],
    )

  def update(self, state, kernels):
    """Returns the history after a round.

    Args:
      state: The history before it.
      kernels: The kernels after it, float32 tensors.

    Returns:
      The new history. Its version is the old one if nothing has changed, one
      more if the kernels have changed by a vote, and otherwise so much larger
      that it is no vote's.
    """
    old = state['kernels']
    positive = [tf.equal(k, o + self.step_size) for k, o in zip(kernels, old)]
    negative = [tf.equal(k, o - self.step_size) for k, o in zip(kernels, old)]
    is_vote = tf.reduce_all([
        tf.reduce_all(tf.logical_or(p, n)) for p, n in zip(positive, negative)
    ])
    is_unchanged = tf.reduce_all(
        [tf.reduce_all(tf.equal(k, o)) for k, o in zip(kernels, old)]
    )
    votes = []
    for p, former in zip(positive, state['votes']):
      latest = packing.pack_signs(tf.reshape(p, [-1]))[tf.newaxis]
      shifted = tf.concat([latest, former], axis=0)[: former.shape[0]]
      votes.append(tf.where(is_unchanged, former, shifted))
    growth = tf.where(is_vote, 1, _MAX_VOTES + 1)
    return collections.OrderedDict(
        version=state['version'] + tf.where(is_unchanged, 0, growth),
        kernels=list(kernels),
        votes=votes,
    )

  def initial_state(self, shape):
    """Returns what a client keeps before its first round.

    Args:
      shape: The kernel's static shape.

    Returns:
      An `OrderedDict` of `copy`, float32 of that shape, and `version`, an int32
      scalar.
    """
    return collections.OrderedDict(
        copy=tf.zeros(shape), version=tf.constant(_NO_VERSION)
    )

  def receive(self, offered, state, seed=None):
    """Returns the kernel, the client's new state and the bytes that it took.

    A client whose copy is not too old takes the votes that it missed, one after
    the other. Any other client takes the kernel.

    Args:
      offered: What `build_vote_broadcast` yields for a kernel.
      state: What the client keeps.
      seed: Unused; nothing is drawn.

    Returns:
      A float32 tensor, a structure like `state`, and an int64 scalar.
    """
    del seed
    kernel, votes = offered['kernel'], offered['steps']
    missed = offered['version'] - state['version']
    takes_votes = tf.logical_and(missed >= 0, missed <= votes.shape[0])
    missed = tf.where(takes_votes, missed, 0)
    # A loop over as many votes as were missed, most often one of all these.
    _, copy = tf.while_loop(
        lambda i, copy: i >= 0,
        lambda i, copy: (i - 1, self.apply(copy, votes[i])),
        (missed - 1, tf.where(takes_votes, state['copy'], kernel)),
    )
    num_bytes = tf.where(
        takes_votes,
        tf.cast(missed, tf.int64) * votes.shape[1],  # A vote is uint8.
        sizes.num_bytes(kernel),
    )
    kept = collections.OrderedDict(copy=copy, version=offered['version'])
    return copy, kept, num_bytes

  def apply(self, kernel, vote):
    """Returns a kernel after a vote.

    Args:
      kernel: A float32 tensor.
      vote: The packed vote, uint8 of shape `[ceil(n / 8)]`.

    Returns:
      A tensor of the kernel's shape, bit by bit what the server has.
    """
    step = packing.unpack_signs(
        vote, kernel.shape.num_elements(), tf.constant(self.step_size)
    )
    return kernel + tf.reshape(step, kernel.shape)


def build_vote_broadcast(
    tensors: model_tensors.ModelTensors,
    history: VoteHistory,
) -> tff.learning.templates.DistributionProcess:
  """Offers kernels together with the last votes that have changed them.

  All other tensors are sent as they are. `VoteHistory.receive` takes the votes
  that a client has missed, or the kernel where these are not less.

  TFF broadcasts one message to all clients, which holds both. What is counted
  is what a server sends that knows the last version of each client, from the
  last round in which it could use this client: the part that the client takes,
  which its weight layers report. The measurements are

  *   `downlink_bytes_per_client`: int64, the other tensors and the version.
  *   `static_downlink_bytes_per_client`: int64, see `build_float32_broadcast`.
  *   `compressed_downlink_bytes_per_client`: int64, zero.

  Args:
    tensors: The model's tensors, of which votes change the compressed ones.
    history: The history of the votes; its state is that of the process.

  Returns:
    A `tff.learning.templates.DistributionProcess`. For a compressed tensor it
    yields an `OrderedDict` of `kernel`, `steps`, the packed votes, and
    `version`.
  """
  weights_type, is_compressed, _ = tensors
  shapes = [t.shape for t, c in zip(weights_type.trainable, is_compressed) if c]

  @tff.tensorflow.computation
  def initialize():
    return history.initialize(shapes)

  @tff.tensorflow.computation(initialize.type_signature.result, weights_type)
  @tf.function
  def pack(state, weights):
    state = history.update(
        state, [x for x, c in zip(weights.trainable, is_compressed) if c]
    )
    votes = iter(state['votes'])
    updated, static = model_tensors.measure_non_trainable(
        tensors, weights.non_trainable
    )
    sent_whole = [state['version']]
    trainable = []
    for tensor, c in zip(weights.trainable, is_compressed):
      if c:
        tensor = collections.OrderedDict(kernel=tensor, steps=next(votes))
      else:
        sent_whole.append(tensor)
      trainable.append(tensor)
    message = tff.learning.models.ModelWeights(trainable, weights.non_trainable)
    return state, (message, state['version']), collections.OrderedDict(
        downlink_bytes_per_client=(
            sizes.num_bytes(sent_whole) + updated
        ),
        static_downlink_bytes_per_client=static,
        compressed_downlink_bytes_per_client=tf.constant(0, tf.int64),
    )

  @tff.tensorflow.computation(pack.type_signature.result[1])
  def unpack(message):
    weights, version = message
    return tff.learning.models.ModelWeights(
        [
            collections.OrderedDict(x, version=version) if c else x
            for x, c in zip(weights.trainable, is_compressed)
        ],
        weights.non_trainable,
    )

  return broadcast.build_encoded_broadcast(pack, unpack, initialize)
