# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests that a seed gives the same results wherever it is trained."""

from absl.testing import absltest
import numpy as np
import tensorflow as tf

from tests.tff_binary import tiny
from tests.tff_binary.runtime import worker_processes
from tff_binary import algorithms
from tff_binary import learning
from tff_binary import runtime

_IMAGE_SHAPE = (10, 10, 1)


def _build_cnn():
  initializer = tf.keras.initializers.GlorotUniform
  return tf.keras.Sequential([
      tf.keras.Input(_IMAGE_SHAPE),
      tf.keras.layers.Conv2D(8, 3, kernel_initializer=initializer(1)),
      tf.keras.layers.ReLU(),
      tf.keras.layers.MaxPool2D(),
      tf.keras.layers.Conv2D(16, 3, kernel_initializer=initializer(2)),
      tf.keras.layers.ReLU(),
      tf.keras.layers.Flatten(),
      tf.keras.layers.Dense(3, kernel_initializer=initializer(3)),
  ])


def _client(client_id):
  features, labels = tiny.arrays(20, seed=client_id)
  random = np.random.RandomState(client_id)
  images = random.randn(20, *_IMAGE_SHAPE).astype(np.float32)
  images[:, 0, : features.shape[1], 0] += features
  return learning.client_dataset(images, labels, client_id)


def _build(algorithm, build_model, spec):
  return algorithms.get(algorithm).build(
      learning.keras_model_fn(build_model, spec),
      element_spec=spec,
      local_training=learning.LocalTraining(batch_size=5),
      seed=1,
  )


def _trainable(process, state):
  return process.get_model_weights(state).trainable


class ReproducibilityTest(absltest.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.runtimes = [
        runtime.Runtime('local', max_concurrent_clients=1),
        runtime.Runtime('device', in_process=True, clients_per_device=2),
        runtime.Runtime(
            'remote',
            workers=cls.enter_context(worker_processes.cpp_workers(2)),
        ),
    ]

  def test_smooth_model_differs_in_last_bits_at_most(self):
    process = _build('fedavg', tiny.dense_model, tiny.element_spec())
    clients = [tiny.client(20, i) for i in range(3)]
    results = []
    for where in self.runtimes:
      with runtime.execution_context(where):
        state = process.next(process.initialize(), clients).state
        results.append(_trainable(process, state))
    local, device, remote = results
    for a, b, c in zip(local, device, remote):
      np.testing.assert_allclose(b, a, rtol=0, atol=1e-6)
      np.testing.assert_array_equal(c, a)  # The same kind of worker.

  def test_few_uploaded_bits_differ(self):
    process = _build('fedbat', _build_cnn, tiny.element_spec(_IMAGE_SHAPE))
    uploads = []
    for where in self.runtimes:
      with runtime.execution_context(where):
        initial = process.initialize()
        bits = []
        for client_id in range(4):
          # The round of one client moves each weight as its bit says.
          state = process.next(initial, [_client(client_id)]).state
          for new, old in zip(
              _trainable(process, state), _trainable(process, initial)
          ):
            if new.ndim > 1:
              bits.append((new > old).ravel())
        uploads.append(np.concatenate(bits))
    local, device, remote = uploads
    self.assertGreater(local.size, 5000)
    self.assertBetween(np.mean(local), 0.2, 0.8)
    self.assertLessEqual(np.mean(local != device), 1e-3)
    np.testing.assert_array_equal(local, remote)


if __name__ == '__main__':
  absltest.main()
