"""Whether the fraction inside still moves: the last quarter of the steps against the quarter before it.

Each mean has an error from ten stretches of its quarter (batch means), which slow chains make look smaller
than it is: a diagnostic, not a test that anything rests on.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lem_safe.report.contents import Contents
from lem_safe.report.words import percent

STRETCHES = 10
APART = 4.0
"""Errors of the difference from which on a fraction is said to move."""


class Drift(NamedTuple):
    """Means over the third and the last quarter of the steps, with their errors."""

    before: float
    before_error: float
    last: float
    last_error: float

    @property
    def moves(self) -> bool:
        """Whether the quarters differ by more than four errors."""
        return abs(self.last - self.before) > APART * math.hypot(self.before_error, self.last_error)


def drift_of(fraction: Float[np.ndarray, "t"]) -> Drift | None:
    """The drift of one recorded fraction; None where a quarter has fewer steps than twice the stretches, or
    steps were not counted.
    """
    quarter = len(fraction) // 4
    if quarter < 2 * STRETCHES or not np.isfinite(fraction[-2 * quarter :]).all():
        return None
    (before, before_error), (last, last_error) = (
        _mean(part) for part in np.split(fraction[-2 * quarter :], 2)
    )
    return Drift(before, before_error, last, last_error)


def drifts(contents: Contents, label: str) -> list[tuple[str, str, str, str, str]]:
    """Rows of a table: region, whose fraction, the quarter before, the last quarter, and what that says.
    label: what the run's samples are called.
    """
    traces = {label: contents.trace, **({"unfiltered": contents.reference} if label != "unfiltered" else {})}
    rows = []
    for k, c in enumerate(contents.audit["constraints"]):
        for who, trace in traces.items():
            found = drift_of(trace["fraction"][:, k]) if "fraction" in trace else None
            if found is not None:
                before, last = (
                    _with_error(found.before, found.before_error),
                    _with_error(found.last, found.last_error),
                )
                rows.append((c["set"], who, before, last, "still moves" if found.moves else "no drift seen"))
    return rows


def _mean(part: Float[np.ndarray, "q"]) -> tuple[float, float]:
    means = np.array([stretch.mean() for stretch in np.array_split(part, STRETCHES)])
    return float(part.mean()), float(means.std(ddof=1) / math.sqrt(STRETCHES))


def _with_error(mean: float, error: float) -> str:
    return f"{percent(mean)} ± {100 * error:.1g}" if error > 1e-12 else percent(mean)
