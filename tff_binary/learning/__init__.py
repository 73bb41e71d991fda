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
"""Client work, finalizers and processes of federated learning."""

from tff_binary.learning import bit_selectors
from tff_binary.learning.client_states import ClientStates
from tff_binary.learning.client_store import client_dataset
from tff_binary.learning.client_store import ClientStore
from tff_binary.learning.finalizers import build_bit_freezing_finalizer
from tff_binary.learning.finalizers import build_replacing_finalizer
from tff_binary.learning.keras_models import keras_compute_dtype
from tff_binary.learning.keras_models import keras_model_fn
from tff_binary.learning.keras_models import keras_model_of
from tff_binary.learning.local_training import LocalTraining
from tff_binary.learning.majority_vote import build_majority_vote_finalizer
from tff_binary.learning.process import build_learning_process
from tff_binary.learning.round_metrics import round_metrics
from tff_binary.learning.stateful_process import StatefulLearningProcess
