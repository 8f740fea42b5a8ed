"""Rows of a file in which a column is not what the scenario derives it as, counted on the way.

Where a file has a column of a derived name, a rule about the name is about its cells. That these are what is
derived is no rule, so it changes no verdict: it is reported.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from barriers.sets import RuleError
from barriers.sets.derived import of_columns
from barriers.sets.formula import Formula
from barriers.tables import DAY
from barriers.tables.cell_kinds import TRUTHS, code_of
from barriers.tables.equality import decimals, same
from lem_safe.auditor.matching import Match
from lem_safe.auditor.samples import Block

SPELLINGS = (str, str.upper, str.title)


@dataclass(frozen=True)
class Unequal:
    """A column that is not what it is derived as in `differ` of the rows; first: the first such row, counted
    from 1.
    """

    column: str
    formula: str
    rows: int
    differ: int
    first: int


class Comparing:
    """The comparison of some rows with the formulas of their columns, one block after the other."""

    def __init__(self, match: Match, derived: Mapping[str, str] | None):
        self._rows = 0
        self._match = match
        self._own = dict[str, tuple[int, Formula]]()
        self._digits: dict[str, int | None] = {}
        self._differ: dict[str, int] = {}
        self._first: dict[str, int] = {}
        cells, names = match.reading.cells, match.names
        for name, place in of_columns(derived or {}, names).items():
            try:
                made = Formula((derived or {})[name], names, cells)
            except RuleError:  # a column that is not there, or cells of another kind
                continue
            self._own[name] = place, made

    def passing(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """The same blocks."""
        for block in blocks:
            for name, (place, formula) in self._own.items():
                self._compare(
                    name, block.x[:, place].numpy(), formula.values(block.x.unbind(-1)).numpy(), formula.kind
                )
            self._rows += len(block.x)
            yield block

    def result(self) -> tuple[Unequal, ...]:
        """The columns that were not what they are derived as in some row."""
        return tuple(
            Unequal(name, formula.text, self._rows, self._differ[name], self._first[name])
            for name, (_, formula) in self._own.items()
            if name in self._differ
        )

    def _compare(
        self, name: str, cells: Float[np.ndarray, "b"], values: Float[np.ndarray, "b"], kind: str
    ) -> None:
        unit: float | None = 1.0
        if kind == "boolean":
            cells = _truths(cells)
        elif kind == "date":
            unit = float(DAY) if bool((cells[np.isfinite(cells)] % DAY == 0).all()) else 1e6
        else:
            found, before = decimals(cells), self._digits.get(name, 0)
            self._digits[name] = most = None if found is None or before is None else max(found, before)
            unit = None if most is None else 10.0**-most
        differ = ~same(values, cells, unit)
        if differ.any():
            self._first.setdefault(name, self._rows + int(differ.argmax()) + 1)
            self._differ[name] = self._differ.get(name, 0) + int(differ.sum())


def _truths(cells: Float[np.ndarray, "b"]) -> Float[np.ndarray, "b"]:
    """Cells of truth values, or of the texts that are such, as 1 and 0."""
    known = {code_of(spelt(text)): value for text, value in TRUTHS.items() for spelt in SPELLINGS}
    unique, at = np.unique(cells, return_inverse=True)
    return np.array([known.get(float(v), float(v)) for v in unique], dtype=np.float64)[at.reshape(-1)]
