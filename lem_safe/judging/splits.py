"""Random parts of equal size: two of the real rows, disjoint, and one of the samples.

Each measure is taken of (part of the real rows, samples) and beside it of (part, other part): the same
function at the same numbers of rows, so that the second is what chance alone makes of the first (J.7).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from lem_safe.judging.table import Table

SIGMAS = 4.0
"""Standard deviations of a split beyond the mean of the floor that are still within it."""


Side = Literal["above", "below", "both"]
"""On which side of the floor a measure is beyond it."""


class Split(NamedTuple):
    """h rows each: of the real rows, of other real rows, of the samples."""

    real: Table
    other: Table
    samples: Table


def size_of(real: int, samples: int, most: int) -> int:
    """h: half of the real rows, or as many as there are samples, and at most `most`."""
    return min(real // 2, samples, most)


def splits(real: Table, samples: Table, count: int, most: int, rng: np.random.Generator) -> Iterator[Split]:
    """`count` splits of at most `most` rows each; none where there are fewer than two real rows."""
    h = size_of(len(real), len(samples), most)
    for _ in range(count if h else 0):
        chosen = rng.permutation(len(real))[: 2 * h]
        drawn = rng.permutation(len(samples))[:h]
        yield Split(real.rows(chosen[:h]), real.rows(chosen[h:]), samples.rows(drawn))


@dataclass(frozen=True)
class Beside:
    """A measure and its floor, over the splits: the mean and the standard deviation of each, of `rows` rows a
    part. side: where it is beyond the floor.
    """

    found: float
    found_sd: float
    floor: float
    floor_sd: float
    rows: int
    splits: int
    side: Side = "above"

    @property
    def reach(self) -> float:
        """How far from the mean of the floor is still within it."""
        pooled = np.sqrt((self.found_sd**2 + self.floor_sd**2) / 2)
        return SIGMAS * float(max(pooled, self.floor_sd)) + 1e-12

    @property
    def within(self) -> bool:
        """Whether the measure is one that two halves of the real rows may have."""
        away = self.found - self.floor
        return {"above": away, "below": -away, "both": abs(away)}[self.side] <= self.reach


def beside(
    values: Sequence[Sequence[float]] | Float[np.ndarray, "2 k"],
    rows: int,
    side: Side = "above",
    least: float = 0.0,
) -> Beside | None:
    """The measure beside its floor, of one value a split each, [2, splits]; None without any, or where one is
    not finite. least: what the standard deviation of a split is at least, where it is known.
    """
    pairs: Float[np.ndarray, "2 k"] = np.array(values, dtype=np.float64)
    if not pairs.size or not np.isfinite(pairs).all():
        return None
    sd = pairs.std(1, ddof=1) if pairs.shape[1] > 1 else np.zeros(2)
    (a, b), (s, t) = pairs.mean(1).tolist(), sd.tolist()
    return Beside(a, s, b, max(t, least), rows, pairs.shape[1], side)
