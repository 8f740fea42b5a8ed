"""How far unfiltered samples are from the rows that their energy was learned from, column by column: a
diagnostic of the energy, not of the filter.

For each column, n samples x against m rows y (A.16):

    outside = share of x outside [min y, max y],   spread = std x / std y,   KS = max |F_x − F_y|,

the KS distance [@massey1951kolmogorov] with each sample moved to the nearest value of the rows, so that a
column of few values is compared with itself; and over all pairs of columns the largest difference of
correlations. Each is bad only where it exceeds sampling noise at these sizes plus a margin:

    outside > 2/(m+1) + .02 + 4√(p(1−p)/n), p = 2/(m+1);   |log spread| > log 1.25 + 4√((k−1)/4 · (1/n +
        1/m)), k the rows' kurtosis;
    KS > .1 + 1.95√(1/n + 1/m);   |difference of correlations| > .1 + 4√(1/n + 1/m).
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from lem_safe.data.concerns import Concern
from lem_safe.formatting import percent

MOST = 20_000
"""The largest number of rows and samples compared, evenly spaced."""
SIGMAS, SURE = 4.0, 1.95
"""Standard errors of sampling noise; for the KS distance, the level that one comparison in a thousand
exceeds.
"""
OUTSIDE, SPREAD, DISTANCE, CORRELATION = 0.02, 1.25, 0.1, 0.1
"""Margins: differences up to these are not bad, however many samples there are."""
NAMED = 3
"""The number of columns that warnings name."""


@dataclass(frozen=True)
class ColumnFidelity:
    """One column. bad: which of the numbers are. below: the share of samples below 0 where no row is
    negative.
    """

    column: str
    outside: float
    spread: float | None
    distance: float
    below: float
    bad: tuple[str, ...]


@dataclass(frozen=True)
class Fidelity:
    """n samples against m rows. correlation: the pair of columns that differs most, with the correlation of
    the rows and of the samples; None for d = 1.
    """

    rows: int
    samples: int
    columns: tuple[ColumnFidelity, ...]
    correlation: tuple[str, str, float, float] | None
    correlation_bad: bool

    @property
    def line(self) -> str:
        """One line with the worst of each number."""
        worst = max(self.columns, key=lambda c: c.distance)
        out = max(self.columns, key=lambda c: c.outside)
        wide = max(self.columns, key=lambda c: _log_spread(c.spread))
        parts = [f"outside the data's range at most {percent(out.outside)} ({out.column})"]
        parts += (
            [f"spread {wide.spread:.3g} of the data's ({wide.column})"] if wide.spread is not None else []
        )
        parts.append(f"KS distance {worst.distance:.2g} ({worst.column})")
        if self.correlation is not None:
            a, b, ours, theirs = self.correlation
            parts.append(f"correlation of {a} and {b} {theirs:.2f} where the data have {ours:.2f}")
        bad = sum(bool(c.bad) for c in self.columns) + self.correlation_bad
        word = "far from the data" if bad else "like the data"
        return (
            f"Fidelity: unfiltered samples are {word}: {', '.join(parts)}, each the worst of "
            f"{len(self.columns):,} columns."
        )

    def warnings(self, concerns: Sequence[Concern] = ()) -> list[str]:
        """What is bad, in words, with the likely cause. concerns: remarks on the rows."""
        bad = sorted((c for c in self.columns if c.bad), key=lambda c: (-len(c.bad), -c.distance))
        said = [_sentence(c, concerns) for c in bad[:NAMED]]
        if len(bad) > NAMED:
            said.append(f"{len(bad) - NAMED:,} more columns are far from the data.")
        if self.correlation_bad and self.correlation is not None:
            a, b, ours, theirs = self.correlation
            said.append(
                f"Columns '{a}' and '{b}' correlate by {theirs:.2f} in the samples, by {ours:.2f} in the "
                "data."
            )
        return said

    def to_dict(self, concerns: Sequence[Concern] = ()) -> dict[str, Any]:
        """For run.json."""
        return {**asdict(self), "line": self.line, "warnings": self.warnings(concerns)}


def fidelity(
    rows: Float[np.ndarray, "m d"], samples: Float[np.ndarray, "n d"], columns: Sequence[str]
) -> Fidelity:
    """Every number (A.16), from at most MOST rows and samples, at least two of each."""
    y, x = (
        _evenly_spaced(np.asarray(rows, dtype=np.float64)),
        _evenly_spaced(np.asarray(samples, dtype=np.float64)),
    )
    each = tuple(_column(name, y[:, i], x[:, i]) for i, name in enumerate(columns))
    pair, bad = _correlation(y, x, columns)
    return Fidelity(len(rows), len(samples), each, pair, bad)


def ks_distance(y: Float[np.ndarray, "m"], x: Float[np.ndarray, "n"]) -> float:
    """max |F_x − F_y| with every x moved to the nearest value of y."""
    values, counts = np.unique(y, return_counts=True)
    above = np.searchsorted(values, x)
    right, left = values[np.minimum(above, len(values) - 1)], values[np.maximum(above - 1, 0)]
    nearest = np.where(np.abs(x - left) <= np.abs(right - x), left, right)
    ours = np.bincount(np.searchsorted(values, nearest), minlength=len(values)).cumsum() / len(x)
    return float(np.abs(ours - counts.cumsum() / len(y)).max())


def _column(name: str, y: Float[np.ndarray, "m"], x: Float[np.ndarray, "n"]) -> ColumnFidelity:
    n, m = len(x), len(y)
    low, high = float(y.min()), float(y.max())
    std = float(y.std()) if low < high else 0.0
    outside = float(((x < low) | (x > high)).mean())
    spread = float(x.std()) / std if std > 0 else None
    distance = ks_distance(y, x)
    p = 2 / (m + 1)
    k = float((((y - y.mean()) / std) ** 4).mean()) if std > 0 else 1.0
    chance = SIGMAS * math.sqrt(max(k - 1, 0) / 4 * (1 / n + 1 / m))
    bad = {
        "outside": outside > p + OUTSIDE + SIGMAS * math.sqrt(p * (1 - p) / n),
        "spread": _log_spread(spread) > math.log(SPREAD) + chance,
        "distance": distance > DISTANCE + SURE * math.sqrt(1 / n + 1 / m),
    }
    below = float((x < 0).mean()) if low >= 0 else 0.0
    return ColumnFidelity(
        name, outside, spread, distance, below, tuple(what for what, is_bad in bad.items() if is_bad)
    )


def _moves(z: Float[np.ndarray, "n d"]) -> Bool[np.ndarray, "d"]:
    """Which columns have more than one value; the deviation of equal values may be a rounding error."""
    return (np.ptp(z, axis=0) > 0) & (z.std(0) > 0)


def _correlation(
    y: Float[np.ndarray, "m d"], x: Float[np.ndarray, "n d"], columns: Sequence[str]
) -> tuple[tuple[str, str, float, float] | None, bool]:
    moving = np.flatnonzero(_moves(y) & _moves(x))
    if len(moving) < 2:
        return None, False
    ours, theirs = (np.corrcoef(z[:, moving].T) for z in (y, x))
    far = np.nan_to_num(np.triu(np.abs(ours - theirs), 1))  # a variance may underflow
    i, j = (int(k) for k in np.unravel_index(far.argmax(), far.shape))
    pair = columns[moving[i]], columns[moving[j]], float(ours[i, j]), float(theirs[i, j])
    return pair, bool(far[i, j] > CORRELATION + SIGMAS * math.sqrt(1 / len(x) + 1 / len(y)))


def _sentence(c: ColumnFidelity, concerns: Sequence[Concern]) -> str:
    """What is bad in one column, and the likely cause."""
    parts = []
    if "outside" in c.bad:
        parts.append(f"{percent(c.outside)} of the samples are outside the data's range")
    if c.below > OUTSIDE:
        parts.append(f"it is never negative in the data and negative in {percent(c.below)} of the samples")
    if "spread" in c.bad and c.spread is not None:
        parts.append(f"its standard deviation is {c.spread:.3g} times the data's")
    if "distance" in c.bad:
        parts.append(f"its KS distance from the data is {c.distance:.2g}")
    known = [concern for concern in concerns if concern.column in (c.column, None)]
    advice = (
        "train for longer, with more rows, or run more steps; a limit of the range can be a region of its own"
    )
    cause = known[0].brief if known else advice
    return f"Column '{c.column}': {', '.join(parts)}; {cause}."


def _log_spread(spread: float | None) -> float:
    """|log spread|; 0 where the spread is None."""
    return 0.0 if spread is None else math.inf if spread <= 0 else abs(math.log(spread))


def _evenly_spaced(x: np.ndarray) -> np.ndarray:
    return x if len(x) <= MOST else x[np.linspace(0, len(x) - 1, MOST).astype(int)]
