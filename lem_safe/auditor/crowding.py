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

Up to 65,536 distinct rows are all looked at. Of more, as many are, each with the same probability u, so a
pair is among them with probability u²; where few pairs of a sample agree, cells are made coarser still.
"""

import math
from collections.abc import Callable
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int64

from lem_safe.auditor.repeats import Few, Hashes, Repeats, hashed
from lem_safe.auditor.samples import Unit

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
COLUMN = 4096
"""Distinct values of a column in which a grid is looked for: the most frequent ones."""
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
PAIRS, COARSEST = 200, 4
"""Pairs of a sample from which on their number is taken for all; how often cells may be made coarser."""


def by_nature(found: Repeats, few: Few) -> bool:
    """Whether independent draws would repeat like that. few: distinct rows, all of them or a sample."""
    if found.times > 1:
        return False
    if found.rows - found.distinct <= FEW * found.rows:
        return True
    columns = _columns(few)
    if all(c.whole and c.largest <= SMALL for c in columns):
        return found.distinct > 1 or len(columns) == 1
    if found.distinct == 1:
        return False
    if found.excess <= FEW * found.rows and found.heavy <= MASS:
        return True
    expected = _expected(found, few, columns)
    return expected >= found.excess / SLACK and (expected > 0 or found.heavy <= MASS)


def units_by_nature(found: Repeats, few: Few, unit: Unit) -> bool:
    """Whether independent clouds, chains or paths would repeat like that, as whole ones do where their rows
    are counts, or are one row each.
    """
    if found.units is None or found.rows == found.units:
        return by_nature(found, few)
    if found.times > 1:
        return False
    stuck = unit != "path" and found.heavy > MASS
    if found.distinct_units == found.units and not stuck:
        return True
    return all(c.whole and c.largest <= SMALL for c in _columns(few)) and found.distinct_units != 1


def _columns(few: Few) -> list["_Column"]:
    return [_Column(values, few.counts) for values in few.values.T]


class _Column:
    """The resolution of one column: decimals, significant digits, the bits of a float."""

    def __init__(self, values: Float[np.ndarray, "k"], counts: Int64[np.ndarray, "k"]) -> None:
        self.all = values = np.ascontiguousarray(values)
        self.distinct, where = np.unique(values, return_inverse=True)
        self.counts = np.bincount(where, weights=counts).astype(np.int64)
        self.seen = int(counts.sum())
        size = np.abs(self.distinct)
        self.largest = float(size.max(initial=0))
        self.whole = bool((self.distinct == np.rint(self.distinct)).all())
        with np.errstate(over="ignore"):
            self.single = bool((self.distinct.astype(np.float32).astype(np.float64) == self.distinct).all())
        near = np.maximum(size, 1e-300) * self.rounding
        self.decimals, self.digits = -3, 1
        v = self.distinct
        while self.decimals < DIGITS and not _fits(v, np.full_like(v, float(self.decimals)), near):
            self.decimals += 1
        while self.digits < DIGITS and not _fits(v, self.digits - 1 - _magnitude(v), near):
            self.digits += 1

    @property
    def rounding(self) -> float:
        """The relative rounding of the column's type."""
        return 2.0**-24 if self.single else 2.0**-52

    @cached_property
    def common(self) -> Bool[np.ndarray, "k"]:
        """Which values are common: a share COMMON of all, and PROMINENT times the average count of the values
        next to them.
        """
        many = np.flatnonzero(self.counts >= max(COMMON * self.seen, 2)).tolist()  # at most 1/COMMON of them
        prominent = [i for i in many if self.counts[i] >= PROMINENT * _beside(self.counts, i)]
        return np.isin(self.all, self.distinct[prominent])

    def fixed(self, coarser: int) -> Int64[np.ndarray, "k"]:
        """The values in fixed decimals, without the last ones."""
        return _whole(self.all, np.full_like(self.all, float(self.decimals))) // 10**coarser

    def significant(self, coarser: int) -> Int64[np.ndarray, "k"]:
        """The values in significant digits, without the last ones, magnitude included."""
        power = _magnitude(self.all)
        digits = _whole(self.all, self.digits - 1 - power) // 10**coarser
        return 1000 * digits + power.astype(np.int64)

    def stepped(self, coarser: int) -> Int64[np.ndarray, "k"]:
        """The values in tens of steps of the column's own grid; without a grid, as `fixed`."""
        step, start = self.grid
        if step == 0:
            return self.fixed(coarser)
        with np.errstate(over="ignore", invalid="ignore"):
            steps = np.clip(np.nan_to_num(np.rint((self.all - start) / step)), -9e18, 9e18)
        return steps.astype(np.int64) // 10**coarser

    def binary(self, coarser: int) -> Int64[np.ndarray, "k"]:
        """The bits of the number in its original type, without the last threes."""
        v = self.all
        with np.errstate(over="ignore"):
            bits = v.astype(np.float32).view(np.int32).astype(np.int64) if self.single else v.view(np.int64)
        return np.asarray(bits >> (3 * coarser))

    @cached_property
    def grid(self) -> tuple[float, float]:
        """The largest step that divides the differences of the most frequent values, and one of the values.

        Step 0 where there is none, or where so few values could have one by accident.
        """
        most = np.argsort(-self.counts, kind="stable")[:COLUMN]
        found = np.sort(self.distinct[most])
        if len(found) < GRID:
            return 0.0, 0.0
        rounding = 4 * float(np.abs(found).max()) * self.rounding
        step = 0.0
        for apart in np.unique(np.diff(found)).tolist():
            while apart > rounding:
                rest, lost = abs(math.remainder(step, apart)), rounding * (1 + step / apart)
                step, apart = apart, rest if rest > lost else 0.0
            if step <= COARSE * rounding:
                return 0.0, 0.0
        return step, float(found[0])


