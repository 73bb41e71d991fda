# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""FedBAT's learnable binarization as a TFMOT quantizer, for `model.fit`.

```
model = tfmot_quantizer.quantize_model(model)
model.compile(...)
model.fit(..., callbacks=[kernel_updates.WarmUp(warmup_ratio=0.5)])
plain_model = kernel_updates.strip(model)
```

A model from `quantize_model` can be saved in every format of Keras; this module
must be imported where it is loaded. `LearnableBinarizationQuantizeConfig` also
works with `tfmot.quantization.keras.quantize_annotate_layer` and
`quantize_apply`, within the limits of TFMOT's own wrapper and default scheme:
masks are lost, the model's input gets a quantizer of its own, some layers
cannot be saved as a SavedModel, and files are loaded, and `strip` is called,
under `tfmot.quantization.keras.quantize_scope`.

Source: Li et al., "FedBAT: Communication-Efficient Federated Learning via
Learnable Binarization", ICML 2024.
"""

import dataclasses

import tensorflow as tf
import tensorflow_model_optimization as tfmot

from tff_binary.layers import kernel_updates
from tff_binary.layers import kernels

_register = tf.keras.utils.register_keras_serializable('tff_binary')


@_register
class LearnableBinarizationQuantizer(
    tfmot.quantization.keras.quantizers.Quantizer
):
  """Maps a kernel to `anchor + S(kernel - anchor, alpha)`.

  See `kernel_updates.KernelUpdate`.
  """

  def __init__(self, options=None):
    """Initializes the quantizer.

    Args:
      options: A `kernel_updates.Options`; None for the defaults.
    """
    self._options = options or kernel_updates.Options()

  def build(self, tensor_shape, name, layer):
    del tensor_shape
    wrapped = layer.layer
    if wrapped.compute_dtype != wrapped.variable_dtype:
      raise ValueError(
          f'layer {wrapped.name!r} computes in {wrapped.compute_dtype}; TFMOT '
          'has no mixed precision, keras_wrapper.binarize_updates has'
      )
    found = [
        v for v in wrapped.weights if f'/{v.name}'.endswith(f'/{name}:0')
    ]
    if len(found) != 1:
      raise ValueError(
          f'layer {wrapped.name!r} must have one variable named {name!r}, got '
          f'{len(found)}'
      )
    update = kernel_updates.KernelUpdate(found[0], layer, name, self._options)
    return {'update': update}

  def __call__(self, inputs, training, weights, **kwargs):
    del inputs, training, kwargs
    return weights['update'].effective_kernel()

  def get_config(self):
    return {'options': dataclasses.asdict(self._options)}

  @classmethod
  def from_config(cls, config):
    return cls(kernel_updates.Options(**config['options']))


@_register
class LearnableBinarizationQuantizeConfig(
    tfmot.quantization.keras.QuantizeConfig
):
  """Quantizes some kernels of a layer, and neither activations nor outputs."""

  def __init__(self, kernel_paths=('kernel',), options=None):
    """Initializes the config.

    Args:
      kernel_paths: The attributes of the layer to binarize, such as `'kernel'`
        or `'cell.kernel'`.
      options: A `kernel_updates.Options`; None for the defaults.
    """
    self.kernel_paths = list(kernel_paths)
    self._options = options or kernel_updates.Options()

  def get_weights_and_quantizers(self, layer):
    return [
        (
            kernels.get(layer, path),
            LearnableBinarizationQuantizer(self._options),
        )
        for path in self.kernel_paths
    ]

  def set_quantize_weights(self, layer, quantize_weights):
    for path, weight in zip(self.kernel_paths, quantize_weights):
      kernels.put(layer, path, weight)

  def get_activations_and_quantizers(self, layer):
    return []

  def set_quantize_activations(self, layer, quantize_activations):
    pass

  def get_output_quantizers(self, layer):
    return []

  def get_config(self):
    return {
        'kernel_paths': self.kernel_paths,
        'options': dataclasses.asdict(self._options),
    }

  @classmethod
  def from_config(cls, config):
    options = kernel_updates.Options(**config['options'])
    return cls(config['kernel_paths'], options)


@_register
class LearnableBinarizationQuantizeWrapper(
    kernels.WrapperMixin, tfmot.quantization.keras.QuantizeWrapperV2
):
  """TFMOT's wrapper, which also keeps masks and puts the kernels back.

  A tensor of one graph left in place of a kernel would keep a model from being
  saved as a SavedModel.
  """

  def __init__(self, layer, quantize_config, **kwargs):
    kwargs.setdefault('name', layer.name)
    super().__init__(layer, quantize_config, **kwargs)

  def call(self, inputs, training=None, **kwargs):
    with kernels.restoring(self.layer, self.quantize_config.kernel_paths):
      return super().call(inputs, training, **self.accepted(kwargs))


def quantize_model(model, is_compressed=kernels.is_kernel, **options):
  """Returns a copy of `model` whose kernels learn binarized updates.

  Args:
    model: A built Sequential or functional `tf.keras.Model`; left unchanged.
    is_compressed: A function from a `tf.Variable` to a bool: which trainable
      variables to binarize. By default those of rank >= 2.
    **options: The fields of `kernel_updates.Options`.

  Returns:
    A new, uncompiled model of the same weights. It stays in full precision
    until `kernel_updates.WarmUp` or `kernel_updates.start_binarizing`.

  Raises:
    ValueError: If an option is out of range, if a layer has mixed precision, or
      if a kernel is out of reach or tied to another layer, see
      `kernels.wrap_kernels`; the message names the layer.
  """

  def wrap(layer, kernel_paths, layer_options):
    return LearnableBinarizationQuantizeWrapper(
        layer, LearnableBinarizationQuantizeConfig(kernel_paths, layer_options)
    )

  return kernel_updates.convert(
      model, wrap, is_compressed, kernel_updates.Options(**options)
  )
