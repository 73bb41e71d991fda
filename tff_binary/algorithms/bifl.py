# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""BiFL: clients train binary networks and send their signs, 1 bit up."""

import dataclasses

import tff_binary
from tff_binary.algorithms import registry


@registry.register(
    'bifl',
    title='BiFL',
    source='Yang et al., 2021',
    summary='trains binary networks and averages their signs',
)
@dataclasses.dataclass(frozen=True)
class BiFL(registry.Hyperparameters):
  """BiFL: 1 bit per compressed parameter up, 32 down.

  The mean of the clients' signs, in [-1, 1], is the server's new kernel, from
  which all clients train on: of the paper's variants the one that compresses
  the uplink alone.
  """

  binary_classifier: bool = registry.hyperparameter(
      False,
      'make the last kernel binary too, in most models that of the classifier;'
      ' without it that is trained and sent in float32',
      source='our choice',
  )
  evaluate_real_kernels: bool = registry.hyperparameter(
      False,
      "evaluate the model with the server's real kernels in place of the binary"
      ' ones that clients train with',
      source='our choice',
  )

  def shared_parts(self):
    """Returns the parts, by name, that BiFL and BiFL-Full share."""
    inference_kernel = tff_binary.ops.signs.scaled_sign
    return dict(
        compress_last=self.binary_classifier,
        inference_kernel=(
            None if self.evaluate_real_kernels else inference_kernel
        ),
    )

  def method(self, seed=0):
    return tff_binary.learning.Method(
        # Lossless on signs: the step size of all of them is 1 and not sent.
        codec=tff_binary.wire.SignCodec(1.0),
        build_weight_layer=lambda: tff_binary.layers.BinaryKernel(
            sends_signs=True
        ),
        build_finalizer=tff_binary.learning.build_replacing_finalizer,
        **self.shared_parts(),
    )


build_bifl = registry.get('bifl').build
