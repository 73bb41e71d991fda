# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests for the memory of local training in few bits."""

import argparse
import contextlib
import io
from unittest import mock

import tensorflow as tf

from benchmarks import low_precision

_ARGS = argparse.Namespace(
    size=8, filters=8, batch_size=2, num_steps=2, repeats=1, clock='process'
)


def _model():
  return tf.keras.Sequential([
      tf.keras.Input((4, 4, 1)),
      tf.keras.layers.Conv2D(2, 3, padding='same'),
      tf.keras.layers.GroupNormalization(groups=-1),
      tf.keras.layers.ReLU(),
      tf.keras.layers.AveragePooling2D(),
      tf.keras.layers.Flatten(),
      tf.keras.layers.Dense(3),
      tf.keras.layers.Activation('linear'),
  ])


def _printed(function):
  with contextlib.redirect_stdout(io.StringIO()) as output:
    function(_ARGS)
  return output.getvalue().splitlines()


class TrainingBitsTest(tf.test.TestCase):

  def test_float32(self):
    bits = low_precision.training_bits(_model(), 2, 32)
    # Convolution, normalization and dense layer with their vectors.
    num_weights = (18 + 2) + (2 + 2) + (24 + 3)
    # Images, convolution, ReLU, pooling, logits.
    num_activations = 2 * (16 + 32 + 32 + 8 + 3)
    # In front of normalization, or ReLU, and behind it.
    num_errors = 2 * (32 + 32)
    self.assertEqual(
        bits,
        low_precision.TrainingBits(
            weights=32 * num_weights,
            gradients=32 * num_weights,
            activations=32 * num_activations,
            errors=32 * num_errors,
            moments=32 * 2 * num_weights,
        ),
    )
    self.assertEqual(
        bits.total, 32 * (2 * num_weights + num_activations + num_errors)
    )

  def test_8_bits_with_an_exponent_for_each_block(self):
    bits = low_precision.training_bits(_model(), 2, 8)
    # Two 3x3 kernels, 24 entries with one each, and vectors in float32.
    weights = 8 * (18 + 2) + 8 * (24 + 24) + 32 * (2 + 4 + 3)
    # Images in float32; one exponent for each of four tensors.
    activations = 32 * 2 * 16 + 8 * 2 * (32 + 32 + 8 + 3) + 8 * 4
    self.assertEqual(
        bits,
        low_precision.TrainingBits(
            weights=weights,
            gradients=weights,
            activations=activations,
            errors=2 * (8 * 2 * 32 + 8),
            moments=32 * 2 * 51,
        ),
    )

  def test_all_clients_and_all_bases_are_the_whole(self):
    rows = {name: bits for name, bits, _ in low_precision.count_rows(_ARGS)}
    self.assertEqual(rows['FedAvg'], rows['HeteroFL (1)'])
    self.assertLess(
        rows['HeteroFL (1/2)'].weights, rows['HeteroFL (1)'].weights / 2
    )
    self.assertEqual(
        2 * rows['SplitMix (1/2), at a time'].total,
        rows['SplitMix (1), at a time'].total,
    )
    in_turn = rows['SplitMix (1), in turn']
    self.assertEqual(8 * in_turn.gradients, in_turn.weights)
    self.assertLess(rows['LPT, 8 bits'].total, rows['FedAvg'].total / 2)
    with mock.patch.object(
        low_precision,
        'count_rows',
        return_value=[(name, bits, None) for name, bits in rows.items()],
    ):
      lines = _printed(low_precision._print_count)
    self.assertLen(lines, 2 + len(rows))
    self.assertLen({line.count('|') for line in lines}, 1)


class ClientTrainingTest(tf.test.TestCase):

  def test_trains_any_number_of_examples(self):
    train = low_precision._client_training(_ARGS, 32, 'float32', 4)
    for count in (1, 4):
      _, num_examples, _, _ = train(count)
      self.assertEqual(num_examples, count)


if __name__ == '__main__':
  tf.test.main()
