# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""FedPM: clients train masks of frozen random weights, 1 bit up."""

import dataclasses
import functools
import math

import tff_binary
from tff_binary.algorithms import registry

_CODE = 'github.com/BerivanIsik/sparse-random-networks'


@registry.register(
    'fedpm',
    title='FedPM',
    source='Isik et al., ICLR 2023',
    summary='trains and averages random masks of frozen random weights',
)
@dataclasses.dataclass(frozen=True)
class FedPM(registry.Hyperparameters):
  """FedPM: 1 bit per masked parameter up, 32 down.

  The server's tensors are the probabilities of the masks' entries, so that a
  packed downlink rounds these. The kernels themselves follow from the seed, on
  the server and on every client, and are never sent; those that the model was
  built or loaded with are not used.

  The paper trains with Adam at rate 0.1.
  """

  frozen_weights: str = registry.hyperparameter(
      'signed_kaiming',
      'what is masked: random signs times sqrt(2 / fan_in), or times'
      " e / sqrt(fan_in), or Kaiming's normal or uniform initialization",
      choices=(
          'signed_kaiming', 'signed_e', 'kaiming_normal', 'kaiming_uniform'
      ),
      source=f'section 4; signed_e: {_CODE}',
  )
  mask_biases: bool = registry.hyperparameter(
      False,
      'mask random biases, too, in place of training biases in float32, for'
      ' which the rates that masks need are too high',
      source=f'False: ours; {_CODE}: True',
  )
  initial_score_stddev: float = registry.hyperparameter(
      1.0,
      'standard deviation of the scores, logits of probabilities, that the'
      ' server starts with; 0 for probabilities of 1/2',
      minimum=0.0,
      maximum=10.0,
      source=_CODE,
  )
  max_logit: float = registry.hyperparameter(
      10.0,
      'largest absolute score that a client starts from, where all masks agree;'
      ' 4.6 is a probability of 0.99, 10 one of 0.99995',
      minimum=0.1,
      maximum=30.0,
      source='our choice',
  )
  gradient: str = registry.hyperparameter(
      'straight_through',
      "derivative of a mask's entry by its score s: sigmoid'(s), or damped,"
      " sigmoid(s) sigmoid'(s)",
      choices=('straight_through', 'damped'),
      source=f'Algorithm 1; damped: {_CODE}',
  )
  prior: float = registry.hyperparameter(
      0.0,
      "weight of the Beta prior of the server's probabilities, in rounds;"
      ' lambda_0 is 1 + prior times the number of clients; 0 takes the mean'
      ' mask',
      minimum=0.0,
      maximum=1000.0,
      source='Algorithm 2, with lambda_0 = 1',
  )
  reset_every: int = registry.hyperparameter(
      1,
      'after how many rounds the prior is reset, so that older masks are'
      ' forgotten; where k of n clients take part, n / k is a good choice',
      minimum=1,
      maximum=1_000_000,
      source='section 3.2',
  )
  mask_margin: float = registry.hyperparameter(
      0.0,
      'what 0 is raised by and 1 lowered by before the server sums masks',
      minimum=0.0,
      maximum=0.49,
      source=f'0: Algorithm 2; {_CODE}: 0.01',
  )
  weighting: str = registry.hyperparameter(
      'uniform',
      'how much a client counts: as any other, or by its examples',
      choices=('uniform', 'examples'),
      source='Algorithm 2',
  )
  mask_code: str = registry.hyperparameter(
      'packed',
      'how masks are sent: a bit an entry; in as many bits as they have'
      ' entropy; or, with the probabilities that both ends know, as they have'
      ' cross-entropy under these. Fast where TensorFlow has XLA, which the'
      " workers of this package have and TFF's own has not",
      choices=('packed', 'entropy', 'cross_entropy'),
      source='packed, entropy: section 4; cross_entropy: ours',
  )
  downlink_code: str = registry.hyperparameter(
      'float32',
      'how the probabilities are sent: as they are; or, lossless, as numbers of'
      ' their different values, few where few masks were averaged',
      choices=('float32', 'lossless'),
      source='float32: Algorithm 1; lossless: ours',
  )
  evaluation: str = registry.hyperparameter(
      'sample',
      'evaluate the model with masks that are drawn anew after each round, with'
      ' their mean, or with ones where the probability is at least 1/2',
      choices=('sample', 'mean', 'threshold'),
      source='sample: section 4',
  )
  evaluation_samples: int = registry.hyperparameter(
      1,
      'how many drawn masks the model is evaluated with, the mean of whose'
      ' metrics is reported; with evaluation=sample alone',
      minimum=1,
      maximum=1000,
      source=f'1: {_CODE}',
  )

  def mask_loss(self, num_entries):
    """Returns what clients minimize besides the model's loss.

    Args:
      num_entries: The number of mask entries of the whole model.

    Returns:
      A TensorFlow function from the scores of one tensor to a scalar, or None,
      the default.
    """
    del num_entries
    return None

  def method(self, seed=0):
    layers, learning = tff_binary.layers, tff_binary.learning
    masks, seeds = tff_binary.ops.masks, tff_binary.ops.seeds

    def draw_weights(shape, index):
      return masks.frozen_weights_of_run(
          shape, self.frozen_weights, seed, index
      )

    def build_weight_layer(tensors, index):
      num_entries = sum(
          math.prod(x.shape)
          for x, c in zip(tensors.weights_type.trainable, tensors.is_compressed)
          if c
      )
      return layers.BernoulliMask(
          functools.partial(draw_weights, index=index),
          self.max_logit,
          getattr(masks, f'{self.gradient}_draw'),
          self.mask_loss(num_entries),
      )

    def initial_kernel(tensors, index):
      return masks.random_probabilities(
          tensors.weights_type.trainable[index].shape,
          self.initial_score_stddev,
          seeds.fold_in([seed, seeds.SERVER_INITIAL_DRAWS], index),
      )

    def inference_kernel(theta, index, round_num, sample=0):
      mask = masks.representative(
          theta,
          self.evaluation,
          seeds.fold_in([seed, seeds.EVALUATION_DRAWS], round_num, index),
          sample,
      )
      return mask * draw_weights(theta.shape, index)

    # Lossless on masks: the step size of all of them is 1 and not sent.
    codec = tff_binary.wire.SignCodec(1.0)
    if self.mask_code != 'packed':
      codec = tff_binary.wire.EntropyCodec(codec)
    return learning.Method(
        codec=codec,
        is_compressed=(
            _is_kernel_or_bias
            if self.mask_biases
            else tff_binary.aggregators.is_kernel
        ),
        knows_chances=self.mask_code == 'cross_entropy',
        build_weight_layer=build_weight_layer,
        initial_kernel=initial_kernel,
        weighting=self.weighting,
        build_distributor=(
            functools.partial(
                tff_binary.distributors.build_codec_broadcast,
                codec=tff_binary.wire.DistinctValuesCodec(),
            )
            if self.downlink_code == 'lossless'
            else None
        ),
        build_finalizer=functools.partial(
            learning.build_beta_finalizer,
            prior=self.prior,
            reset_every=self.reset_every,
            mask_margin=self.mask_margin,
        ),
        inference_kernel=inference_kernel,
        inference_samples=(
            self.evaluation_samples if self.evaluation == 'sample' else 1
        ),
    )


def _is_kernel_or_bias(spec):
  is_bias = 'bias' in spec.name.split('/')[-1]
  return is_bias or tff_binary.aggregators.is_kernel(spec)


build_fedpm = registry.get('fedpm').build
