# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""TFF aggregation factories that unpack bytes and apply step sizes."""

from tff_binary.aggregators.adaptive_mean import AdaptiveMeanFactory
from tff_binary.aggregators.adaptive_mean import LevelSchedule
from tff_binary.aggregators.loss_feedback import LossFeedbackFactory
from tff_binary.aggregators.messages import is_kernel
from tff_binary.aggregators.messages import IsCompressed
from tff_binary.aggregators.model_update import ModelUpdateFactory
from tff_binary.aggregators.owners_mean import build_owners_mean
from tff_binary.aggregators.owners_mean import SubModelFormat
from tff_binary.aggregators.packed_mean import PackedMeanFactory
from tff_binary.aggregators.side_information_mean import SideInformationMeanFactory
from tff_binary.ops.level_schedules import LossRatio
from tff_binary.ops.level_schedules import Plateau
