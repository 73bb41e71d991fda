# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Where the batches of a client come from: what the local loop trains on.

A client is stored in one element with its id, or it is a dataset of batches as
`tff.learning` takes them. Both know how many steps there are, who draws, and
how to go through the batches; the loop knows neither.
"""

import tensorflow as tf

from tff_binary.ops import autograph
from tff_binary.ops import seeds

DEFAULT_BATCH_SIZE = 64

# What a client draws random numbers for. Runs are resumed by other releases, so
# the numbers stay.
SHUFFLE, FORWARD, UPLOAD, RECEIVE, AUGMENT, REPORT, CHOOSE, OBSERVE = range(8)


@autograph.as_written
def read(data, local_training):
  """Returns the source of a client's batches.

  Args:
    data: A `tf.data.Dataset` of batches, or the element of `client_dataset`.
    local_training: The `LocalTraining`.
  """
  if isinstance(data, tf.data.Dataset):
    return BatchedClient(data, local_training)
  return StoredClient(data, local_training)


class StoredClient:
  """A client in one element: `features`, `labels`, `client_id` and maybe more.

  The client's id decides, with round and run, what it draws. Each epoch goes
  through the examples in an order of its own.
  """

  def __init__(self, element, local_training):
    self._element = element
    self._epochs = local_training.local_epochs
    self._batch_size = local_training.batch_size or DEFAULT_BATCH_SIZE
    self._preprocess_fn = local_training.preprocess_fn or (lambda x: x)
    self._augment_fn = local_training.augment_fn
    self._size = tf.shape(tf.nest.flatten(element['labels'])[0])[0]

  def seed(self, run_seed, round_num):
    """Returns the int32 seed `[2]` of what the client draws in a round."""
    return seeds.fold_in(
        [run_seed, seeds.CLIENT_ROUND_DRAWS],
        round_num,
        self._element['client_id'],
    )

  def identity(self):
    """Returns the client's id, an int32 scalar."""
    return self._element['client_id']

  def num_steps(self):
    """Returns the number of batches in all epochs, an int32 scalar."""
    steps_per_epoch = (self._size + self._batch_size - 1) // self._batch_size
    return self._epochs * steps_per_epoch

  def num_examples(self, num_trained):
    """Returns the client's size, however often it has trained on all of it."""
    del num_trained
    return self._size

  def train(self, step_fn, state, client_seed):
    """Calls `state = step_fn(step, state, batch)` for each batch of all epochs.

    Args:
      step_fn: The function; steps are counted from 0.
      state: The first state.
      client_seed: What `seed` has returned.

    Returns:
      The last state.
    """
    step = tf.constant(0)
    for epoch in tf.range(self._epochs):
      order = seeds.shuffle(
          tf.range(self._size), seeds.fold_in(client_seed, SHUFFLE, epoch)
      )
      for start in tf.range(0, self._size, self._batch_size):
        indices = order[start : start + self._batch_size]
        batch = self._batch(lambda x: tf.gather(x, indices), client_seed, step)
        state = step_fn(step, state, batch)
        step += 1
    return state

  def pass_over(self, fn, state):
    """Calls `state = fn(state, batch)` for each batch of the data as they are.

    Without augmentation and in the order of the data.

    Args:
      fn: The function.
      state: The first state.

    Returns:
      The last state.
    """
    for start in tf.range(0, self._size, self._batch_size):
      end = tf.minimum(start + self._batch_size, self._size)
      state = fn(state, self._batch(lambda x: x[start:end]))
    return state

  def _batch(self, choose, client_seed=None, step=None):
    """Returns the tuple of model inputs, labels and sample weights, if any."""
    chosen = {
        name: tf.nest.map_structure(choose, value)
        for name, value in self._element.items()
        if name != 'client_id'
    }
    features = chosen['features']
    if self._augment_fn is not None and client_seed is not None:
      features = self._augment_fn(
          features, seeds.fold_in(client_seed, AUGMENT, step)
      )
    batch = (self._preprocess_fn(features), chosen['labels'])
    if 'sample_weights' in chosen:
      batch += (chosen['sample_weights'],)
    return batch


class BatchedClient:
  """A client as `tff.learning` takes it: a dataset of batches for the model.

  The dataset is gone through `local_epochs` times, but for at most `num_steps`
  batches. Shuffling and repeating are the user's.

  The first batch decides, with round and run, what the client draws. Clients
  whose first batches are equal draw the same, and their rounding errors do not
  average out; in all else they are apart.
  """

  def __init__(self, dataset, local_training):
    self._dataset = dataset
    self._limit = local_training.num_steps
    self._epochs = local_training.local_epochs
    if self._limit is None:
      _check_is_finite(dataset)
    if self._epochs > 1:
      dataset = dataset.repeat(self._epochs)
    if self._limit is not None:
      dataset = dataset.take(self._limit)
    self._iterator = iter(dataset)
    # Not with an iterator of its own: a user's shuffling may fill its buffer.
    self._first = self._iterator.get_next_as_optional()

  def seed(self, run_seed, round_num):
    seed = [run_seed, seeds.CLIENT_ROUND_DRAWS]
    return seeds.fold_in(self._of_first_batch(seed), round_num)

  def identity(self):
    """Returns a number that follows from the first batch, an int32 scalar."""
    return self._of_first_batch([0, 0])[1]

  def _of_first_batch(self, seed):
    """Returns a seed of the first batch; without one, `seed`."""
    return tf.cond(
        self._first.has_value(),
        lambda: seeds.of_values(seed, tf.nest.flatten(self._first.get_value())),
        lambda: tf.constant(seed),
    )

  def num_steps(self):
    """Returns how many steps there are, at most the limit.

    Batches are counted if the dataset does not know their number; with a limit
    that is taken to be the number.
    """
    known = tf.data.experimental.cardinality(self._dataset)
    if self._limit is not None:
      steps = tf.where(known >= 0, self._epochs * known, self._limit)
      return tf.cast(tf.minimum(steps, self._limit), tf.int32)
    num_batches = tf.cond(
        known >= 0,
        lambda: known,
        lambda: self._dataset.reduce(
            tf.constant(0, tf.int64), lambda count, *unused_batch: count + 1
        ),
    )
    return self._epochs * tf.cast(num_batches, tf.int32)

  def num_examples(self, num_trained):
    """Returns as how many examples the client counts: as in TFF, as trained."""
    return num_trained

  def train(self, step_fn, state, client_seed):
    """See `StoredClient.train`."""
    del client_seed  # The user shuffles.
    step = tf.constant(0)
    batch = self._first
    while batch.has_value():
      state = step_fn(step, state, batch.get_value())
      batch = self._iterator.get_next_as_optional()
      step += 1
    return state

  def pass_over(self, fn, state):
    """See `StoredClient.pass_over`."""
    dataset = self._dataset
    if self._limit is not None:
      dataset = dataset.take(self._limit)
    for batch in iter(dataset):
      state = fn(state, batch)
    return state


def _check_is_finite(dataset):
  tf.debugging.assert_none_equal(
      tf.data.experimental.cardinality(dataset),
      tf.constant(tf.data.experimental.INFINITE_CARDINALITY, tf.int64),
      message=(
          "A client's dataset is infinite, by repeat() without a count: repeat"
          ' it a number of times, or limit the local steps with'
          ' LocalTraining(num_steps=...).'
      ),
  )
