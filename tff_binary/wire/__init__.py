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
"""Bytes: what a client or the server really sends."""

from tff_binary.wire.codec import BinaryCodec
from tff_binary.wire.codec import Codec
from tff_binary.wire.codec import Float32Codec
from tff_binary.wire.qsgd import QSGDCodec
from tff_binary.wire.quantized import QuantizedCodec
from tff_binary.wire.quantized import RangeCodec
from tff_binary.wire.sign_planes import SignPlanesCodec
from tff_binary.wire.signs import NoisySignCodec
from tff_binary.wire.signs import SignCodec
from tff_binary.wire.signs import StochasticSignCodec
from tff_binary.wire.sparse import SparseCodec
