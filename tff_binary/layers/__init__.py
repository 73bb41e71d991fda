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
"""Keras layers that act on weights."""

from tff_binary.layers.binary_kernel import BinaryKernel
from tff_binary.layers.bit_freezing import BitFreezing
from tff_binary.layers.error_feedback import ErrorFeedback
from tff_binary.layers.learnable_binarization import LearnableBinarization
from tff_binary.layers.sparse_activations import sparsify_gradients
from tff_binary.layers.sparse_kernel import SparseKernel
from tff_binary.layers.synchronized_copy import SynchronizedCopy
from tff_binary.layers.weight_layer import WeightLayer
