# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""What single tensors of weights look like."""

import numpy as np

_BINS = 101  # Odd: zero is in the middle of one.


def sparsity(weights: np.ndarray) -> float:
  """Returns the share of entries that are exactly zero; 0 for no entries."""
  return float(np.mean(weights == 0.0)) if weights.size else 0.0


def histogram(
    weights: np.ndarray, largest: float
) -> tuple[np.ndarray, np.ndarray]:
  """Returns how many entries are in each of 101 bins of equal width.

  Args:
    weights: An array.
    largest: A number that no entry exceeds in magnitude.

  Returns:
    The 102 edges of the bins, from `-largest` to `largest`, and the 101 counts.
    If `largest` is 0 the edges are those of 1.
  """
  largest = largest or 1.0
  counts, edges = np.histogram(weights, _BINS, (-largest, largest))
  return edges, counts
