"""The worst samples of one region: the deepest inside, else the nearest, in an order that leaves nothing to
the order in which rows come.

Rows are ordered by their clearance, rows inside without one first, rows outside without one last; rows of the
same clearance by their numbers, and where they have none by the bits of their values.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64

WORST = 20
"""The number of deepest (else nearest) samples that are kept."""


@dataclass(frozen=True)
class Sample:
    """One sample: its row (from 0, in file order; None where rows have no numbers), whether it is inside, its
    clearance, its values, and the number of its unit, if any. cells: the values as a person reads them, where
    some are no numbers; their values are then the numbers that stand for them, and None is a missing one.
    """

    row: int | None
    inside: bool
    clearance: float | None
    values: tuple[float | None, ...]
    unit: int | None = None
    cells: tuple[str, ...] | None = None


class Rows(NamedTuple):
    """Some rows: their rank (the clearance, or an infinite number), numbers, values and units."""

    rank: Float[np.ndarray, "k"]
    inside: Bool[np.ndarray, "k"]
    at: Int64[np.ndarray, "k"]
    x: Float[np.ndarray, "k d"]
    unit: Int64[np.ndarray, "k"]

    def take(self, which: np.ndarray) -> "Rows":
        """Some of them."""
        return Rows(*(part[which] for part in self))


class Worst:
    """The worst rows so far; with `apart`, at most one of each unit, as neighbouring rows of a path are the
    same event.
    """

    def __init__(self, apart: bool = False, numbered: bool = True) -> None:
        self.apart, self.numbered = apart, numbered
        self.rows: Rows | None = None
        self._units = False

    def add(
        self,
        rank: Float[np.ndarray, "b"],
        inside: Bool[np.ndarray, "b"],
        x: Float[np.ndarray, "b d"],
        unit: Int64[np.ndarray, "b"] | None,
        at: int,
    ) -> None:
        """Adds one block, whose first row has the number `at`."""
        last, least = np.inf, rank.min()
        if self.rows is not None and len(self.rows.rank) == WORST:
            last = self.rows.rank[-1]
            if least > last or (self.numbered and least == last and at > self.rows.at[-1]):
                return
        kept = np.flatnonzero(rank <= last)
        if len(kept) > WORST and not (self.apart and unit is not None):
            limit = np.partition(rank[kept], WORST - 1)[WORST - 1]
            kept = kept[rank[kept] <= limit]
            if self.numbered:  # ties are in the order of their numbers
                kept = kept[np.argsort(rank[kept], kind="stable")[:WORST]]
        self._units = unit is not None
        numbers = at + kept if self.numbered else np.zeros(len(kept), dtype=np.int64)
        units = np.zeros(len(kept), dtype=np.int64) if unit is None else unit[kept]
        self._take(Rows(rank[kept], inside[kept], numbers, x[kept], units))

    def samples(self, number: Callable[[int], int | None]) -> tuple[Sample, ...]:
        """The worst first. number: how a row is counted, from 0."""
        if self.rows is None:
            return ()
        return tuple(
            Sample(
                number(at),
                inside,
                rank if np.isfinite(rank) else None,
                tuple(values),
                unit if self._units else None,
            )
            for rank, inside, at, values, unit in zip(*(part.tolist() for part in self.rows), strict=True)
        )

    def plus(self, other: "Worst") -> "Worst":
        """The worst rows of both."""
        both = Worst(self.apart, self.numbered)
        both._units = self._units or other._units
        for part in (self.rows, other.rows):
            if part is not None:
                both._take(part)
        return both

    def state(self) -> dict[str, Any]:
        """What there is to store."""
        rows = None if self.rows is None else dict(zip(Rows._fields, self.rows, strict=True))
        return {"units": self._units, "rows": rows}

    @classmethod
    def of_state(cls, state: Mapping[str, Any], apart: bool) -> "Worst":
        """The rows that were stored."""
        found = cls(apart)
        found._units = bool(state["units"])
        if state["rows"] is not None:
            found._take(Rows(**state["rows"]))
        return found

    def _take(self, fresh: Rows) -> None:
        """Keeps the WORST rows of these and those so far."""
        every = fresh if self.rows is None else Rows(*map(np.concatenate, zip(self.rows, fresh, strict=True)))
        bits = np.ascontiguousarray(every.x).view(np.int64)
        keys = [every.at] if self.numbered else [*bits.T[::-1], every.unit]
        order = np.lexsort((*keys, every.rank))
        if self.apart and self._units:
            first = np.unique(every.unit[order], return_index=True)[1]
            order = order[np.sort(first)]
        self.rows = every.take(order[:WORST])
