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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int64, UInt64

from lem_safe.auditor.inside import scrambled
from lem_safe.auditor.sums import Sums

KEPT = 1 << 16
VALUES = 1 << 20
"""Numbers of distinct rows that are kept, at most."""
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


class Few(NamedTuple):
    """Distinct rows, all of them or a uniform choice: their values, how often each occurs, and the share u of
    all possible hashes that they are the rows of.
    """

    values: Float[np.ndarray, "k d"]
    counts: Int64[np.ndarray, "k"]
    share: float = 1.0

    def merged(self, values: Float[np.ndarray, "k d"]) -> "Few":
        """The same rows with other values, those that become equal counted together."""
        _, first, place = np.unique(hashed(values), return_index=True, return_inverse=True)
        return Few(values[first], np.bincount(place, self.counts).astype(np.int64), self.share)


class Distinct:
    """The running number of distinct hashes, and the counts and the values of those kept: the smallest, as
    many values as fit into VALUES numbers.
    """

    def __init__(self) -> None:
        self.kept, self.n = KEPT, 0
        self._held = _Held(np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64), np.empty((0, 0)))
        self._waiting: list[_Held] = []
        self._dropped = False

    def add(self, hashes: Hashes, x: Float[np.ndarray, "b d"]) -> None:
        """Adds the next rows and their hashes."""
        self.n += len(hashes)
        if self._dropped:
            taken = np.flatnonzero(hashes <= self._held.hashes[-1])
            hashes, x = hashes[taken], x[taken]
        if len(hashes):
            fresh, first, counts = np.unique(hashes, return_index=True, return_counts=True)
            self._waiting.append(_Held(fresh, counts, x[first[: values_kept(x.shape[1])]] + 0.0))
            if not self._dropped or sum(len(part.hashes) for part in self._waiting) > self.kept // 8:
                self._settle()

    def plus(self, other: "Distinct") -> "Distinct":
        """The distinct hashes of both."""
        both = Distinct()
        both.n, both._dropped = self.n + other.n, self.dropped or other.dropped
        both._waiting = [part.held for part in (self, other) if part.n]
        return both

    @property
    def held(self) -> "_Held":
        """The smallest hashes."""
        self._settle()
        return self._held

    @property
    def dropped(self) -> bool:
        """Whether there are more hashes than are kept."""
        self._settle()
        return self._dropped

    @property
    def counts(self) -> Int64[np.ndarray, "k"]:
        """How often each hash that is kept occurs."""
        return self.held.counts

    @property
    def share(self) -> float:
        """u: the fraction of all possible hashes that is kept."""
        return _share(self.held.hashes[-1]) if self.dropped else 1.0

    def number(self) -> int:
        """The number of distinct hashes (A.13)."""
        return round((self.kept - 1) / self.share) if self.dropped else len(self.held.hashes)

    def few(self) -> Few:
        """The rows whose values are kept."""
        hashes, counts, values = self.held
        k = len(values)
        whole = k == 0 or (k == len(hashes) and not self.dropped)
        return Few(values, counts[:k], 1.0 if whole else _share(hashes[k - 1]))

    def state(self) -> dict[str, Any]:
        """What there is to store; the hashes of rows that are stored follow from these."""
        hashes, counts, values = self.held
        kept = {"hashes": hashes[len(values) :], "counts": counts, "values": values}
        return {**kept, "n": self.n, "dropped": self.dropped}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "Distinct":
        """The hashes that were stored."""
        found, values = cls(), state["values"]
        hashes = np.concatenate([hashed(values), state["hashes"]])
        if len(hashes) != len(state["counts"]) or (hashes[1:] <= hashes[:-1]).any():
            raise ValueError("hashes that are not those of the rows")
        found._held = _Held(hashes, state["counts"], values)
        found.n, found._dropped = int(state["n"]), bool(state["dropped"])
        return found

    def _settle(self) -> None:
        if not self._waiting:
            return
        parts = [part for part in (self._held, *self._waiting) if len(part.hashes)]
        self._waiting = []
        every = np.concatenate([part.hashes for part in parts])
        hashes, first, place = np.unique(every, return_index=True, return_inverse=True)
        held = np.bincount(place, np.concatenate([part.counts for part in parts]), len(hashes))
        self._dropped = self._dropped or len(hashes) > self.kept
        self._held = _Held(
            hashes[: self.kept],
            held[: self.kept].astype(np.int64),
            _chosen(parts, first[: min(self.kept, values_kept(parts[0].values.shape[1]))]),
        )


class _Held(NamedTuple):
    """Ascending hashes, how often each occurs, and the values of the first of them."""

    hashes: Hashes
    counts: Int64[np.ndarray, "k"]
    values: Float[np.ndarray, "v d"]


def _chosen(parts: Sequence[_Held], places: Int64[np.ndarray, "k"]) -> Float[np.ndarray, "k d"]:
    """The values of some hashes, by their places among those of all parts."""
    starts = np.cumsum([0, *(len(part.hashes) for part in parts)])[:-1]
    own = np.cumsum([0, *(len(part.values) for part in parts)])[:-1]
    which = np.searchsorted(starts, places, side="right") - 1
    return np.concatenate([part.values for part in parts])[places - (starts - own)[which]]


def values_kept(d: int) -> int:
    """How many distinct rows of d columns are kept with their values."""
    return max(min(KEPT, VALUES // max(d, 1)), 1)


def _share(hash_: np.uint64) -> float:
    return (float(hash_) + 1) / 2.0**64


class Counting:
    """The running counts of rows and units that repeat."""

    def __init__(self) -> None:
        self._rows, self._units = Distinct(), Sums(1)

    def add(self, hashes: Hashes, x: Float[np.ndarray, "b d"], unit: Int64[np.ndarray, "b"] | None) -> None:
        """Adds the next rows, with their hashes and the numbers of their units."""
        self._rows.add(hashes, x)
        if unit is not None:
            self._units.add(unit, hashes[:, None])

    @property
    def units(self) -> Int64[np.ndarray, "u"]:
        """The numbers of the units, ascending."""
        return self._units.numbers

    def few(self) -> Few:
        """Distinct rows, all of them or a uniform choice."""
        return self._rows.few()

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
        units = len(self.units) or None
        of_units = np.unique(self._units.sums, return_counts=True)[1]
        different = len(of_units) if units else None
        times = whole_copies(of_units if units else rows.counts)
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

    def plus(self, other: "Counting") -> "Counting":
        """The counts of both."""
        both = Counting()
        both._rows, both._units = self._rows.plus(other._rows), self._units.plus(other._units)
        return both

    def state(self) -> dict[str, Any]:
        """What there is to store."""
        return {"rows": self._rows.state(), "units": self._units.state()}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "Counting":
        """The counts that were stored."""
        found = cls()
        found._rows, found._units = Distinct.of_state(state["rows"]), Sums.of_state(state["units"])
        return found


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
