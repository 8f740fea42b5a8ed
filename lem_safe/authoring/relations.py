"""Columns of a table that others determine exactly: a constant less another, or a sum, difference, product,
ratio, minimum or maximum of two others, in nearly all rows and to the last digit.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from barriers.arrays import torch
from lem_safe.authoring.derived_line import derived_line, in_formulas
from lem_safe.data.sources import FileTable
from lem_safe.data.typed import Codec
from lem_safe.data.typed.equalities import unit_of
from lem_safe.errors import BadInput

NEARLY_ALL = 0.999
FIRST, ROWS = 24, 20_000
"""Rows that are tried first, and rows that are tried at most."""
MOST = 120
"""Columns among which relations are looked for, at most."""
VALUES, SPREAD = 5, 3.0
"""A column of fewer values, or spread over fewer units of its last digit, is equal to others by chance."""
SLACK = 0.55
"""Units of the last digit: half of one where numbers are rounded once, a little more where twice."""
EXACT = 1e-6
"""The same where nothing has to be rounded."""

LESS = "constant - {}"


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a / np.where(b == 0, np.nan, b)


PAIRS: tuple[tuple[str, Callable[[np.ndarray, np.ndarray], np.ndarray], bool], ...] = (
    ("{} + {}", np.add, True),
    ("{} * {}", np.multiply, True),
    ("{} - {}", np.subtract, False),
    ("{} / {}", _ratio, False),
    ("min({}, {})", np.minimum, True),
    ("max({}, {})", np.maximum, True),
)
"""What two columns can make: how it is written, what it is, and whether their order is indifferent."""


class Relation(NamedTuple):
    """A column that others determine, as a derived name says it; in how many of the rows."""

    column: str
    formula: str
    equal: int
    rows: int

    def in_words(self) -> str:
        """What could be computed, and the line of a scenario that says so.

        >>> Relation("living", "above + basement", 10000, 10000).in_words()
        "column 'living' is above + basement in all 10,000 rows; derived: {living: above + basement}"
        """
        many = "all" if self.equal == self.rows else f"{self.equal:,} of"
        line = derived_line(self.column, self.formula)
        return f"column '{self.column}' is {self.formula} in {many} {self.rows:,} rows; {line}"


class _Table(NamedTuple):
    """Complete columns of numbers: x [n, d], their units, and which can be determined by others."""

    x: Float64[np.ndarray, "n d"]
    units: Float64[np.ndarray, "d"]
    open: Bool[np.ndarray, "d"]


def in_file(path: Path, columns: Sequence[str] | None, header: bool | None) -> list[Relation]:
    """Those of a table in a file; none where it cannot be read, which is reported by whoever reads it."""
    try:
        source = FileTable(path, None if columns is None else list(columns), header, missing="keep")
        codec, rows = source.codec, source.load(0).values
    except BadInput:
        return []
    return [] if codec is None else relations(codec, torch.Tensor.numpy(rows))


def relations(codec: Codec, values: Float64[np.ndarray, "n d"]) -> list[Relation]:
    """One relation of each column that has one; none is made of a column that it is made of."""
    places, table = _numbers(codec, values)
    names = [in_formulas(codec.columns, j) for j in places]
    found: list[Relation] = []
    made, used, triples = set[int](), set[int](), set[frozenset[int]]()
    for t, inner, formula, equal in (*_single(table), *_double(table)):
        if t in made or t in used or frozenset((t, *inner)) in triples:
            continue
        made.add(t)
        used |= set(inner)
        triples.add(frozenset((t, *inner)))
        text = formula.format(*(str(names[i]) for i in inner))
        found.append(Relation(codec.columns[places[t]], text, equal, len(table.x)))
    return found


def _numbers(codec: Codec, values: Float64[np.ndarray, "n d"]) -> tuple[list[int], _Table]:
    rows = values[np.random.default_rng(0).permutation(len(values))[:ROWS]]
    places = [
        j
        for j, field in enumerate(codec.fields)
        if field.kind in ("number", "integer") and not field.formula and not np.isnan(rows[:, j]).any()
    ]
    places = [j for j in places if np.ptp(rows[:, j]) > 0][:MOST]
    places = [j for j in places if in_formulas(codec.columns, j) is not None]
    x = rows[:, places]
    units = np.array([unit_of(codec.fields[j]) or 1e-9 * np.abs(rows[:, j]).max() for j in places])
    many = np.array([len(np.unique(column)) >= VALUES for column in x.T], dtype=bool)
    return places, _Table(x, units, many & (x.std(0) >= SPREAD * units) if places else many)


def _single(table: _Table) -> Iterator[tuple[int, tuple[int, ...], str, int]]:
    """Columns that are another, or a constant less another: also those of few values."""
    x, units = table.x, table.units
    for t in range(x.shape[1]):
        for i in range(x.shape[1]):
            for text, other in (("{}", x[:, i]), (LESS, -x[:, i])):
                rest = x[:, t] - other
                constant, slack = 0.0, EXACT * units[t]
                if text == LESS:
                    constant = _shortest(float(np.median(rest[:FIRST])), slack)
                if t == i or np.abs(rest[:FIRST] - constant).max() > slack:
                    continue
                equal = int((np.abs(rest - constant) <= slack).sum())
                if equal >= NEARLY_ALL * len(x) and _varies(x[:, t]):
                    yield t, (i,), text.replace("constant", _written(constant)), equal


def _shortest(value: float, slack: float) -> float:
    """The number of the fewest decimals that is as near as this."""
    near = (round(value, digits) for digits in range(16))
    return next((found for found in near if abs(found - value) <= slack / 2), value)


def _written(value: float) -> str:
    """A number in full.

    >>> _written(12345678901234.0), _written(0.3)
    ('12345678901234', '0.3')
    """
    return str(int(value)) if value.is_integer() else repr(value)


def _varies(column: Float64[np.ndarray, "n"]) -> bool:
    """Whether a column has another value than its most frequent in more rows than may differ."""
    _, counts = np.unique(column, return_counts=True)
    return bool(1 - counts.max() / len(column) > 10 * (1 - NEARLY_ALL))


def _double(table: _Table) -> Iterator[tuple[int, tuple[int, ...], str, int]]:
    """Columns that two others make."""
    x, units = table.x, table.units
    d, first = x.shape[1], x[:FIRST]
    for text, f, symmetric in PAIRS:
        for i in range(d):
            with np.errstate(invalid="ignore", over="ignore"):
                made = f(first[:, i : i + 1], first)
                near = np.abs(made[:, :, None] - first[:, None, :]) <= SLACK * units
            for j, t in np.argwhere(near.all(0) & table.open):
                if len({i, int(j), int(t)}) < 3 or (symmetric and j < i):
                    continue
                equal = _counted(table, f(x[:, i], x[:, j]), int(t))
                if equal is not None:
                    yield int(t), (i, int(j)), text, equal


def _counted(table: _Table, made: Float64[np.ndarray, "n"], t: int) -> int | None:
    """In how many rows a column is what is made; None where that is not nearly all, also of the rows in which
    it is not what it is most often.
    """
    column = table.x[:, t]
    near = np.abs(made - column) <= SLACK * table.units[t]
    known, counts = np.unique(column, return_counts=True)
    other = column != known[counts.argmax()]
    sound = near.mean() >= NEARLY_ALL and near[other].mean() >= NEARLY_ALL
    return int(near.sum()) if sound and _varies(column) else None
