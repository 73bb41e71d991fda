# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Analysis of trained models and of what runs have left in their folders."""

from tff_binary.analysis.lipschitz import LipschitzBound
from tff_binary.analysis.lipschitz import UnboundedError
from tff_binary.analysis.operators import dense_matrix
from tff_binary.analysis.operators import spectral_norm
from tff_binary.analysis.plots import plot_histograms
from tff_binary.analysis.plots import plot_quantity
from tff_binary.analysis.quantities import analyze
from tff_binary.analysis.quantities import Analysis
from tff_binary.analysis.quantities import summarize
from tff_binary.analysis.quantities import write_csv
from tff_binary.analysis.weights import histogram
from tff_binary.analysis.weights import sparsity
