"""Tables as the judge compares them: one array of numbers for cells of every kind.

Numbers stay as they are, dates are microseconds since 1970, and a text or a truth value is the place of its
level among those of its column. A missing cell is NaN.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from barriers.tables import DAY, CellKind, date_text

WHOLE = 0.999
"""The share of whole numbers from which on a column of numbers is said to hold whole ones."""


@dataclass(frozen=True)
class Column:
    """One column. levels: the categories, as written, in the order of their numbers; None where cells are
    ordered: numbers and dates.
    """

    name: str
    kind: CellKind
    levels: tuple[str, ...] | None = None

    @property
    def ordered(self) -> bool:
        """Whether cells are compared by size, and not only by equality."""
        return self.levels is None

    @property
    def said(self) -> str:
        """What the column holds, in words."""
        return f"{self.kind} as categories" if not self.ordered and self.kind == "number" else self.kind

    def shown(self, value: float) -> str:
        """A cell as a person reads it."""
        if np.isnan(value):
            return "missing"
        if self.levels is not None:
            return self.levels[int(value)]
        return date_text(value) if self.kind == "date" else f"{value:.6g}"


@dataclass(frozen=True)
class Table:
    """n rows of the columns that are judged. source: its name in messages."""

    columns: tuple[Column, ...]
    values: Float[np.ndarray, "n d"]
    source: str

    def __len__(self) -> int:
        return len(self.values)

    @property
    def ordered(self) -> Bool[np.ndarray, "d"]:
        """Which columns are ordered."""
        return np.array([column.ordered for column in self.columns], dtype=bool)

    def rows(self, chosen: Int[np.ndarray, "k"]) -> "Table":
        """The table of these rows."""
        return replace(self, values=self.values[chosen])

    def place(self, name: str) -> int:
        """The position of a column; ValueError where there is none of this name."""
        return [column.name for column in self.columns].index(name)

    def days(self, i: int) -> Float[np.ndarray, "n"]:
        """A column for an axis: dates in days since 1970."""
        return self.values[:, i] / DAY if self.columns[i].kind == "date" else self.values[:, i]


def pooled(tables: tuple[Table, ...], most: int) -> tuple[Table, ...]:
    """The same tables with at most `most` levels in each column of categories: the most frequent ones of the
    first table, and one for all the others.
    """
    first = tables[0]
    arrays = [table.values.copy() for table in tables]
    for i, column in enumerate(first.columns):
        if column.levels is None or len(column.levels) <= most:
            continue
        counts = np.bincount(_present(first.values[:, i]), minlength=len(column.levels))
        kept = np.argsort(-counts, kind="stable")[: most - 1]
        places = np.full(len(column.levels), most - 1.0)
        places[kept] = np.arange(most - 1.0)
        for array in arrays:
            there = ~np.isnan(array[:, i])
            array[there, i] = places[array[there, i].astype(int)]
    return tuple(replace(table, values=array) for table, array in zip(tables, arrays, strict=True))


def _present(values: Float[np.ndarray, "n"]) -> Int[np.ndarray, "k"]:
    return values[~np.isnan(values)].astype(int)
