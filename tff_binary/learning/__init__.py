# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Client work, finalizers and processes of federated learning."""

from tff_binary.learning import bit_selectors
from tff_binary.learning.beta_aggregation import build_beta_finalizer
from tff_binary.learning.client_states import ClientStateError
from tff_binary.learning.client_states import ClientStates
from tff_binary.learning.client_store import client_dataset
from tff_binary.learning.client_store import ClientStore
from tff_binary.learning.finalizers import build_bit_freezing_finalizer
from tff_binary.learning.finalizers import build_masked_noise_finalizer
from tff_binary.learning.finalizers import build_model_update_finalizer
from tff_binary.learning.finalizers import build_replacing_finalizer
from tff_binary.learning.keras_models import keras_compute_dtype
from tff_binary.learning.keras_models import keras_model_fn
from tff_binary.learning.keras_models import keras_model_of
from tff_binary.learning.local_training import LocalTraining
from tff_binary.learning.majority_vote import build_majority_vote_finalizer
from tff_binary.learning.masked_model import load_masked_model
from tff_binary.learning.masked_model import save_masked_model
from tff_binary.learning.method import Method
from tff_binary.learning.method import quantizing_activations
from tff_binary.learning.moving_average import build_moving_average_finalizer
from tff_binary.learning.process import build_learning_process
from tff_binary.learning.process import model_tensors
from tff_binary.learning.process import sampled_model_weights
from tff_binary.learning.process import SampledLearningProcess
from tff_binary.learning.round_metrics import round_metrics
from tff_binary.learning.stateful_process import StatefulLearningProcess
from tff_binary.learning.sub_models import BaseSampler
from tff_binary.learning.sub_models import RateChooser
from tff_binary.learning.sub_models import SubModels
