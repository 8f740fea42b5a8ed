"""How well a score distinguishes two sets of rows; out-of-distribution is positive and has higher scores, in
a fixed orientation.

    AUROC = P(s_out > s_in) + ½P(s_out = s_in) = (R_out − n_out(n_out + 1)/2) / (n_in n_out), R_out the sum of
    midranks.

An AUROC below ½ is reported as it is: the score is worse than chance, and reversing it would need the labels.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from scipy.stats import rankdata

REPETITIONS = 1000
ENOUGH = 10
"""Rows on each side below which there is no interval: a bootstrap of so few is unreliable."""


class Detection(NamedTuple):
    """AUROC with its bootstrap interval, the false positive rate at 95 % true positives, and the area under
    the precision-recall curve.
    low, high: None where either side has fewer than ENOUGH rows.
    """

    auroc: float
    low: float | None
    high: float | None
    fpr95: float
    aupr: float


class Curve(NamedTuple):
    """The ROC: rates at every threshold, from (0, 0) to (1, 1)."""

    false_positive: Float64[np.ndarray, "k"]
    true_positive: Float64[np.ndarray, "k"]


def auroc(inside: Float64[np.ndarray, "n"], outside: Float64[np.ndarray, "q"]) -> float:
    """The probability that a row from outside scores higher, ties counted half."""
    n_in, n_out = _sizes(inside, outside)
    ranks = rankdata(np.concatenate([inside, outside]))
    return float((ranks[n_in:].sum() - n_out * (n_out + 1) / 2) / (n_in * n_out))


def detect(
    inside: Float64[np.ndarray, "n"],
    outside: Float64[np.ndarray, "q"],
    seed: int = 0,
    confidence: float = 0.95,
    repetitions: int = REPETITIONS,
) -> Detection:
    """Every number for one score: rows in distribution against rows out of it. Raises ValueError for an empty
    side or a NaN.
    """
    low, high = _interval(inside, outside, seed, confidence, repetitions)
    curve = roc(inside, outside)
    return Detection(auroc(inside, outside), low, high, _fpr(curve, 0.95), _aupr(inside, outside))


def roc(inside: Float64[np.ndarray, "n"], outside: Float64[np.ndarray, "q"]) -> Curve:
    """The rates of `score >= t` for every t, with decreasing thresholds."""
    n_in, n_out = _sizes(inside, outside)
    false, true = _counts(inside, outside)
    return Curve(np.concatenate([[0.0], false / n_in]), np.concatenate([[0.0], true / n_out]))


def _counts(inside: np.ndarray, outside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many rows of each side score at least t, for each distinct t in decreasing order."""
    levels = np.unique(np.concatenate([inside, outside]))[::-1]
    below = [np.searchsorted(np.sort(side), levels, side="left") for side in (inside, outside)]
    return len(inside) - below[0], len(outside) - below[1]


def _fpr(curve: Curve, level: float) -> float:
    """The smallest false positive rate of a threshold that detects at least `level` of the outside rows."""
    return float(curve.false_positive[np.argmax(curve.true_positive >= level)])


def _aupr(inside: np.ndarray, outside: np.ndarray) -> float:
    """Average precision: Σ (recall_k − recall_{k−1}) precision_k."""
    false, true = _counts(inside, outside)
    return float(np.sum(np.diff(true / len(outside), prepend=0.0) * true / (true + false)))


def _interval(
    inside: np.ndarray, outside: np.ndarray, seed: int, confidence: float, repetitions: int
) -> tuple[float, float] | tuple[None, None]:
    """Percentiles of the AUROC when each side is drawn again with replacement; the scores are sorted once."""
    if min(len(inside), len(outside)) < ENOUGH:
        return None, None
    draw = np.random.default_rng([seed, len(inside), len(outside)])
    levels, place = np.unique(np.concatenate([inside, outside]), return_inverse=True)
    sides = place[: len(inside)], place[len(inside) :]

    def once() -> float:
        within, beyond = (
            np.bincount(side[draw.integers(len(side), size=len(side))], minlength=len(levels))
            for side in sides
        )
        below = np.cumsum(within) - within / 2  # a tie counts half
        return float(beyond @ below / (len(inside) * len(outside)))

    found = [once() for _ in range(repetitions)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(found, [tail, 1 - tail])
    return float(low), float(high)


def _sizes(inside: np.ndarray, outside: np.ndarray) -> tuple[int, int]:
    for name, side in (("inside", inside), ("outside", outside)):
        if len(side) == 0:
            raise ValueError(f"detection: {name} must hold at least one score; got none")
        if np.isnan(side).any():
            raise ValueError(
                f"detection: {name} must hold no NaN; got {int(np.isnan(side).sum())} of {len(side)}"
            )
    return len(inside), len(outside)
