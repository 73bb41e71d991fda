# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""ZeroFL: sparse training with SWAT, and the largest entries up."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry


@registry.register(
    'zerofl',
    title='ZeroFL',
    source='Qiu et al., ICLR 2022',
    summary='trains sparsely and sends the largest entries of updates',
)
@dataclasses.dataclass(frozen=True)
class ZeroFL(registry.Hyperparameters):
  """ZeroFL: with 97 % sparsity 1.16 bits per parameter up, 32 down.

  Without sparsity it is FedAvg, to the last bit of the weights.
  """

  sparsity: float = registry.hyperparameter(
      0.97,
      'share of the weights of each kernel that the forward pass leaves out,'
      ' and of the inputs of each layer that its weight gradient does',
      minimum=0.0,
      maximum=0.9999,
      source='FedBAT, section 5.1',
  )
  mask_ratio: float = registry.hyperparameter(
      0.0,
      'r_mask: 1 - sparsity + mask_ratio is the share of entries that are sent,'
      ' at most 1',
      minimum=0.0,
      maximum=1.0,
      source='the paper has 0, 0.1 and 0.2',
  )
  upload: str = registry.hyperparameter(
      'top_k_weights_diff',
      'what is sent: the largest weights, which are averaged with zeros for'
      ' the others; the update where weights are largest; the largest entries'
      ' of the update',
      choices=(
          'top_k_weights',
          'diff_on_top_k_weights',
          'top_k_weights_diff',
      ),
      source='the three of the paper; the default is our choice',
  )
  evaluation: str = registry.hyperparameter(
      'sparse',
      'evaluate the model with its largest weights, as it is trained, or with'
      ' all of them',
      choices=('sparse', 'dense'),
      source='sparse: the paper',
  )

  def __post_init__(self):
    super().__post_init__()
    if self.mask_ratio > self.sparsity:
      raise ValueError(
          'mask_ratio must be at most sparsity, since 1 - sparsity + mask_ratio'
          f' is a share, got {self.mask_ratio} > {self.sparsity}.'
      )

  @property
  def upload_ratio(self):
    """The share of entries of a kernel that are sent."""
    return min(1.0, 1.0 - self.sparsity + self.mask_ratio)

  def method(self, seed=0):
    layers, learning = tff_binary.layers, tff_binary.learning
    sparsity = tff_binary.ops.sparsity
    keep_ratio = 1.0 - self.sparsity

    def prepare_model(model, kernels):
      layers.sparsify_gradients(
          learning.keras_model_of(model), kernels, keep_ratio
      )

    def keep_largest(kernel):
      k = sparsity.num_largest(keep_ratio, kernel.shape.num_elements())
      return sparsity.keep_largest(kernel, k)

    return learning.Method(
        codec=tff_binary.wire.SparseCodec(self.upload_ratio),
        build_weight_layer=lambda: layers.SparseKernel(
            keep_ratio, self.upload, self.upload_ratio
        ),
        prepare_model=prepare_model,
        build_finalizer=(
            learning.build_replacing_finalizer
            if self.upload == 'top_k_weights'
            else learning.build_model_update_finalizer
        ),
        inference_kernel=keep_largest if self.evaluation == 'sparse' else None,
    )


build_zerofl = registry.get('zerofl').build
