# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Keras models of the tasks."""

import functools

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


def _kernel_initializers(name, seed, count):
  """Returns one initializer for each of `count` kernels.

  Each has a seed of its own: with a shared one the kernels would repeat each
  other's values.

  Args:
    name: One of `KERNEL_INITIALIZERS`.
    seed: The seed of the initial weights, or None.
    count: The number of kernels.

  Returns:
    A list of initializers.

  Raises:
    ValueError: If `name` is not allowed.
  """
  checks.check_choice('kernel_initializer', name, KERNEL_INITIALIZERS)
  seeds = [None] * count
  if seed is not None:
    random = np.random.RandomState(seed)
    seeds = random.randint(2**31 - 1, size=count).tolist()
  return [_kernel_initializer(name, seed) for seed in seeds]


def _convolution(filters, kernel_initializer, **options):
  return tf.keras.layers.Conv2D(
      filters,
      3,
      padding='same',
      kernel_initializer=kernel_initializer,
      **options,
  )


def _batch_norm():
  # PyTorch's defaults, under which the papers' results were obtained.
  return tf.keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)


def _instance_norm():
  """Normalizes each channel of each example, with PyTorch's epsilon."""
  return tf.keras.layers.GroupNormalization(groups=-1, epsilon=1e-5)


def _float32_output():
  # The softmax of the loss needs float32 under any global policy.
  return tf.keras.layers.Activation('linear', dtype='float32')


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
  initializers = _kernel_initializers(
      kernel_initializer, seed, len(filters) + 1
  )
  model = tf.keras.Sequential([tf.keras.Input(input_shape)])
  for block, num_filters in enumerate(filters):
    model.add(_convolution(num_filters, initializers[block], use_bias=False))
    model.add(_batch_norm())
    model.add(tf.keras.layers.ReLU())
    model.add(tf.keras.layers.MaxPool2D())
  model.add(tf.keras.layers.Flatten())
  model.add(
      tf.keras.layers.Dense(
          num_classes,
          use_bias=False,
          kernel_initializer=initializers[-1],
      )
  )
  model.add(_float32_output())
  return model


def convnet(
    input_shape=(28, 28, 1),
    num_classes=10,
    *,
    filters=(128, 128, 128),
    kernel_initializer='kaiming',
    seed=None,
):
  """Builds the ConvNet of the LPT paper, with instance normalization.

  Blocks of a 3x3 convolution with biases, instance normalization, ReLU and 2x2
  average pooling, then one dense layer with biases. The first convolution of
  images of one channel pads by 3, which makes 32x32 pixels of 28x28. With the
  default arguments (Fashion-MNIST) it has 317,706 trainable weights, with
  inputs of shape `[32, 32, 3]` (CIFAR-10) 320,010.

  Source: Li et al., "Low Precision Local Training is Enough for Federated
  Learning", NeurIPS 2024, the authors' code, models.py.

  Args:
    input_shape: The shape of one example, height, width and channels.
    num_classes: The number of classes.
    filters: The filters of each block. Every block halves height and width,
      rounding down.
    kernel_initializer: One of `KERNEL_INITIALIZERS`. The authors' code has
      PyTorch's default, uniform with a sixth of kaiming's variance.
    seed: The seed of the initial weights, an int in `[0, 2**32)`. If None, they
      follow `tf.keras.utils.set_random_seed`.

  Returns:
    An uncompiled `tf.keras.Model` from float `[batch, *input_shape]` to float32
    logits `[batch, num_classes]`.

  Raises:
    ValueError: If `kernel_initializer` is not allowed.
  """
  initializers = _kernel_initializers(
      kernel_initializer, seed, len(filters) + 1
  )
  model = tf.keras.Sequential([tf.keras.Input(input_shape)])
  for block, num_filters in enumerate(filters):
    if block == 0 and input_shape[-1] == 1:
      model.add(tf.keras.layers.ZeroPadding2D(2))
    model.add(_convolution(num_filters, initializers[block]))
    model.add(_instance_norm())
    model.add(tf.keras.layers.ReLU())
    model.add(tf.keras.layers.AveragePooling2D())
  model.add(tf.keras.layers.Flatten())
  model.add(
      tf.keras.layers.Dense(num_classes, kernel_initializer=initializers[-1])
  )
  model.add(_float32_output())
  return model


