# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Bytes: what a client or the server really sends."""

from tff_binary.wire.block_floating_point import BlockFloatingPointCodec
from tff_binary.wire.codec import BinaryCodec
from tff_binary.wire.codec import Codec
from tff_binary.wire.codec import Float32Codec
from tff_binary.wire.codec import FORMAT_VERSION
from tff_binary.wire.distinct_values import DistinctValuesCodec
from tff_binary.wire.entropy import EntropyCodec
from tff_binary.wire.masked_noise import MaskedNoiseCodec
from tff_binary.wire.minifloat import MinifloatCodec
from tff_binary.wire.qsgd import QSGDCodec
from tff_binary.wire.quantized import QuantizedCodec
from tff_binary.wire.quantized import RangeCodec
from tff_binary.wire.rotated import RotatedCodec
from tff_binary.wire.sign_planes import SignPlanesCodec
from tff_binary.wire.signs import NoisySignCodec
from tff_binary.wire.signs import SignCodec
from tff_binary.wire.signs import StochasticSignCodec
from tff_binary.wire.sparse import SparseCodec
from tff_binary.wire.ternary import TernaryCodec
