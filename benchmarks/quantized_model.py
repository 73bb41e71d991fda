# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Zeros and accuracy of a finished model whose kernels are quantized.

  python -m benchmarks.quantized_model runs/fedavg runs/fedbif --task=fmnist

The control for FedBiF's sparsity: stochastic rounding to a few bits makes zeros
of any model's small weights. The kernels of each run's final model are
quantized as FedBiF's server does it before a broadcast (equations 1, 2 and 5),
with several seeds, and the model is evaluated. 32 bits is the model as it is.
"""

import argparse
import json
import os

import numpy as np
import tensorflow as tf

import tasks
from tff_binary import distributors
from tff_binary.programs import evaluation


def _load(folder):
  with open(os.path.join(folder, 'result.json')) as file:
    name = json.load(file)['model']
  return tf.keras.models.load_model(os.path.join(folder, name), compile=False)


def _quantize(kernels, bits, seed):
  """Quantizes kernels in place."""
  quantizer = distributors.KernelQuantizer(bits, seed)
  for i, kernel in enumerate(kernels):
    quantized = quantizer.quantize(kernel.read_value(), 0, i)
    kernel.assign(quantizer.dequantize(quantized))


def _share_of_zeros(kernels):
  return np.mean(np.concatenate([k.numpy().ravel() for k in kernels]) == 0.0)


def main():
  parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
  parser.add_argument('runs', nargs='+', help='folders of finished runs')
  parser.add_argument('--task', default='fmnist', choices=tasks.names())
  parser.add_argument('--data_dir', help='see launchers.train')
  parser.add_argument('--bits', type=int, nargs='+', default=[2, 3, 4, 8, 32])
  parser.add_argument('--seeds', type=int, default=3, help='draws of each')
  args = parser.parse_args()

  task = tasks.load(args.task, data_dir=args.data_dir)
  print('| run | bits | zeros | accuracy (deviation) |\n|---|---|---|---|')
  for folder in args.runs:
    model = _load(folder)
    weights = model.get_weights()
    kernels = [v for v in model.trainable_variables if v.shape.rank >= 2]
    evaluate = evaluation.build_evaluation(
        model,
        (task.test_features, task.test_labels),
        preprocess_fn=task.preprocess_test,
    )
    for bits in args.bits:
      zeros, accuracies = [], []
      for seed in range(args.seeds if bits < 32 else 1):
        model.set_weights(weights)
        if bits < 32:
          _quantize(kernels, bits, seed)
        zeros.append(_share_of_zeros(kernels))
        accuracies.append(evaluate()['test_accuracy'])
      print(
          f'| {os.path.basename(os.path.normpath(folder))} | {bits} |'
          f' {np.mean(zeros):.3f} | {100 * np.mean(accuracies):.2f}'
          f' ({100 * np.std(accuracies):.2f}) |',
          flush=True,
      )


if __name__ == '__main__':
  main()