_RESNET_FILTERS = (64, 128, 256, 512)
_RESNET_BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


def resnet(
    depth,
    input_shape=(32, 32, 3),
    num_classes=10,
    *,
    filters=_RESNET_FILTERS,
    use_bias=True,
    kernel_initializer='kaiming',
    seed=None,
):
  """Builds ResNet-10, ResNet-18 or ResNet-34 for images of 32x32 pixels.

  A 3x3 convolution of stride 1 without pooling, four stages of basic blocks,
  global average pooling and a dense layer. ResNet-18 with 10 classes has
  11,164,352 kernel weights, ResNet-34 with 100 classes 21,311,168.

  FedBAT trains ResNet-10 without biases. With the filters of its Table 4, 32 to
  256, it has 1,226,080 kernel weights for 10 classes; with those of the code,
  64 to 512, 4,897,472.

  Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016,
  with the shortcuts of option B; the widths of ResNet-18 and ResNet-34 from the
  traffic in FedBiF's table.

  Args:
    depth: 10, 18 or 34.
    input_shape: The shape of one example, height, width and channels.
    num_classes: The number of classes.
    filters: The filters of each stage.
    use_bias: Whether the dense layer has biases.
    kernel_initializer: One of `KERNEL_INITIALIZERS`.
    seed: The seed of the initial weights, an int in `[0, 2**32)`. If None, they
      follow `tf.keras.utils.set_random_seed`.

  Returns:
    An uncompiled `tf.keras.Model` from float `[batch, *input_shape]` to float32
    logits `[batch, num_classes]`.

  Raises:
    ValueError: If `depth` or `kernel_initializer` is not allowed.
  """
  if depth not in _RESNET_BLOCKS:
    raise ValueError(f'depth must be 10, 18 or 34, got {depth!r}')
  # Stem and dense layer, two convolutions in each block and three shortcuts.
  blocks = _RESNET_BLOCKS[depth]
  initializers = iter(
      _kernel_initializers(kernel_initializer, seed, 2 + 2 * sum(blocks) + 3)
  )

  def convolution(x, num_filters, size, stride=1):
    # Keras' padding 'same' is one-sided at stride 2.
    if size > 1:
      x = tf.keras.layers.ZeroPadding2D(size // 2)(x)
    x = tf.keras.layers.Conv2D(
        num_filters,
        size,
        stride,
        use_bias=False,
        kernel_initializer=next(initializers),
    )(x)
    return _batch_norm()(x)

  def block(x, num_filters, stride):
    shortcut = x
    if stride != 1 or x.shape[-1] != num_filters:
      shortcut = convolution(x, num_filters, 1, stride)
    x = tf.keras.layers.ReLU()(convolution(x, num_filters, 3, stride))
    x = convolution(x, num_filters, 3)
    return tf.keras.layers.ReLU()(tf.keras.layers.Add()([x, shortcut]))

  inputs = tf.keras.Input(input_shape)
  x = tf.keras.layers.ReLU()(convolution(inputs, filters[0], 3))
  for stage, (num_filters, count) in enumerate(zip(filters, blocks)):
    for i in range(count):
      x = block(x, num_filters, 2 if stage > 0 and i == 0 else 1)
  x = tf.keras.layers.GlobalAveragePooling2D()(x)
  x = tf.keras.layers.Dense(
      num_classes, use_bias=use_bias, kernel_initializer=next(initializers)
  )(x)
  return tf.keras.Model(inputs, _float32_output()(x))


_VGG11_LIGHT = (64, 'M', 128, 'M', 256, 256, 'M', 512, 512, 'M', 512, 'M')


def vgg11_light(
    input_shape=(32, 32, 3),
    num_classes=10,
    *,
    kernel_initializer='kaiming',
    seed=None,
):
  """Builds a VGG11 with one convolution less, for images of 32x32 pixels.

  3x3 convolutions with biases, batch normalization and ReLU, max pooling and
  one dense layer: 6,870,282 trainable weights with 10 classes.

  FedBiF names a lightweight VGG11 and its traffic, 2.6 GB in 100 rounds, but
  not its layers. This is our reconstruction: VGG11 without one of its four
  convolutions of 512 filters has that traffic.

  Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for
  Large-Scale Image Recognition", ICLR 2015.

  Args:
    input_shape: See `resnet`.
    num_classes: See `resnet`.
    kernel_initializer: See `resnet`.
    seed: See `resnet`.

  Returns:
    See `resnet`.

  Raises:
    ValueError: If `kernel_initializer` is not allowed.
  """
  filters = [f for f in _VGG11_LIGHT if f != 'M']
  initializers = iter(
      _kernel_initializers(kernel_initializer, seed, len(filters) + 1)
  )
  model = tf.keras.Sequential([tf.keras.Input(input_shape)])
  for layer in _VGG11_LIGHT:
    if layer == 'M':
      model.add(tf.keras.layers.MaxPool2D())
      continue
    model.add(_convolution(layer, next(initializers)))
    model.add(_batch_norm())
    model.add(tf.keras.layers.ReLU())
  model.add(tf.keras.layers.Flatten())
  model.add(
      tf.keras.layers.Dense(
          num_classes, kernel_initializer=next(initializers)
      )
  )
  model.add(_float32_output())
  return model


_CONV_FILTERS = {
    4: (64, 128),
    6: (64, 128, 256),
    10: (64, 128, 256, 512, 1024),
}


def conv(
    num_convolutions,
    input_shape=(28, 28, 1),
    num_classes=10,
    *,
    kernel_initializer='kaiming',
    seed=None,
):
  """Builds Conv-4, Conv-6 or Conv-10, without any normalization.

  Pairs of 3x3 convolutions, each followed by ReLU, then 2x2 max pooling; three
  dense layers of 256, 256 and the classes' units. All layers have biases. For
  MNIST Conv-4 has 1,933,258 trainable weights, for CIFAR-10 Conv-6 2,262,602,
  for CIFAR-100 Conv-10 19,197,092.

  Source: FedPM (Isik et al., ICLR 2023), section 4.

  Args:
    num_convolutions: 4, 6 or 10.
    input_shape: See `resnet`.
    num_classes: See `resnet`.
    kernel_initializer: See `resnet`.
    seed: See `resnet`.

  Returns:
    See `resnet`.

  Raises:
    ValueError: If `num_convolutions` or `kernel_initializer` is not allowed, or
      if an image is smaller than the poolings together.
  """
  if num_convolutions not in _CONV_FILTERS:
    raise ValueError(
        f'num_convolutions must be 4, 6 or 10, got {num_convolutions!r}'
    )
  smallest = 2 ** (num_convolutions // 2)
  if min(input_shape[:2]) < smallest:
    raise ValueError(
        f'Conv-{num_convolutions} needs images of {smallest} pixels a side at'
        f' least, got the shape {tuple(input_shape)}'
    )
  initializers = iter(
      _kernel_initializers(kernel_initializer, seed, num_convolutions + 3)
  )
  model = tf.keras.Sequential([tf.keras.Input(input_shape)])
  for filters in _CONV_FILTERS[num_convolutions]:
    for _ in range(2):
      model.add(
          _convolution(filters, next(initializers), activation='relu')
      )
    model.add(tf.keras.layers.MaxPool2D())
  model.add(tf.keras.layers.Flatten())
  for units, activation in ((256, 'relu'), (256, 'relu'), (num_classes, None)):
    model.add(
        tf.keras.layers.Dense(
            units, activation, kernel_initializer=next(initializers)
        )
    )
  model.add(_float32_output())
  return model


# What `--model` offers: functions of `input_shape`, `num_classes`,
# `kernel_initializer` and `seed`.
IMAGE_MODELS = {
    'conv4': functools.partial(conv, 4),
    'conv6': functools.partial(conv, 6),
    'conv10': functools.partial(conv, 10),
    'convnet': convnet,
    # Ours, for comparisons on a CPU.
    'convnet_narrow': functools.partial(convnet, filters=(32, 32, 32)),
    'fedbat_cnn': fedbat_cnn,
    'resnet10': functools.partial(
        resnet, 10, filters=(32, 64, 128, 256), use_bias=False
    ),
    'resnet10_wide': functools.partial(resnet, 10, use_bias=False),
    'resnet18': functools.partial(resnet, 18),
    'resnet34': functools.partial(resnet, 34),
    'vgg11_light': vgg11_light,
}


def image_model(name, input_shape, num_classes, kernel_initializer, seed):
  """Returns a function that builds one of `IMAGE_MODELS`.

  Args:
    name: A key of `IMAGE_MODELS`.
    input_shape: The shape of one example, height, width and channels.
    num_classes: The number of classes.
    kernel_initializer: One of `KERNEL_INITIALIZERS`.
    seed: See `resnet`.

  Returns:
    A function without arguments that returns a new `tf.keras.Model`.

  Raises:
    ValueError: If there is no model of that name.
  """
  checks.check_choice('model', name, sorted(IMAGE_MODELS))
  return functools.partial(
      IMAGE_MODELS[name],
      input_shape=input_shape,
      num_classes=num_classes,
      kernel_initializer=kernel_initializer,
      seed=seed,
  )


def character_lstm(
    num_ids,
    *,
    units=256,
    kernel_initializer='kaiming',
    seed=None,
):
  """Builds the character model of FedAvg's paper and of LEAF.

  An embedding of 8 dimensions, two LSTM layers and a dense layer. With 90 ids
  and 256 units it has 820,522 trainable weights. 818,384 of them are entries of
  tensors of rank 2, which tff_binary compresses by default: 720 of the
  embedding, 8,192 and 262,144 of the first LSTM's kernel and recurrent kernel,
  twice 262,144 of the second's, 23,040 of the dense layer. Each LSTM's kernels
  hold its four gates side by side, so they are one tensor with one step size.
  The 2,138 biases are sent as they are.

  Padding needs no mask, as it comes last: what follows in a sequence does not
  change an LSTM's output. The LSTM's arguments allow cuDNN, which Keras takes
  outside of TFF; in the graphs that TFF traces it loops over the positions.

  Source: McMahan et al., "Communication-Efficient Learning of Deep Networks
  from Decentralized Data", AISTATS 2017; Caldas et al., "LEAF: A Benchmark for
  Federated Settings", 2018.

  Args:
    num_ids: The number of ids, of the input as of the output.
    units: The units of each LSTM layer.
    kernel_initializer: One of `KERNEL_INITIALIZERS`, for every tensor but the
      biases: embedding, kernels and recurrent kernels. Biases are 0, those of
      the LSTMs' forget gates 1.
    seed: The seed of the initial weights, an int in `[0, 2**32)`. If None, they
      follow `tf.keras.utils.set_random_seed`.

  Returns:
    An uncompiled `tf.keras.Model` from int32 ids `[batch, length]` to float32
    logits `[batch, length, num_ids]`; those at a position depend on the ids up
    to it.

  Raises:
    ValueError: If `kernel_initializer` is not allowed.
  """
  initializers = iter(_kernel_initializers(kernel_initializer, seed, 6))
  model = tf.keras.Sequential([
      tf.keras.Input([None], dtype=tf.int32),
      tf.keras.layers.Embedding(
          num_ids, 8, embeddings_initializer=next(initializers)
      ),
  ])
  for _ in range(2):
    model.add(
        tf.keras.layers.LSTM(
            units,
            return_sequences=True,
            kernel_initializer=next(initializers),
            recurrent_initializer=next(initializers),
        )
    )
  model.add(
      tf.keras.layers.Dense(num_ids, kernel_initializer=next(initializers))
  )
  model.add(_float32_output())
  return model
