"""Whether a cloud of many short chains has settled: its particles have forgotten where they started, and its
means no longer drift (L.11).

R̂ of single particles asks that every one of them has been everywhere, about 80 relaxation times. A cloud is
distributed as the energy long before that: when the state of a particle no longer depends on its start. With
the particles in K groups of M by the rank of a quantity at the start,

    R̂_nested = √(1 + (B − W/M)₊/W),   B = variance of the groups' means now,   W = mean variance in a group,

which is nested R̂ (Margossian et al.) with groups of neighbouring starts and the chance in B taken away. The
drift compares every particle with itself at an earlier record, |mean(d)|/se(d).
Diagnostics, never certificates: neither sees a mode that no particle started in or has reached.
"""

import numpy as np
from jaxtyping import Float

FORGOTTEN = 1.05
"""Nested R̂ up to which the start is considered forgotten."""
STILL = 4.0
"""Standard errors up to which a mean is considered not to drift."""
FEWEST = 16
"""Particles below which there are no groups to compare."""


def nested_rhat(now: Float[np.ndarray, "s q"], start: Float[np.ndarray, "s p"]) -> float:
    """The largest nested R̂ of any quantity now, with groups by any quantity at the start; NaN for fewer than
    16 particles, where all started at one place, or where nothing varies now.

    Two independent quantities give 1 up to chance; what determines the other gives much more than 1.
    """
    s = len(now)
    if s < FEWEST:
        return float("nan")
    groups = round((2 * s) ** (1 / 3))  # few, so that chance in their means is small: M is about (s²/2)^⅓
    size = s // groups
    found = [
        value
        for column in start.T
        if np.ptp(column) > 0
        for value in _between(now[np.argsort(column, kind="stable")[: groups * size]], groups)
    ]
    return max(found, default=float("nan"))


def _between(rows: Float[np.ndarray, "n q"], groups: int) -> list[float]:
    """√(1 + (B − W/M)₊/W) of every quantity that varies, of rows that are sorted by groups."""
    each = rows.reshape(groups, -1, rows.shape[1])
    W, B = each.var(axis=1, ddof=1).mean(0), each.mean(1).var(axis=0, ddof=1)
    varies = W > 0
    ratio = np.maximum(B - W / each.shape[1], 0)[varies] / W[varies]
    return [float(np.sqrt(1 + r)) for r in ratio]


def drift(now: Float[np.ndarray, "s q"], before: Float[np.ndarray, "s q"]) -> float:
    """The largest change of a mean since an earlier record, in standard errors over particles; NaN for fewer
    than two particles, or where nothing changed by different amounts.
    """
    if len(now) < 2:
        return float("nan")
    d = now - before
    mean, error = d.mean(0), d.std(0, ddof=1) / np.sqrt(len(d))
    known = error > 0
    return float((np.abs(mean[known]) / error[known]).max()) if known.any() else float("nan")


def settled(nested: float, moved: float) -> bool | None:
    """Whether a cloud with this nested R̂ and this drift has settled; None where neither is known."""
    known = [value <= most for value, most in ((nested, FORGOTTEN), (moved, STILL)) if not np.isnan(value)]
    return all(known) if known else None
