"""How many rows are distinct, in one pass and in memory independent of the file's size.

Every row has a 64-bit hash of its values, and the KEPT smallest hashes are kept with their counts (a hash
once dropped never comes back, so these counts are exact). Up to KEPT distinct rows the number is exact;
beyond, with u the largest kept hash as a fraction of 2⁶⁴,

    D ≈ (KEPT − 1) / u                                                                         (A.13)

whose relative error is about 1/√KEPT, .4 %. [@baryossef2002distinct] The hash of a unit (cloud, chain, path)
is the sum of its rows' hashes.

A file that was concatenated with itself has every row k, 2k, 3k, ... times, whatever its rows are. With D
distinct rows of independent draws, a prime k divides all counts with probability at most k^−D, so

    P(the counts have a common factor) ≤ Σ_k k^−D < 2^(1−D)                                    (A.17)
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64, UInt64

from lem_safe.auditor.inside import scrambled
from lem_safe.auditor.samples import Block

KEPT = 1 << 16
HEAVY = 0.01
"""A row that is at least this share of all rows is one on which a distribution may put a mass: zeros, a limit
of a range.
"""

SURE = 20
"""Distinct rows whose counts have a common factor by accident with probability at most 1/500,000 (A.17)."""

Hashes = UInt64[np.ndarray, "b"]


@dataclass(frozen=True)
class Repeats:
    """The repetitions among the rows of one pass.

    distinct: distinct rows. exact: whether that was counted or estimated (A.13). commonest: the count of the
    most common row.
    excess: rows that repeat another one, not counting HEAVY rows. heavy: the share of the rows that are
    HEAVY.
    units, distinct_units: the number of units and of distinct ones; None where every row is its own unit.
    """

    rows: int
    distinct: int
    exact: bool
    commonest: int
    excess: float
    heavy: float
    units: int | None = None
    distinct_units: int | None = None
    times: int = 1
    """How many times the rows, or the units if there are any, are repeated as a whole (A.17)."""


class Distinct:
    """The running number of distinct hashes, and the counts of those kept."""

    def __init__(self, kept: int = KEPT) -> None:
        self.kept, self.n = kept, 0
        self.hashes: Hashes = np.empty(0, dtype=np.uint64)
        self.counts: Int64[np.ndarray, b] = np.empty(0, dtype=np.int64)
        self.dropped = False

    def add(self, hashes: Hashes) -> None:
        """Adds the next rows' hashes."""
        self.n += len(hashes)
        if self.dropped:
            hashes = hashes[hashes <= self.hashes[-1]]
        fresh, counts = np.unique(hashes, return_counts=True)
        every = np.concatenate([self.hashes, fresh])
        self.hashes, place = np.unique(every, return_inverse=True)
        self.counts = np.bincount(place, np.concatenate([self.counts, counts]), len(self.hashes)).astype(
            np.int64
        )
        if len(self.hashes) > self.kept:
            self.hashes, self.counts, self.dropped = self.hashes[: self.kept], self.counts[: self.kept], True

    @property
    def share(self) -> float:
        """u: the fraction of all possible hashes that is kept."""
        return (float(self.hashes[-1]) + 1) / 2.0**64 if self.dropped else 1.0

    def number(self) -> int:
        """The number of distinct hashes (A.13)."""
        return round((self.kept - 1) / self.share) if self.dropped else len(self.hashes)


class Counting:
    """Counts the rows that pass through it."""

    def __init__(self) -> None:
        self._rows, self._units = Distinct(), dict[int, int]()

    def passing(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """The same blocks."""
        for block in blocks:
            hashes = hashed(block.x.numpy())
            self._rows.add(hashes)
            if block.unit is not None:
                self._sign(hashes, block.unit)
            yield block

    def _sign(self, hashes: Hashes, unit: Int64[np.ndarray, "b"]) -> None:
        order = np.argsort(unit, kind="stable")
        numbers, first = np.unique(unit[order], return_index=True)
        for number, total in zip(
            numbers.tolist(), np.add.reduceat(hashes[order], first).tolist(), strict=True
        ):
            self._units[number] = (self._units.get(number, 0) + total) % 2**64

    def result(self) -> Repeats:
        """The repetitions; needs at least one row."""
        rows = self._rows
        n, distinct = rows.n, rows.number()
        common = rows.counts >= max(2.0, HEAVY * n)
        rest = rows.counts[~common]
        mean = float(rest.mean()) if len(rest) else 1.0
        others = distinct - int(common.sum()) if not rows.dropped else distinct
        excess = others * (mean - 1)
        heavy = min(max(1 - others * mean / n, 0.0), 1.0) if common.any() or rows.dropped else 0.0
        units = len(self._units) or None
        of_units = Counter(self._units.values())
        different = len(of_units) if units else None
        times = whole_copies(list(of_units.values()) if units else rows.counts)
        most = int(rows.counts.max(initial=0))
        return Repeats(
            rows=n,
            distinct=distinct,
            exact=not rows.dropped,
            commonest=most,
            excess=excess,
            heavy=heavy,
            units=units,
            distinct_units=different,
            times=times,
        )


def whole_copies(counts: Sequence[int] | Int64[np.ndarray, "k"]) -> int:
    """How many times the whole is repeated: the common factor of the counts, unless accidental (A.17), else
    1.

    >>> whole_copies([2, 4] * 10), whole_copies([2, 4]), whole_copies([2, 3] * 10)
    (2, 1, 1)
    """
    return int(np.gcd.reduce(counts)) if len(counts) >= SURE else 1


def hashed(x: Float[np.ndarray, "b d"] | Int64[np.ndarray, "b d"]) -> Hashes:
    """A hash of every row's bits, with 0 and −0 equal."""
    found = np.zeros(len(x), dtype=np.uint64)
    for column in x.T:
        bits = np.ascontiguousarray(column + column.dtype.type(0)).view(np.uint64)
        found = scrambled(found ^ scrambled(bits))
    return found
