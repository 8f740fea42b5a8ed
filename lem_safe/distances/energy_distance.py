"""The energy distance between two distributions from weighted draws of both, without bias, and its value
under chance alone (P.5).

    D(P, Q) = 2 E‖X − Y‖ − E‖X − X'‖ − E‖Y − Y'‖  ≥ 0,    0 only where P = Q;    in units of x

    D = 2 aᵀKb − aᵀKa/(1 − Σa²) − bᵀKb/(1 − Σb²),    K_ij = ‖z_i − z_j‖

over points z with weights a of the one distribution and b of the other, each summing to 1. Pairs of a point
with itself are left out, so between two samples of one distribution D is 0 on average, and may be negative,
in any dimension; W₂ between clouds has a floor that grows with it.
"""

import numpy as np
from jaxtyping import Float, Num
from scipy.spatial.distance import cdist

SPLITS = 64
"""The number of random parts used by `chance`."""
ROWS = 1000
"""Rows of the matrix of distances computed at a time."""


def energy_distance(
    x: Num[np.ndarray, "n d"], y: Num[np.ndarray, "k d"], weights: Float[np.ndarray, "k"] | None = None
) -> float:
    """D between draws x and draws y, the latter weighted; O((n + k)² d).

    >>> round(energy_distance(np.array([[0.0], [1.0]]), np.array([[5.0], [6.0]])), 6)
    8.0
    """
    n, k = len(x), len(y)
    b = np.full(k, 1 / k) if weights is None else np.asarray(weights, dtype=float) / np.sum(weights)
    a = np.append(np.full(n, 1 / n), np.zeros(k))[:, None]
    return float(_between(np.concatenate([x, y]), a, np.append(np.zeros(n), b)[:, None])[0])


def chance(
    points: Num[np.ndarray, "l d"], weights: Float[np.ndarray, "l"], n: int, k: int, seed: int = 0
) -> tuple[float, float]:
    """Mean and standard deviation of D between two random parts, of n and of k draws, of weighted draws of
    one distribution.
    """
    rng = np.random.default_rng(seed)
    a, b = np.zeros((2, len(points), SPLITS))
    for j in range(SPLITS):
        order = rng.permutation(len(points))
        a[order[:n], j], b[order[n : n + k], j] = weights[order[:n]], weights[order[n : n + k]]
    found = _between(points, a / a.sum(0), b / b.sum(0))
    return float(found.mean()), float(found.std(ddof=1))


def _between(
    z: Num[np.ndarray, "l d"], a: Float[np.ndarray, "l s"], b: Float[np.ndarray, "l s"]
) -> Float[np.ndarray, "s"]:
    """D for each of s pairs of weights, one per column."""
    z, both = np.asarray(z, dtype=float), np.concatenate([a, b], 1)
    K = np.concatenate([cdist(z[i : i + ROWS], z) @ both for i in range(0, len(z), ROWS)])
    Ka, Kb = np.split(K, 2, axis=1)
    return (
        2 * (a * Kb).sum(0) - (a * Ka).sum(0) / (1 - (a * a).sum(0)) - (b * Kb).sum(0) / (1 - (b * b).sum(0))
    )
