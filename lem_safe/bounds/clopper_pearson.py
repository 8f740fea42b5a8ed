"""Bounds on a probability from k of n independent samples: Clopper–Pearson (A.2), by the quantiles of a Beta
distribution.

upper  p⁺ = I⁻¹(k+1, n−k; 1−α), 1 where k = n      lower  p⁻ = I⁻¹(k, n−k+1; α), 0 where k = 0

Both cover for every n and p: P(p ≤ p⁺) ≥ 1−α, P(p ≥ p⁻) ≥ 1−α. With k = 0, p⁺ = 1 − α^{1/n} ≈ 3/n at 95 %
(A.3). scipy is imported on first use, so that a command line starts fast.
"""

import math
from typing import NamedTuple

from lem_safe.bounds.search import smallest_size


class Interval(NamedTuple):
    """A lower and an upper end, both probabilities."""

    lower: float
    upper: float


def upper_bound(count: float, n: float, confidence: float) -> float:
    """The one-sided upper bound; n > 0. Counts may be fractional, for planning.

    >>> round(upper_bound(0, 5000, 0.95), 7)
    0.000599
    """
    _checked(count, n, confidence)
    from scipy.special import betaincinv

    return 1.0 if count >= n else float(betaincinv(count + 1, n - count, confidence))


def lower_bound(count: float, n: float, confidence: float) -> float:
    """The one-sided lower bound; n > 0. Counts may be fractional, for planning."""
    _checked(count, n, confidence)
    from scipy.special import betaincinv

    return 0.0 if count <= 0 else float(betaincinv(count, n - count + 1, 1 - confidence))


def interval(count: float, n: float, confidence: float) -> Interval:
    """The two-sided interval, half of α on either side.

    >>> [round(end, 5) for end in interval(250, 5000, 0.95)]
    [0.04412, 0.05641]
    """
    each = (1 + confidence) / 2
    return Interval(lower_bound(count, n, each), upper_bound(count, n, each))


def smallest_beta(n: int, confidence: float) -> float:
    """The smallest tolerance that n samples without one violation certify, 1 − α^{1/n} (A.3, the rule of
    three).
    """
    _checked(0, n, confidence)
    return -math.expm1(math.log1p(-confidence) / n)


def samples_needed(beta: float, true: float, confidence: float) -> int | None:
    """About how many samples decide `beta` either way if the fraction stays `true`; None where no number
    would.

    The count is taken as exactly true·n, so this is the size at which a typical sample decides, not a lucky
    one.

    >>> samples_needed(0.01, 0.0, 0.95)
    299
    """
    if true == beta or (beta == 0 and true == 0):
        return None

    def decides(n: int) -> bool:
        return (
            upper_bound(true * n, n, confidence) <= beta
            if true < beta
            else lower_bound(true * n, n, confidence) > beta
        )

    return smallest_size(decides)


def _checked(count: float, n: float, confidence: float) -> None:
    if not n > 0:
        raise ValueError(f"a bound needs at least one sample; got {n}")
    if not 0 <= count <= n:
        raise ValueError(f"a count must lie between 0 and the number of samples {n}; got {count}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must satisfy 0 < confidence < 1; got {confidence}")
