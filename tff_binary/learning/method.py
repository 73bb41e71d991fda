# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""A method of federated learning as one object."""

from collections.abc import Callable, Sequence
import dataclasses
import functools
import inspect
from typing import Optional, Union

import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import aggregators
from tff_binary import distributors
from tff_binary import parameters
from tff_binary import wire
from tff_binary.distributors import packed_broadcast
from tff_binary.layers import low_precision_activations
from tff_binary.layers import low_precision_kernel
from tff_binary.layers import synchronized_kernel
from tff_binary.layers import weight_layer
from tff_binary.learning import finalizers
from tff_binary.learning import keras_models
from tff_binary.learning import local_training
from tff_binary.learning import sub_models as sub_models_lib
from tff_binary.ops import rounding
from tff_binary.ops import seeds

BuildDistributor = Callable[
    [distributors.ModelTensors], tff.learning.templates.DistributionProcess
]
BuildFinalizer = Callable[..., tff.learning.templates.FinalizerProcess]
PrepareModel = Callable[
    [tff.learning.models.VariableModel, Sequence[tf.Variable]], None
]

_FLOAT32_BITS = 32
_DIFFERENCE_BITS = 1.0
# By how they are sent; 32 stands for no codes.
_MOST_DOWNLINK_BITS = {
    **packed_broadcast.MAX_BITS,
    'packed': _FLOAT32_BITS,
    'differences': 4,
}


