"""The Wasserstein-2 distance between two clouds of equal size, exactly, by optimal assignment; and its value
under chance alone.

    W₂² = min over permutations of mean ‖xᵢ − y_π(i)‖².

Two samples of one distribution are not at distance 0: the floor is W₂ between two independent samples of the
same size, and should be reported with every value.
"""

import math

import numpy as np
from jaxtyping import Num

MOST = 2000
"""An assignment costs about n³: two seconds for this many."""


def wasserstein2(x: Num[np.ndarray, "n d"], y: Num[np.ndarray, "n d"]) -> float:
    """Exact W₂ of two clouds of equal size, at most MOST points each."""
    if len(x) > MOST:
        raise ValueError(
            f"wasserstein2: at most {MOST} points, an assignment costs n³; got {len(x)}; take a subsample"
        )
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    cost = cdist(np.asarray(x, dtype=float), np.asarray(y, dtype=float), "sqeuclidean")
    return math.sqrt(cost[linear_sum_assignment(cost)].mean())


def noise_floor(
    pool: Num[np.ndarray, "k d"], size: int, repeats: int = 5, seed: int = 0
) -> tuple[float, float]:
    """Mean and standard deviation of W₂ between two disjoint random samples of `size` rows of `pool`, which
    needs 2 × size rows.
    """
    if len(pool) < 2 * size:
        raise ValueError(f"noise_floor: needs 2 x {size} rows; got {len(pool)}")
    rng = np.random.default_rng(seed)
    picks = [rng.permutation(len(pool))[: 2 * size] for _ in range(repeats)]
    found = [wasserstein2(pool[p[:size]], pool[p[size:]]) for p in picks]
    return float(np.mean(found)), float(np.std(found))
