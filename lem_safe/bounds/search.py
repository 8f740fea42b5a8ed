"""Where a verdict turns: the smallest number of units that decides, and the largest fraction that is not
rejected.
"""

import math
from collections.abc import Callable

MOST = 1 << 53
"""As far as anything is counted: up to here every whole number is a float."""

SUREST = 1 - 1e-9
"""The largest confidence that is asked for: beyond it rounding decides."""


def smallest_size(decides: Callable[[int], bool], most: int = MOST) -> int | None:
    """The smallest n ≥ 1 that decides, by doubling and then bisection, if more never decide less; None where
    `most` do not.

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
    """The fraction in [low, 1] from which on all are rejected, rounded up, by bisection; 1 where none is."""
    high = math.nextafter(1.0, 0.0)
    if not rejected(high):
        return 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rejected(middle) else (middle, high)
    return high