@dataclasses.dataclass(frozen=True)
class Method:
  """What a method is, apart from how a user runs it. The defaults are FedAvg.

  What clients train: `build_weight_layer`, `prepare_model`. How the result
  becomes bytes: `codec`, `compress_last`, `level_schedule`, `levels_by_weight`,
  `level_phases`, `knows_chances`.
  What the server makes of it: `weighting`, `build_finalizer`,
  `inference_kernel`. What it sends: `build_distributor`. What it starts from:
  `initial_kernel`. Whether clients get and train parts of the model alone:
  `sub_models`.

  Where the server's tensor is something else than a kernel, what becomes of it
  depends on its place in the model. `build_weight_layer` and `inference_kernel`
  are therefore given what they have parameters for: `tensors`, the model's
  `ModelTensors`, and `index`, the compressed tensor's position among the
  trainable ones.

  Attributes:
    codec: The codec of the compressed tensors.
    build_weight_layer: Returns a new layer for one compressed tensor; `None`
      trains all tensors in place. It may have parameters, see above.
    initial_kernel: A TensorFlow function from the model's tensors and the
      position of a compressed one to what the server starts with in its place;
      by default with the model's own initial weights.
    prepare_model: A function of a new model and its compressed variables, for
      methods that change what layers compute.
    is_compressed: Which trainable tensors are compressed unless the user says
      it, see `build_learning_process`.
    compress_last: Whether the last of the tensors that may be compressed, in
      most models the classifier's kernel, is compressed like the others.
    weighting: How much a client counts in the mean: `'examples'`, as much as it
      has of them, or `'uniform'`, as much as any other.
    level_schedule: How many levels clients quantize with, depending on the
      loss; for a `QSGDCodec` alone. By default the codec says it.
    levels_by_weight: Whether these depend on the client's weight, too; with a
      `level_schedule` alone.
    level_phases: When the server learns what decides on the levels: 1 for in
      the round before, from the clients' training loss; 2 for in the same
      round, from the loss of the model that they have received, which takes
      another pass over their data and a round trip. All of TFF's engines run
      the first, see `aggregators.LossFeedbackFactory`.
    knows_chances: Whether the server's compressed tensors are the chances of
      the bits that clients send, with which both ends code them, see
      `aggregators.SideInformationMeanFactory`; with an `EntropyCodec`, and a
      downlink that does not round them.
    build_distributor: A function from the model's tensors to the distributor
      of a method that sends something else than the weights, and so takes no
      `downlink_bits`.
    build_finalizer: A function from the model's tensors and the type of the
      aggregate to the finalizer. Unless the method decides by how much the
      server moves the weights, it has a parameter `server_optimizer`.
    inference_kernel: A TensorFlow function from a compressed tensor of the
      server to the one that the model is to be used with, which is what
      `get_model_weights` returns then; by default the tensor itself. It may
      have parameters, see above, and `round_num`, the number of rounds before,
      and `sample`, the number of the draw, where it draws. The state and
      `set_model_weights` are about the server's own tensors all the same.
    inference_samples: How many draws the model is evaluated with, whose metrics
      are averaged, see `learning.sampled_model_weights`. The first one is what
      `get_model_weights` returns.
    sub_models: The parts of the model that clients train, in float32, and of
      which alone they send and get the weights, see `SubModels`; all else but
      `is_compressed`, `weighting` and `build_finalizer` is as in FedAvg then.
      `None` for the whole model.
  """

  codec: wire.Codec = wire.Float32Codec()
  build_weight_layer: Optional[Callable[..., weight_layer.WeightLayer]] = None
  initial_kernel: Optional[
      Callable[[distributors.ModelTensors, int], tf.Tensor]
  ] = None
  prepare_model: Optional[PrepareModel] = None
  is_compressed: aggregators.IsCompressed = aggregators.is_kernel
  compress_last: bool = True
  weighting: str = 'examples'
  level_schedule: Optional[aggregators.LevelSchedule] = None
  levels_by_weight: bool = False
  level_phases: int = 1
  knows_chances: bool = False
  build_distributor: Optional[BuildDistributor] = None
  build_finalizer: BuildFinalizer = finalizers.build_model_update_finalizer
  inference_kernel: Optional[Callable[..., tf.Tensor]] = None
  inference_samples: int = 1
  sub_models: Optional[sub_models_lib.SubModels] = None

  def __post_init__(self):
    parameters.Constraint(str, choices=('examples', 'uniform')).check(
        'weighting', self.weighting
    )
    if self.levels_by_weight and self.level_schedule is None:
      raise ValueError(
          'levels_by_weight=True needs a level_schedule, got None.'
      )

  @property
  def reported_loss(self) -> Optional[str]:
    """The loss that clients send with their updates, if any."""
    if self.level_schedule is None:
      return None
    if self.level_phases == 1:  # Python values.
      return local_training.TRAINING_LOSS
    return local_training.RECEIVED_LOSS

  @property
  def takes_downlink_bits(self) -> bool:
    """Whether the user decides how kernels travel to the clients."""
    return self.build_distributor is None and self.sub_models is None

  @property
  def takes_server_optimizer(self) -> bool:
    """Whether the user decides how the server applies an update."""
    signature = inspect.signature(self.build_finalizer)
    return 'server_optimizer' in signature.parameters

  def check_choices(
      self,
      downlink_bits: int = _FLOAT32_BITS,
      downlink_step_scale: float = 0.0,
      downlink_coding: str = 'packed',
      downlink_difference_bits: float = _DIFFERENCE_BITS,
      other_bits: int = _FLOAT32_BITS,
      server_optimizer: Optional[tff.learning.optimizers.Optimizer] = None,
      local_bits: int = _FLOAT32_BITS,
      keep_optimizer_state: bool = False,
      observe_updates: bool = False,
  ):
    """Refuses what the method decides by itself, or what nobody may choose.

    Args:
      downlink_bits: See `build_learning_process`.
      downlink_step_scale: See `build_learning_process`.
      downlink_coding: See `build_learning_process`.
      downlink_difference_bits: See `build_learning_process`.
      other_bits: See `build_learning_process`.
      server_optimizer: See `build_learning_process`.
      local_bits: See `build_learning_process`.
      keep_optimizer_state: See `LocalTraining`.
      observe_updates: See `build_learning_process`.

    Raises:
      TypeError: If `server_optimizer` is something else.
      ValueError: If one of them cannot be chosen.
    """
    parameters.check(
        downlink_bits=downlink_bits,
        downlink_step_scale=downlink_step_scale,
        downlink_coding=downlink_coding,
        downlink_difference_bits=downlink_difference_bits,
        other_bits=other_bits,
        local_bits=local_bits,
    )
    most_bits = _MOST_DOWNLINK_BITS[downlink_coding]
    if downlink_bits > most_bits:
      raise ValueError(
          f'downlink_coding={downlink_coding!r} needs downlink_bits in [2,'
          f' {most_bits}], got {downlink_bits}.'
      )
    sends_differences = downlink_coding == 'differences'  # Python values.
    if sends_differences and downlink_step_scale > 0.0:
      raise ValueError(
          "downlink_step_scale must be 0 with downlink_coding='differences',"
          f' whose bits say it, got {downlink_step_scale:g}.'
      )
    has_default = downlink_difference_bits == _DIFFERENCE_BITS  # Python values.
    if not (sends_differences or has_default):
      raise ValueError(
          f'downlink_difference_bits={downlink_difference_bits:g} needs'
          f" downlink_coding='differences', got {downlink_coding!r}."
      )
    if downlink_step_scale > 0.0 and downlink_bits >= _FLOAT32_BITS:
      raise ValueError(
          f'downlink_step_scale={downlink_step_scale:g} needs downlink_bits in'
          f' [2, {rounding.MAX_BITS}], got {downlink_bits}.'
      )
    if downlink_bits < _FLOAT32_BITS and self.knows_chances:
      raise ValueError(
          f'downlink_bits={downlink_bits} would round the chances that both'
          ' ends of this method must know exactly; it must be 32.'
      )
    if downlink_bits < _FLOAT32_BITS and not self.takes_downlink_bits:
      raise ValueError(
          f'downlink_bits={downlink_bits} is for methods that send weights;'
          ' this one has a downlink of its own.'
      )
    if self.sub_models is not None:
      for name, value, default in (
          ('other_bits', other_bits, _FLOAT32_BITS),
          ('local_bits', local_bits, _FLOAT32_BITS),
          ('keep_optimizer_state', keep_optimizer_state, False),
          ('observe_updates', observe_updates, False),
      ):
        if value != default:  # Python values.
          raise ValueError(
              f'{name} must be {default} with methods that train sub-models,'
              f' got {value}.'
          )
    if observe_updates and self.level_schedule is not None:
      raise ValueError(
          'observe_updates must be False with methods that have a level'
          ' schedule, got True: clients observe before the aggregation tells'
          ' them the levels.'
      )
    if server_optimizer is None:
      return
    if not isinstance(server_optimizer, tff.learning.optimizers.Optimizer):
      raise TypeError(
          'server_optimizer must be a tff.learning.optimizers.Optimizer, such'
          ' as tff.learning.optimizers.build_sgdm(1.0), got'
          f' {server_optimizer!r}.'
      )
    if not self.takes_server_optimizer:
      raise ValueError(
          'server_optimizer must be None with this method, whose server takes'
          f' steps of its own, got {server_optimizer!r}.'
      )

  def with_local_bits(self, local_bits: int, seed: int = 0) -> 'Method':
    """Returns the method whose clients compute with so many bits.

    Activations, errors, compressed kernels and their gradients are rounded, as
    with LPT.
    What the optimizer trains, and what is sent, is the method's all the same.

    Args:
      local_bits: See `build_learning_process`.
      seed: The seed of the run.
    """
    parameters.check(local_bits=local_bits)
    if local_bits >= _FLOAT32_BITS:
      return self
    prepare_model = quantizing_activations(local_bits, seed)

    def build_weight_layer(tensors, index):
      return low_precision_kernel.LowPrecisionComputation(
          self._weight_layer(tensors, index), local_bits, 'kernel'
      )

    def prepare_both(model, variables):
      if self.prepare_model is not None:
        self.prepare_model(model, variables)
      prepare_model(model, variables)

    return dataclasses.replace(
        self,
        build_weight_layer=build_weight_layer,
        prepare_model=prepare_both,
    )

  def with_kept_kernels(
      self,
      sent: Union[distributors.KernelChanges, distributors.KernelDifferences],
  ) -> 'Method':
    """Returns the method whose clients keep kernels, to get what is new.

    Args:
      sent: What a client is sent.
    """

    def build_weight_layer(tensors, index):
      return synchronized_kernel.SynchronizedKernel(
          self._weight_layer(tensors, index),
          sent.initial_state,
          sent.receive,
      )

    return dataclasses.replace(self, build_weight_layer=build_weight_layer)

  def weight_layers(
      self, tensors: distributors.ModelTensors
  ) -> list[Optional[weight_layer.WeightLayer]]:
    """Builds a new layer, or None, for each trainable tensor."""
    return [
        self._weight_layer(tensors, i) if c else None
        for i, c in enumerate(tensors.is_compressed)
    ]

  def _weight_layer(self, tensors, index):
    """Builds the layer of one compressed tensor, or returns None."""
    if self.build_weight_layer is None:
      return None
    return _call(self.build_weight_layer, tensors=tensors, index=index)

  def initial_weights(
      self,
      tensors: distributors.ModelTensors,
      weights: tff.learning.models.ModelWeights,
  ) -> tff.learning.models.ModelWeights:
    """Returns what the server starts with, given the model's own weights."""
    return _map_compressed(
        lambda i, w: self.initial_kernel(tensors, i), tensors, weights
    )

  def inference_weights(
      self,
      tensors: distributors.ModelTensors,
      weights: tff.learning.models.ModelWeights,
      round_num: tf.Tensor,
      sample: tf.Tensor = 0,
  ) -> tff.learning.models.ModelWeights:
    """Returns what the model is used with, given the server's weights."""
    return _map_compressed(
        lambda i, w: _call(
            self.inference_kernel,
            w,
            tensors=tensors,
            index=i,
            round_num=round_num,
            sample=sample,
        ),
        tensors,
        weights,
    )

  def distributor(
      self,
      tensors: distributors.ModelTensors,
      quantizer: Optional[distributors.KernelQuantizer] = None,
      coding: str = 'packed',
  ) -> tff.learning.templates.DistributionProcess:
    """Builds the method's distributor or, with a quantizer, that one's."""
    build = self.build_distributor
    if build is None and quantizer is None:
      build = functools.partial(
          distributors.build_float32_broadcast,
          counts_kernels=coding != 'differences',  # Python values.
      )
    elif build is None:
      dequantize = coding != 'changes'  # Python values.
      build = functools.partial(
          distributors.build_packed_broadcast,
          quantizer=quantizer,
          dequantize=dequantize,
          coding=coding,
      )
    return build(tensors)

  def finalizer(
      self,
      tensors: distributors.ModelTensors,
      update_type: tff.Type,
      server_optimizer: Optional[tff.learning.optimizers.Optimizer] = None,
  ) -> tff.learning.templates.FinalizerProcess:
    """Builds the method's finalizer, with a server optimizer if given."""
    options = {}
    if server_optimizer is not None:
      options['server_optimizer'] = server_optimizer
    return self.build_finalizer(tensors, update_type, **options)


def quantizing_activations(bits: int, seed: int) -> PrepareModel:
  """Returns a `prepare_model` for activations and errors of so many bits.

  Args:
    bits: See `layers.quantize_activations`.
    seed: The seed of the run.
  """

  def prepare_model(model, variables):
    del variables  # All layers are concerned.
    low_precision_activations.quantize_activations(
        keras_models.keras_model_of(model),
        bits,
        tf.constant([seed, seeds.ACTIVATION_DRAWS]),
    )

  return prepare_model


def _call(part, *args, **offered):
  """Calls a part of a method with those of `offered` that it has use for."""
  parameters = inspect.signature(part).parameters
  return part(*args, **{k: v for k, v in offered.items() if k in parameters})


def _map_compressed(function, tensors, weights):
  """Replaces the compressed tensors by `function` of position and tensor."""
  return tff.learning.models.ModelWeights(
      [
          function(i, w) if c else w
          for i, (w, c) in enumerate(
              zip(weights.trainable, tensors.is_compressed)
          )
      ],
      weights.non_trainable,
  )
