"""Which columns a region depends on, by its gradient, and which pairs of them are plotted."""

from itertools import combinations

import numpy as np
from jaxtyping import Float

from barriers.arrays import torch
from barriers.derivatives import value_and_gradient
from barriers.sets import UnsafeSet

PROBES = 512


def columns_of(region: UnsafeSet, x: Float[np.ndarray, "n d"]) -> list[int]:
    """The columns that a region depends on, in decreasing order of mean |∂s/∂xᵢ| times the
    column's spread.
    """
    rows = np.random.default_rng(0).choice(len(x), min(PROBES, len(x)), replace=False)
    probes = torch.as_tensor(np.asarray(x[np.sort(rows)], dtype=np.float64))
    _, gradient = value_and_gradient(region, probes)
    pull = gradient.nan_to_num(0.0, 0.0, 0.0).abs().mean(0).numpy() * x.std(0)
    return [int(i) for i in np.argsort(-pull, kind="stable") if pull[i] > 0]


def pairs_of(region: UnsafeSet, x: Float[np.ndarray, "n d"], most: int = 3) -> list[tuple[int, int]]:
    """Up to `most` pairs of the columns a region depends on, in column order."""
    ranked = columns_of(region, x)
    return [(min(a, b), max(a, b)) for a, b in combinations(ranked[:4], 2)][:most]
