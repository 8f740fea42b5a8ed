"""The range of a plot: an interval that stays useful despite single extreme rows, far regions and columns
without spread.

The outermost thousandth of each series is cut; so is what lies further beyond the middle nine tenths than FAR
times their width. The interval is never narrower than floating-point numbers of its size resolve, and never
so wide that its width overflows.
"""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

TAIL = 0.001
FAR = 50.0
LARGEST = 1e300
NARROWEST = 1e-9, 1e-250
"""The smallest width of an interval: this share of the larger of its ends, and this."""

Interval = tuple[float, float]


def interval(series: Iterable[Float[np.ndarray, "_"]], tail: float = TAIL) -> Interval:
    """The interval that shows all the series; (0, 1) where nothing is finite."""
    ends = []
    for y in series:
        known = np.clip(np.asarray(y, dtype=np.float64)[np.isfinite(y)], -LARGEST, LARGEST)
        if len(known):
            first, low, high, last = np.quantile(known, [tail, 0.05, 0.95, 1 - tail]).tolist()
            reach = FAR * (high - low) or np.inf
            ends.append((max(first, low - reach), min(last, high + reach)))
    return widened(min(a for a, _ in ends), max(b for _, b in ends)) if ends else (0.0, 1.0)


def widened(low: float, high: float) -> Interval:
    """The interval, widened where it is too narrow to be divided; for a single number, one that
    begins there.
    """
    share, least = NARROWEST
    width = max(share * max(abs(low), abs(high)), least)
    if high - low >= width:
        return low, high
    if high == low:
        return low, low + max(1.0, width)
    middle = low / 2 + high / 2
    return middle - width / 2, middle + width / 2
