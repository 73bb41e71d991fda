# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""FedBAT's learnable binarization for `model.fit`, outside federated learning.

```
model = keras_wrapper.binarize_updates(model)
model.compile(...)
model.fit(..., callbacks=[kernel_updates.WarmUp(warmup_ratio=0.5)])
plain_model = kernel_updates.strip(model)
```

A converted model can be saved in every format of Keras; this module must be
imported where it is loaded.

Source: Li et al., "FedBAT: Communication-Efficient Federated Learning via
Learnable Binarization", ICML 2024.
"""

import dataclasses

import tensorflow as tf

from tff_binary.layers import kernel_updates
from tff_binary.layers import kernels


@tf.keras.utils.register_keras_serializable('tff_binary')
class LearnableBinarizationWrapper(
    kernels.WrapperMixin, tf.keras.layers.Wrapper
):
  """Runs a layer with `anchor + S(kernel - anchor, alpha)` for its kernels.

  The anchor is the kernel's initial value. Training moves the kernel itself, in
  full precision, and the step size alpha; see `kernel_updates.KernelUpdate`.
  """

  def __init__(self, layer, kernel_paths=None, options=None, **kwargs):
    """Initializes the wrapper.

    Args:
      layer: The `tf.keras.layers.Layer` to wrap.
      kernel_paths: The attributes of the layer to binarize, such as `'kernel'`
        or `'cell.kernel'`; None for all that `kernels.find` finds.
      options: A `kernel_updates.Options`; None for the defaults.
      **kwargs: Arguments of `tf.keras.layers.Layer`.
    """
    kwargs.setdefault('name', layer.name)
    # An update is small against the kernel and needs its variable's precision
    # even where the layer computes with less.
    kwargs.setdefault('dtype', layer.variable_dtype)
    super().__init__(layer, autocast=False, **kwargs)
    self._kernel_paths = kernel_paths
    self._options = options or kernel_updates.Options()

  def build(self, input_shape=None):
    super().build(input_shape)
    if self._kernel_paths is None:
      self._kernel_paths = list(kernels.find(self.layer))
    for path in self._kernel_paths:
      kernel = kernels.get(self.layer, path)
      name = path.replace('.', '_')
      kernel_updates.KernelUpdate(kernel, self, name, self._options)

  def call(self, inputs, *args, **kwargs):
    with kernels.restoring(self.layer, self._kernel_paths):
      for path, update in zip(
          self._kernel_paths, kernel_updates.updates(self)
      ):
        effective = update.effective_kernel()
        kernels.put(
            self.layer, path, tf.cast(effective, self.layer.compute_dtype)
        )
      return self.layer(inputs, *args, **self.accepted(kwargs))

  def compute_output_shape(self, input_shape):
    return self.layer.compute_output_shape(input_shape)

  def get_config(self):
    return {
        **super().get_config(),
        'kernel_paths': self._kernel_paths,
        'options': dataclasses.asdict(self._options),
    }

  @classmethod
  def from_config(cls, config, custom_objects=None):
    options = kernel_updates.Options(**config['options'])
    return super().from_config({**config, 'options': options}, custom_objects)


def binarize_updates(model, is_compressed=kernels.is_kernel, **options):
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
    ValueError: If an option is out of range, or if a kernel is out of reach or
      tied to another layer, see `kernels.wrap_kernels`; the message names the
      layer.
  """
  return kernel_updates.convert(
      model,
      LearnableBinarizationWrapper,
      is_compressed,
      kernel_updates.Options(**options),
  )
