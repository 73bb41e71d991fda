# Copyright 2026 The tff_binary Authors.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Keras models of the tasks."""

import numpy as np
import tensorflow as tf

from tasks import checks

# 'paper': N(0, 0.01^2), as in FedBAT's experiments. 'kaiming': N(0, 2 / fan_in)
# without truncation (He et al., "Delving Deep into Rectifiers", 2015).
KERNEL_INITIALIZERS = ('paper', 'kaiming')


def _kernel_initializer(name, seed):
  if name == 'paper':
    return tf.keras.initializers.RandomNormal(stddev=0.01, seed=seed)
  # HeNormal would truncate the distribution at two standard deviations.
  return tf.keras.initializers.VarianceScaling(
      scale=2.0, mode='fan_in', distribution='untruncated_normal', seed=seed
  )


def fedbat_cnn(
    input_shape=(28, 28, 1),
    num_classes=10,
    *,
    filters=(32, 64, 128, 256),
    kernel_initializer='paper',
    seed=None,
):
  """Builds the CNN of the FedBAT paper, without any biases.

  Blocks of a 3x3 convolution, batch normalization, ReLU and 2x2 max pooling,
  then one dense layer. With the default arguments (Fashion-MNIST) it has
  389,920 kernel weights and 960 batch normalization weights; with inputs of
  shape `[32, 32, 3]` (SVHN) it has 398,176 kernel weights.

  Source: Li et al., "FedBAT: Communication-Efficient Federated Learning via
  Learnable Binarization", ICML 2024, section 5.1 and the authors' code.

  Args:
    input_shape: The shape of one example, height, width and channels.
    num_classes: The number of classes.
    filters: The filters of each block. Every block halves height and width,
      rounding down.
    kernel_initializer: One of `KERNEL_INITIALIZERS`.
    seed: The seed of the initial weights, an int in `[0, 2**32)`. If None, they
      follow `tf.keras.utils.set_random_seed`.

  Returns:
    An uncompiled `tf.keras.Model` from float `[batch, *input_shape]` to float32
    logits `[batch, num_classes]`.

  Raises:
    ValueError: If `kernel_initializer` is not allowed.
  """
  checks.check_choice(
      'kernel_initializer', kernel_initializer, KERNEL_INITIALIZERS
  )
  # One seed for each kernel: with a shared one the kernels would repeat each
  # other's values.
  seeds = [None] * (len(filters) + 1)
  if seed is not None:
    random = np.random.RandomState(seed)
    seeds = random.randint(2**31 - 1, size=len(seeds)).tolist()
  model = tf.keras.Sequential([tf.keras.Input(input_shape)])
  for block, num_filters in enumerate(filters):
    model.add(
        tf.keras.layers.Conv2D(
            num_filters,
            3,
            padding='same',
            use_bias=False,
            kernel_initializer=_kernel_initializer(
                kernel_initializer, seeds[block]
            ),
        )
    )
    # PyTorch's defaults, under which the paper's results were obtained.
    model.add(tf.keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5))
    model.add(tf.keras.layers.ReLU())
    model.add(tf.keras.layers.MaxPool2D())
  model.add(tf.keras.layers.Flatten())
  model.add(
      tf.keras.layers.Dense(
          num_classes,
          use_bias=False,
          kernel_initializer=_kernel_initializer(kernel_initializer, seeds[-1]),
      )
  )
  # The softmax of the loss needs float32 under any global policy.
  model.add(tf.keras.layers.Activation('linear', dtype='float32'))
  return model
