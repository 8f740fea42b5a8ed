"""A bound on ρ(𝒰) from independent clouds of coupled particles: the cloud is the unit, its fraction X ∈ [0, 1] the number.

A gambler who bets against E X ≥ m, a share λ of the largest bet allowed, multiplies the capital with every cloud:

K_R(m) = mean over λ of Π_{r≤R} (1 + λ (m − X_r) / (1 − m)),   0 ≤ λ ≤ 1.

Each factor is nonnegative with mean at most 1 when E X ≥ m, so P(K ≥ 1/α ever) ≤ α, whatever the law of X: no normality, no
variance, nothing about the particles. The bound is the largest m at which K < 1/α. [Waudby-Smith and Ramdas 2024, one-sided]
Because an unseen cloud might be all inside, R clouds never bound better than about log(1/α)/R, however small their fractions:
30 clouds, none with a particle inside, give .107 at 95 %. Most of the weight is on λ = 1, the best bet on small, even fractions.
"""

import math

import numpy as np
from jaxtyping import Float

BETS = np.concatenate([[1.0], np.geomspace(0.9, 1e-3, 12)])
WEIGHTS = np.concatenate([[0.76], np.full(12, 0.02)])
"""The λ averaged over, and their weights: fixed before any data, hence no correction."""


def log_capital(fractions: Float[np.ndarray, "r"], m: float) -> float:
    """log K_R(m), the evidence that the mean fraction is below m."""
    with np.errstate(divide="ignore"):  # a cloud all inside ruins the bet λ = 1, and only that one
        gains = np.log1p(BETS[:, None] * np.maximum((m - fractions) / (1 - m), -1.0)).sum(1)
    top = float(gains.max())
    return top + math.log(float(np.exp(gains - top) @ WEIGHTS))


def mean_upper_bound(fractions: Float[np.ndarray, "r"], confidence: float) -> float:
    """The upper bound on the mean of R independent fractions in [0, 1]; raises ValueError for anything else."""
    x = np.asarray(fractions, dtype=np.float64)
    if x.ndim != 1 or not x.size or not ((x >= 0) & (x <= 1)).all():
        raise ValueError(f"needs the fractions of one cloud or more, each between 0 and 1; got {fractions!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must satisfy 0 < confidence < 1; got {confidence}")
    threshold = -math.log1p(-confidence)
    low, high = float(x.mean()), math.nextafter(1.0, 0.0)
    if log_capital(x, high) < threshold:
        return 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if log_capital(x, middle) >= threshold else (middle, high)
    return high
