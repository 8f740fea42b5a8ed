"""A bound on ρ(𝒰) from independent clouds of coupled particles: the unit is the cloud, and its number the
fraction X ∈ [0, 1] inside.

A gambler who bets against E X ≥ m, with a share λ of the largest bet allowed, multiplies the capital at every
cloud:

K_R(m) = mean over λ of Π_{r≤R} (1 + λ (m − X_r) / (1 − m)),   0 ≤ λ ≤ 1.

Each factor is nonnegative with mean at most 1 when E X ≥ m, so P(K ≥ 1/α ever) ≤ α for any distribution of X:
neither normality nor a variance nor independent particles are assumed. The bound is the largest m at which K
< 1/α. [Waudby-Smith and Ramdas 2024, one-sided] Because an unseen cloud might be all inside, R clouds never
give a bound below about log(1/α)/R, however small their fractions: 30 clouds, none with a particle inside,
give .107 at 95 %. Most of the weight is on λ = 1, the best bet for small fractions of little scatter.
"""

import math

import numpy as np
from jaxtyping import Float

from lem_safe.bounds.search import largest_kept, smallest_size

BETS = np.concatenate([[1.0], np.geomspace(0.9, 1e-3, 12)])
WEIGHTS = np.concatenate([[0.76], np.full(12, 0.02)])
"""The λ averaged over, and their weights: fixed before any data, hence no correction."""


def log_capital(fractions: Float[np.ndarray, "r"], m: float) -> float:
    """log K_R(m), the evidence that the mean fraction is below m."""
    return _mixed(_gains(fractions, m).sum(1))


def clouds_needed(beta: float, fractions: Float[np.ndarray, "r"], confidence: float) -> int | None:
    """About how many clouds decide `beta` either way if their fractions stay like these; None where no number
    would.

    >>> clouds_needed(0.1, np.zeros(1), 0.95), clouds_needed(0.03, np.array([0.02]), 0.95)
    (31, 316)
    """
    mean = float(np.mean(fractions))
    if mean == beta or (beta == 0 and mean == 0):
        return None
    if beta == 0:
        return math.ceil(1 / float(np.mean(fractions > 0)))
    each = _gains(fractions, beta).mean(1) if mean < beta else _gains(1 - fractions, 1 - beta).mean(1)
    if not (each > 0).any():
        return None  # the fractions scatter so widely that no bet is worth making at these odds
    threshold = -math.log1p(-confidence)
    return smallest_size(lambda r: _mixed(r * each) >= threshold)


def clouds_all_or_nothing(inside: int, beta: float, confidence: float) -> int | None:
    """The fewest clouds that certify `beta` where `inside` of them are all inside and the others all outside,
    the largest possible scatter.

    >>> clouds_all_or_nothing(0, 0.1, 0.95)
    31
    """
    full, empty = _gains(np.array([1.0, 0.0]), beta).T
    lost = inside * full if inside else np.zeros_like(full)
    threshold = -math.log1p(-confidence)
    return smallest_size(lambda r: r >= inside and _mixed(lost + (r - inside) * empty) >= threshold)


def mean_upper_bound(fractions: Float[np.ndarray, "r"], confidence: float) -> float:
    """The upper bound on the mean of R independent fractions in [0, 1]; raises ValueError for anything
    else.
    """
    x = np.asarray(fractions, dtype=np.float64)
    if x.ndim != 1 or not x.size or not ((x >= 0) & (x <= 1)).all():
        raise ValueError(f"needs the fractions of one cloud or more, each between 0 and 1; got {fractions!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must satisfy 0 < confidence < 1; got {confidence}")
    threshold = -math.log1p(-confidence)
    return largest_kept(lambda m: log_capital(x, m) >= threshold, float(x.mean()))


def _gains(fractions: Float[np.ndarray, "r"], m: float) -> Float[np.ndarray, "l r"]:
    """The logarithm of each bet's factor on each cloud."""
    with np.errstate(divide="ignore"):  # a cloud all inside gives −∞ for the bet λ = 1, and only for that one
        return np.log1p(BETS[:, None] * np.maximum((m - fractions) / (1 - m), -1.0))


def _mixed(gains: Float[np.ndarray, "l"]) -> float:
    """The logarithm of the mean capital over the bets."""
    top = float(gains.max())
    return top + math.log(float(np.exp(gains - top) @ WEIGHTS))
