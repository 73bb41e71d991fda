# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Learning tasks by name: data, model and partitions, free of TFF."""

from tasks import cifar10
from tasks import cifar100
from tasks import cinic10
from tasks import digits
from tasks import fmnist
from tasks import images
from tasks import models
from tasks import partition
from tasks import shakespeare
from tasks import svhn
from tasks.registry import load
from tasks.registry import names
from tasks.registry import Task
