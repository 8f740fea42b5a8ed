"""Whether rows that repeat do so because their values are coarse: rounded, whole numbers, float32 far from 0.

Independent draws of a smooth distribution, written at some resolution, repeat because many fall within one
step of it; then as many fall on the neighbouring steps. So the resolution is made about ten times coarser,
and the *distinct* rows that then agree are counted: of D distinct rows among n let C pairs agree, in cells of
Πm_j fine ones. Then about

    P = C (n/D)² / Πm_j                                                                        (A.14)

pairs of rows should agree by resolution alone. A value that far more rows have in a column than the values
next to it (a zero, a limit) is a cell of its own, whose m_j is 1. The grid is that of decimals, of
significant digits, of the bits of a float, or the column's own (quarters, thirds, days in seconds): the one
that explains the most. Copies of rows written more finely agree in far more pairs than their neighbourhood
explains. So do single rows on which a distribution puts a mass (zeros, a limit of a range); those are few and
common, and are treated separately.
"""

import math
from collections.abc import Callable, Iterable
from functools import cached_property, partial

import numpy as np
from jaxtyping import Float, Int64

from lem_safe.auditor.repeats import KEPT, Distinct, Repeats, hashed
from lem_safe.auditor.samples import Block, Unit

SLACK = 4.0
"""Rows may repeat up to this many times as often as their neighbourhood explains: distributions are not
smooth at every step.
"""
FEW = 0.01
"""Repetitions up to this share of the rows change no bound noticeably."""
MASS = 0.9
"""Where common rows exceed this share, what remains is too little to be a distribution."""
SMALL = 1000.0
"""Whole numbers up to this size are taken for counts and categories, which repeat naturally."""
DIGITS, TELLS = 15, 0.95
"""Digits from which on a number is written in full; the share of the distinct rows that a column must
distinguish to stand for all columns.
"""
COLUMN, ENOUGH = 4096, 500_000
"""Distinct values of a column kept for counting, and the number of rows that suffices for it."""
COMMON = 0.02
"""The share of the rows from which on a value of a column may be common rather than an accident of
resolution.
"""
PROMINENT, BESIDE = 3.0, 3
"""A common value occurs this many times as often as this many values on either side; where all are common,
none is.
"""
GRID, COARSE = 4, 64.0
"""The fewest values of a column for a grid; a step is at least this many roundings of them."""

Blocks = Callable[[], Iterable[Block]]


def by_nature(found: Repeats, blocks: Blocks) -> bool:
    """Whether independent draws would repeat like that. blocks: reads the rows again; called twice where they
    do repeat.
    """
    if found.times > 1:
        return False
    if found.rows - found.distinct <= FEW * found.rows:
        return True
    columns = _columns(blocks)
    if all(c.whole and c.largest <= SMALL for c in columns):
        return found.distinct > 1 or len(columns) == 1
    if found.distinct == 1:
        return False
    if found.excess <= FEW * found.rows and found.heavy <= MASS:
        return True
    expected = _expected(found, blocks, columns)
    return expected >= found.excess / SLACK and (expected > 0 or found.heavy <= MASS)


def units_by_nature(found: Repeats, blocks: Blocks, unit: Unit) -> bool:
    """Whether independent clouds, chains or paths would repeat like that, as whole ones do where their rows
    are counts, or are one row each.
    """
    if found.units is None or found.rows == found.units:
        return by_nature(found, blocks)
    if found.times > 1:
        return False
    stuck = unit != "path" and found.heavy > MASS
    if found.distinct_units == found.units and not stuck:
        return True
    return all(c.whole and c.largest <= SMALL for c in _columns(blocks)) and found.distinct_units != 1


def _columns(blocks: Blocks) -> list["_Column"]:
    columns: list[_Column] = []
    for block in blocks():
        x = block.x.numpy()
        columns = columns or [_Column() for _ in range(x.shape[1])]
        for column, values in zip(columns, x.T, strict=True):
            column.add(values)
    return columns


