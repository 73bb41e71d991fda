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
"""TFF aggregation factories that unpack bytes and apply step sizes."""

from tff_binary.aggregators.adaptive_mean import AdaptiveMeanFactory
from tff_binary.aggregators.adaptive_mean import LevelSchedule
from tff_binary.aggregators.loss_feedback import LossFeedbackFactory
from tff_binary.aggregators.messages import is_kernel
from tff_binary.aggregators.messages import IsCompressed
from tff_binary.aggregators.model_update import ModelUpdateFactory
from tff_binary.aggregators.packed_mean import PackedMeanFactory
from tff_binary.ops.level_schedules import LossRatio
from tff_binary.ops.level_schedules import Plateau