def _beside(counts: Int64[np.ndarray, "k"], i: int) -> float:
    """The mean count of up to BESIDE values on either side of value i; 0 where there is none."""
    others = np.concatenate([counts[max(i - BESIDE, 0) : i], counts[i + 1 : i + 1 + BESIDE]])
    return float(others.mean()) if len(others) else 0.0


def _magnitude(v: np.ndarray) -> np.ndarray:
    return np.floor(np.log10(np.maximum(np.abs(v), 1e-300)))


def _whole(v: np.ndarray, power: np.ndarray) -> Int64[np.ndarray, "k"]:
    """v · 10^power as whole numbers, clipped to the largest."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.clip(np.nan_to_num(np.rint(v * 10.0**power)), -9e18, 9e18).astype(np.int64)


def _fits(v: np.ndarray, power: np.ndarray, near: np.ndarray) -> bool:
    """Whether v is a multiple of 10^−power, to the rounding of its own type."""
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = v * 10.0**power
        return bool((np.abs(np.rint(scaled) - scaled) <= 2 * near * 10.0**power).all())


Keys = Callable[[_Column, int], Int64[np.ndarray, "k"]]

WAYS: list[tuple[Keys, int]] = [
    (_Column.fixed, 10),
    (_Column.significant, 10),
    (_Column.binary, 8),
    (_Column.stepped, 10),
]
"""The notations, and how many values of each are merged when it is made coarser once."""


def _expected(found: Repeats, few: Few, columns: list[_Column]) -> float:
    """P (A.14), by the notation that explains the most repetitions.

    Where one column distinguishes all rows, the others follow from it: then the column that explains the
    least is used alone.
    """
    rows = hashed(few.values)
    P = max(_pairs(columns, rows, way, few.share) for way in WAYS)
    tells = [len(c.distinct) > TELLS * len(rows) for c in columns]
    if len(columns) > 1 and any(tells):
        shares = [few.share if telling else 1.0 for telling in tells]  # of others, a sample has all values
        each = [
            max(_pairs([c], None, way, share) for way in WAYS)
            for c, share in zip(columns, shares, strict=True)
        ]
        P = max(P, min(each))
    return P * (found.rows / found.distinct) ** 2


def _pairs(columns: list[_Column], rows: Hashes | None, way: tuple[Keys, int], share: float) -> float:
    """Σ C / Πm_j over the cells of one notation, of pairs of distinct rows; of a column alone, of its
    distinct values, where `rows` is None.
    """
    keys, merged = way
    for coarser in range(1, COARSEST + 1):
        number, total = _counted(columns, rows, keys, merged, coarser)
        if share == 1.0 or number >= PAIRS:
            break
    return total / share**2


def _counted(
    columns: list[_Column], rows: Hashes | None, keys: Keys, merged: int, coarser: int
) -> tuple[float, float]:
    """How many pairs of distinct rows agree in cells coarser by so many digits, and Σ C / Πm_j."""
    size, cells = np.zeros(len(columns[0].all)), []
    for column in columns:
        own = np.where(column.common, hashed(column.all[:, None]).view(np.int64), keys(column, coarser))
        cells.append(own)
        m = min(merged**coarser, len(column.distinct))  # a flag's cell holds at most two values
        size += np.where(column.common, 0.0, math.log(m))
    cell = hashed(np.stack(cells, 1))
    if rows is None:
        first = np.unique(columns[0].all, return_index=True)[1]
        cell, size = cell[first], size[first]
    _, first, held = np.unique(cell, return_index=True, return_counts=True)
    pairs = held * (held - 1.0) / 2
    return float(pairs.sum()), float((pairs / np.exp(size[first])).sum())
