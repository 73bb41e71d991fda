# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""TFF distribution processes with measured bytes."""

from tff_binary.distributors.broadcast import build_float32_broadcast
from tff_binary.distributors.codec_broadcast import build_codec_broadcast
from tff_binary.distributors.kernel_changes import KernelChanges
from tff_binary.distributors.kernel_differences import KernelDifferences
from tff_binary.distributors.model_tensors import ModelTensors
from tff_binary.distributors.packed_broadcast import build_packed_broadcast
from tff_binary.distributors.packed_broadcast import KernelQuantizer
from tff_binary.distributors.vote_broadcast import build_vote_broadcast
from tff_binary.distributors.vote_broadcast import VoteHistory
