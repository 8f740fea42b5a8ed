"""Rows of a file in which a column is not what the scenario derives it as, counted on the way.

Where a file has a column of a derived name, a rule about the name is about its cells. That these are what is
derived is no rule, so it changes no verdict: it is reported.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from barriers.arrays import Tensor
from barriers.sets import RuleError
from barriers.sets.derived import of_columns
from barriers.sets.formula import Formula
from barriers.tables.cell_kinds import TRUTHS, code_of
from lem_safe.auditor.matching import Match
from lem_safe.auditor.tally import Codes, Dates, Numbers, Tally

SPELLINGS = (str, str.upper, str.title)
TALLIES: dict[str, Callable[[], Tally]] = {"boolean": Codes, "text": Codes, "date": Dates}


@dataclass(frozen=True)
class Unequal:
    """A column that is not what it is derived as in `differ` of the rows; first: the first such row, counted
    from 1; None where rows have no numbers.
    """

    column: str
    formula: str
    rows: int
    differ: int
    first: int | None


Tallies = dict[str, Tally]
"""The counts of each column that is compared with its formula."""


class Comparing:
    """The comparison of rows with the formulas of their columns."""

    def __init__(self, match: Match, derived: Mapping[str, str] | None):
        self._own = dict[str, tuple[int, Formula]]()
        cells, names = match.reading.cells, match.names
        for name, place in of_columns(derived or {}, names).items():
            try:
                made = Formula((derived or {})[name], names, cells)
            except RuleError:  # a column that is not there, or cells of another kind
                continue
            self._own[name] = place, made

    def fresh(self) -> Tallies:
        """Counts of no row."""
        return {name: TALLIES.get(formula.kind, Numbers)() for name, (_, formula) in self._own.items()}

    def restored(self, states: Mapping[str, Any]) -> Tallies:
        """Counts that were stored."""
        found = self.fresh()
        if set(states) != set(found):
            raise ValueError("counts of other columns")
        for name, state in states.items():
            found[name].restore(state)
        return found

    def add(self, x: Float[Tensor, "p d"], n: int, to: Tallies, at: int) -> None:
        """Counts the first n of some rows; the first has the number `at`."""
        for name, (place, formula) in self._own.items():
            cells, values = x[:n, place].numpy(), formula.values(x.unbind(-1))[:n].numpy()
            cells = _truths(cells) if formula.kind == "boolean" else cells
            to[name].add(cells, values, at)

    def result(self, found: Tallies, rows: int, number: Callable[[int], int | None]) -> tuple[Unequal, ...]:
        """The columns that were not what they are derived as in some row. number: how a row is counted, from
        0.
        """
        every = []
        for name, (_, formula) in self._own.items():
            differ, first = found[name].result()
            if differ:
                at = number(first)
                every.append(Unequal(name, formula.text, rows, differ, None if at is None else at + 1))
        return tuple(every)


def _truths(cells: Float[np.ndarray, "b"]) -> Float[np.ndarray, "b"]:
    """Cells of truth values, or of the texts that are such, as 1 and 0."""
    known = {code_of(spelt(text)): value for text, value in TRUTHS.items() for spelt in SPELLINGS}
    unique, at = np.unique(cells, return_inverse=True)
    return np.array([known.get(float(v), float(v)) for v in unique], dtype=np.float64)[at.reshape(-1)]