class _Column:
    """The resolution of one column: decimals, significant digits, the bits of a float."""

    def __init__(self) -> None:
        self.whole, self.largest, self.single = True, 0.0, True
        self.decimals, self.digits = -3, 1
        self.distinct = Distinct(COLUMN)
        self.seen, self.counts = 0, (np.empty(0), np.empty(0, dtype=np.int64))

    def add(self, values: Float[np.ndarray, "b"]) -> None:
        """Adds the next values."""
        values = np.ascontiguousarray(values)
        if self.seen < ENOUGH:
            self.distinct.add(hashed(values[:, None]))
            self._count(values)
            self.seen += len(values)
        size = np.abs(values)
        self.largest = max(self.largest, float(size.max(initial=0)))
        self.whole = self.whole and bool((values == np.rint(values)).all())
        with np.errstate(over="ignore"):
            single = values.astype(np.float32).astype(np.float64)
        self.single = self.single and bool((single == values).all())
        near = np.maximum(size, 1e-300) * (2.0**-24 if self.single else 2.0**-52)
        while self.decimals < DIGITS and not _fits(values, np.full_like(values, float(self.decimals)), near):
            self.decimals += 1
        while self.digits < DIGITS and not _fits(values, self.digits - 1 - _magnitude(values), near):
            self.digits += 1

    def _count(self, values: Float[np.ndarray, "b"]) -> None:
        """Counts the most common values so far."""
        every = np.concatenate([self.counts[0], values])
        weight = np.concatenate([self.counts[1], np.ones(len(values), dtype=np.int64)])
        found, where = np.unique(every, return_inverse=True)
        counts = np.bincount(where, weights=weight).astype(np.int64)
        most = np.argsort(-counts, kind="stable")[:COLUMN]
        self.counts = found[most], counts[most]

    def common(self, v: np.ndarray) -> np.ndarray:
        """Which values are common: a share COMMON of all, and PROMINENT times the average count of the values
        next to them.
        """
        order = np.argsort(self.counts[0])
        found, counts = self.counts[0][order], self.counts[1][order]
        many = np.flatnonzero(counts >= max(COMMON * self.seen, 2)).tolist()  # at most 1/COMMON of them
        return np.isin(v, found[[i for i in many if counts[i] >= PROMINENT * _beside(counts, i)]])

    def fixed(self, v: np.ndarray) -> Int64[np.ndarray, "b"]:
        """The values in fixed decimals, without the last."""
        return _whole(v, np.full_like(v, float(self.decimals))) // 10

    def significant(self, v: np.ndarray) -> Int64[np.ndarray, "b"]:
        """The values in significant digits, without the last, magnitude included."""
        power = _magnitude(v)
        return 1000 * (_whole(v, self.digits - 1 - power) // 10) + power.astype(np.int64)

    def stepped(self, v: np.ndarray) -> Int64[np.ndarray, "b"]:
        """The values in tens of steps of the column's own grid; without a grid, as `fixed`."""
        step, start = self.grid
        if step == 0:
            return self.fixed(v)
        with np.errstate(over="ignore", invalid="ignore"):
            return np.clip(np.nan_to_num(np.rint((v - start) / step)), -9e18, 9e18).astype(np.int64) // 10

    @cached_property
    def grid(self) -> tuple[float, float]:
        """The largest step that divides the differences of all kept values, and one of the values.

        Step 0 where there is none, or where so few values could have one by accident.
        """
        found = np.sort(self.counts[0])
        if len(found) < GRID:
            return 0.0, 0.0
        rounding = 4 * float(np.abs(found).max()) * (2.0**-24 if self.single else 2.0**-52)
        step = 0.0
        for apart in np.unique(np.diff(found)).tolist():
            while apart > rounding:
                rest, lost = abs(math.remainder(step, apart)), rounding * (1 + step / apart)
                step, apart = apart, rest if rest > lost else 0.0
            if step <= COARSE * rounding:
                return 0.0, 0.0
        return step, float(found[0])

    def binary(self, v: np.ndarray) -> Int64[np.ndarray, "b"]:
        """The bits of the number in its original type, without the last three."""
        with np.errstate(over="ignore"):
            bits = v.astype(np.float32).view(np.int32).astype(np.int64) if self.single else v.view(np.int64)
        return np.asarray(bits >> 3)


def _beside(counts: Int64[np.ndarray, "k"], i: int) -> float:
    """The mean count of up to BESIDE values on either side of value i; 0 where there is none."""
    others = np.concatenate([counts[max(i - BESIDE, 0) : i], counts[i + 1 : i + 1 + BESIDE]])
    return float(others.mean()) if len(others) else 0.0


def _magnitude(v: np.ndarray) -> np.ndarray:
    return np.floor(np.log10(np.maximum(np.abs(v), 1e-300)))


def _whole(v: np.ndarray, power: np.ndarray) -> Int64[np.ndarray, "b"]:
    """v · 10^power as whole numbers, clipped to the largest."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.clip(np.nan_to_num(np.rint(v * 10.0**power)), -9e18, 9e18).astype(np.int64)


def _fits(v: np.ndarray, power: np.ndarray, near: np.ndarray) -> bool:
    """Whether v is a multiple of 10^−power, to the rounding of its own type."""
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = v * 10.0**power
        return bool((np.abs(np.rint(scaled) - scaled) <= 2 * near * 10.0**power).all())


def _expected(found: Repeats, blocks: Blocks, columns: list[_Column]) -> float:
    """P (A.14), by the notation that explains the most repetitions.

    Where one column distinguishes all rows, the others follow from it: then the column that explains the
    least is used alone.
    """
    together = [_Notation(columns, keys, merged) for keys, merged in WAYS]
    for block in blocks():
        for way in together:
            way.add(block.x.numpy())
    P = max(way.pairs() for way in together)
    if len(columns) > 1 and max(c.distinct.number() for c in columns) > TELLS * found.distinct:
        alone = [[_Notation([column], keys, merged) for keys, merged in WAYS] for column in columns]
        for block in blocks():
            for i, ways in enumerate(alone):
                for way in ways:
                    way.add(block.x.numpy()[:, i : i + 1])
        P = max(P, min(max(way.pairs() for way in ways) for ways in alone))
    return P * (found.rows / found.distinct) ** 2


WAYS: list[tuple[Callable[[_Column, np.ndarray], Int64[np.ndarray, "b"]], int]] = [
    (_Column.fixed, 10),
    (_Column.significant, 10),
    (_Column.binary, 8),
    (_Column.stepped, 10),
]
"""The notations, and how many values of each are merged when it is made coarser."""


class _Notation:
    """One notation: the distinct rows that agree where it is coarser, over whole cells of a uniform subsample
    of the cells.
    """

    def __init__(
        self,
        columns: list[_Column],
        keys: Callable[[_Column, np.ndarray], Int64[np.ndarray, "b"]],
        merged: int,
    ):
        self.columns, self.keys = columns, [partial(keys, column) for column in columns]
        self.merged = [
            min(merged, column.distinct.number()) for column in columns
        ]  # a flag's cell holds at most two values
        self.cells = np.empty(
            (0, 3), dtype=np.uint64
        )  # hashes of the cell and of the row, and the bits of log Πm_j
        self.limit: np.uint64 | None = None  # cells from this hash on are not kept

    def add(self, x: Float[np.ndarray, "b d"]) -> None:
        """Adds the next rows."""
        values = [np.ascontiguousarray(v) for v in x.T]
        common = [column.common(v) for column, v in zip(self.columns, values, strict=True)]
        coarse = [
            np.where(c, hashed(v[:, None]).view(np.int64), key(v))
            for c, key, v in zip(common, self.keys, values, strict=True)
        ]
        size = sum(np.where(c, 0.0, math.log(m)) for c, m in zip(common, self.merged, strict=True))
        cells = np.stack(
            [hashed(np.stack(coarse, 1)), hashed(x), np.asarray(size, dtype=np.float64).view(np.uint64)], 1
        )
        if self.limit is not None:
            cells = cells[cells[:, 0] < self.limit]
        if not len(cells):
            return
        every = np.concatenate([self.cells, cells])
        every = every[np.lexsort((every[:, 1], every[:, 0]))]
        self.cells = every[np.concatenate([[True], (every[1:, :2] != every[:-1, :2]).any(1)])]
        if len(self.cells) > KEPT:
            self.limit = self.cells[KEPT, 0]  # the first cell that is not kept whole
            self.cells = self.cells[self.cells[:, 0] < self.limit]

    def pairs(self) -> float:
        """Σ C / Πm_j over the cells."""
        share = 1.0 if self.limit is None else float(self.limit) / 2.0**64
        _, first, held = np.unique(self.cells[:, 0], return_index=True, return_counts=True)
        size = np.exp(np.ascontiguousarray(self.cells[first, 2]).view(np.float64))
        return float((held * (held - 1.0) / 2 / size).sum()) / share
