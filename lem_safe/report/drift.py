"""Whether the fraction inside still changes: the last quarter of the steps against the quarter before it.

Each mean has an error from ten stretches of its quarter (batch means), which is too small for slow chains: a
diagnostic on which nothing depends.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lem_safe.report.contents import Contents
from lem_safe.report.words import percent

STRETCHES = 10
APART = 4.0
"""The number of errors of the difference from which on a fraction is said to change."""


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
    """Rows of a table: region, cloud, the previous quarter, the last quarter, and the conclusion. label: the
    name of the run's samples.
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
