"""Searches for where a verdict changes: the smallest number of units that decides, and the largest fraction
that is not rejected.
"""

import math
from collections.abc import Callable

MOST = 1 << 53
"""The largest number of units considered: up to here every whole number is a float."""

SUREST = 1 - 1e-9
"""The largest confidence considered: beyond it rounding decides."""


def smallest_size(decides: Callable[[int], bool], most: int = MOST) -> int | None:
    """The smallest n ≥ 1 that decides, by doubling and then bisection, if deciding is monotone in n; None
    where `most` does not decide.

    >>> smallest_size(lambda n: n >= 299), smallest_size(lambda n: False)
    (299, None)
    """
    high = 1
    while not decides(high):
        high *= 2
        if high > most:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high


def largest_kept(rejected: Callable[[float], bool], low: float) -> float:
    """The smallest fraction in [low, 1] above which all are rejected, rounded up, by bisection;
    1 if none is.
    """
    high = math.nextafter(1.0, 0.0)
    if not rejected(high):
        return 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rejected(middle) else (middle, high)
    return high
