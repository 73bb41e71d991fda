# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""One file per algorithm: its hyper-parameters and its recipe."""

# Imported in the order in which tables and help list the algorithms.
# pylint: disable=g-bad-import-order
from tff_binary.algorithms.adaquantfl import AdaQuantFL
from tff_binary.algorithms.adaquantfl import build_adaquantfl
from tff_binary.algorithms.bifl import BiFL
from tff_binary.algorithms.bifl import build_bifl
from tff_binary.algorithms.bifl_full import BiFLFull
from tff_binary.algorithms.bifl_full import build_bifl_full
from tff_binary.algorithms.dadaquant import build_dadaquant
from tff_binary.algorithms.dadaquant import DAdaQuant
from tff_binary.algorithms.eden import build_eden
from tff_binary.algorithms.eden import EDEN
from tff_binary.algorithms.ef_signsgd import build_ef_signsgd
from tff_binary.algorithms.ef_signsgd import EFSignSGD
from tff_binary.algorithms.fedavg import build_fedavg
from tff_binary.algorithms.fedavg import FedAvg
from tff_binary.algorithms.fedbat import build_fedbat
from tff_binary.algorithms.fedbat import FedBAT
from tff_binary.algorithms.fedbif import build_fedbif
from tff_binary.algorithms.fedbif import FedBiF
from tff_binary.algorithms.feddq import build_feddq
from tff_binary.algorithms.feddq import FedDQ
from tff_binary.algorithms.fedmrn import build_fedmrn
from tff_binary.algorithms.fedmrn import FedMRN
from tff_binary.algorithms.fedpaq import build_fedpaq
from tff_binary.algorithms.fedpaq import FedPAQ
from tff_binary.algorithms.fedpm import build_fedpm
from tff_binary.algorithms.fedpm import FedPM
from tff_binary.algorithms.heterofl import build_heterofl
from tff_binary.algorithms.heterofl import HeteroFL
from tff_binary.algorithms.learned_ternary import build_learned_ternary
from tff_binary.algorithms.learned_ternary import LearnedTernary
from tff_binary.algorithms.lpt import build_lpt
from tff_binary.algorithms.lpt import LPT
from tff_binary.algorithms.noisy_signsgd import build_noisy_signsgd
from tff_binary.algorithms.noisy_signsgd import NoisySignSGD
from tff_binary.algorithms.registry import Algorithm
from tff_binary.algorithms.registry import get
from tff_binary.algorithms.registry import names
from tff_binary.algorithms.regularized_fedpm import build_regularized_fedpm
from tff_binary.algorithms.regularized_fedpm import RegularizedFedPM
from tff_binary.algorithms.signsgd import build_signsgd
from tff_binary.algorithms.signsgd import SignSGD
from tff_binary.algorithms.signsgd_majority_vote import build_signsgd_majority_vote
from tff_binary.algorithms.signsgd_majority_vote import SignSGDMajorityVote
from tff_binary.algorithms.splitmix import build_splitmix
from tff_binary.algorithms.splitmix import SplitMix
from tff_binary.algorithms.stoc_signsgd import build_stoc_signsgd
from tff_binary.algorithms.stoc_signsgd import StocSignSGD
from tff_binary.algorithms.top_k import build_top_k
from tff_binary.algorithms.top_k import TopK
from tff_binary.algorithms.zerofl import build_zerofl
from tff_binary.algorithms.zerofl import ZeroFL
