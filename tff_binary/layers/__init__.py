# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Keras layers that act on weights."""

from tff_binary.layers.bernoulli_mask import BernoulliMask
from tff_binary.layers.binary_kernel import BinaryKernel
from tff_binary.layers.bit_freezing import BitFreezing
from tff_binary.layers.error_feedback import ErrorFeedback
from tff_binary.layers.learnable_binarization import LearnableBinarization
from tff_binary.layers.learnable_ternarization import LearnableTernarization
from tff_binary.layers.low_precision_activations import quantize_activations
from tff_binary.layers.low_precision_kernel import LowPrecisionComputation
from tff_binary.layers.low_precision_kernel import LowPrecisionKernel
from tff_binary.layers.masked_noise import MaskedNoise
from tff_binary.layers.sparse_activations import sparsify_gradients
from tff_binary.layers.sparse_kernel import SparseKernel
from tff_binary.layers.synchronized_kernel import SynchronizedKernel
from tff_binary.layers.weight_layer import WeightLayer
from tff_binary.layers.wrapped_layer import TrainedUpdate
