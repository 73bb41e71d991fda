# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""LPT: clients train in low precision, the server averages in full."""

import dataclasses
import functools

import tff_binary
from tff_binary.algorithms import registry

_CODE = 'github.com/digbangbang/LPT-FL'
_FLOAT32_BITS = 32


@registry.register(
    'lpt',
    title='LPT',
    source='Li et al., NeurIPS 2024',
    summary='trains with few bits and averages the weights over the rounds',
)
@dataclasses.dataclass(frozen=True)
class LPT(registry.Hyperparameters):
  """LPT: b bits and a block's share of an exponent both ways.

  Low precision is emulated: block floating point in float32 saves bytes, and
  takes more time and memory than float32. With 32 bits and without a moving average it is FedAvg, to the
  last bit of the weights.

  The paper trains with Adam at rate 0.001.
  """

  bits: int = registry.hyperparameter(
      8,
      'bits of weights, activations, errors and gradients, and of what is sent'
      ' of a weight; 32 for no rounding at all',
      minimum=2,
      maximum=16,
      also=_FLOAT32_BITS,
      source='section 4: 8 and 6',
  )
  blocks: str = registry.hyperparameter(
      'kernel',
      "what shares an 8-bit exponent: a convolution's kernel from one channel"
      ' to another, and each entry of a matrix by itself; all that leads to an'
      ' output channel; or the whole tensor',
      choices=('kernel', 'channel', 'tensor'),
      source=f'{_CODE}, ALL.sh',
  )
  moving_average: float = registry.hyperparameter(
      0.9,
      "lambda, the share of the weights before in the server's new ones, which"
      ' is a server learning rate of 1 - lambda; 0 for none',
      minimum=0.0,
      maximum=0.9999,
      source=f'{_CODE}, ALL.sh',
  )
  average_start: str = registry.hyperparameter(
      'first_round',
      'what the moving average starts with: the mean of the first round, or the'
      ' initial weights',
      choices=('first_round', 'initial_weights'),
      source=_CODE,
  )
  low_precision_downlink: bool = registry.hyperparameter(
      True,
      'send weights of b bits to the clients, or else as --downlink_bits says',
      source=f'the paper; {_CODE} sends float32',
  )
  weighting: str = registry.hyperparameter(
      'examples',
      'how much a client counts: as any other, or by its examples',
      choices=('uniform', 'examples'),
      source=f'the paper; {_CODE}: uniform',
  )

  def method(self, seed=0):
    layers, learning = tff_binary.layers, tff_binary.learning
    is_low_precision = self.bits < _FLOAT32_BITS
    build_finalizer = functools.partial(
        learning.build_moving_average_finalizer,
        moving_average=self.moving_average,
        start_with_first_round=self.average_start == 'first_round',
        build_finalizer=learning.build_replacing_finalizer
        if is_low_precision
        else learning.build_model_update_finalizer,
    )
    if not is_low_precision:
      return learning.Method(
          weighting=self.weighting, build_finalizer=build_finalizer
      )
    codec = tff_binary.wire.BlockFloatingPointCodec(self.bits, self.blocks)
    return learning.Method(
        codec=codec,
        build_weight_layer=lambda: layers.LowPrecisionKernel(
            self.bits, self.blocks
        ),
        prepare_model=learning.quantizing_activations(self.bits, seed),
        weighting=self.weighting,
        build_distributor=functools.partial(
            tff_binary.distributors.build_codec_broadcast,
            codec=codec,
            seed=seed,
        )
        if self.low_precision_downlink
        else None,
        build_finalizer=build_finalizer,
    )


build_lpt = registry.get('lpt').build
