"""Rows of a file in which a column is not what the scenario derives it as, counted on the way.

Where a file has a column of a derived name, a rule about the name is about its cells. That these are what is
derived is no rule, so it changes no verdict: it is reported.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from barriers.sets import RuleError
from barriers.sets.derived import of_columns
from barriers.sets.formula import Formula
from barriers.tables.cell_kinds import TRUTHS, code_of
from lem_safe.auditor.matching import Match
from lem_safe.auditor.samples import Block
from lem_safe.auditor.tally import Codes, Dates, Numbers, Tally

SPELLINGS = (str, str.upper, str.title)
TALLIES: dict[str, Callable[[], Tally]] = {"boolean": Codes, "text": Codes, "date": Dates}


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
        self._tallies = dict[str, Tally]()
        cells, names = match.reading.cells, match.names
        for name, place in of_columns(derived or {}, names).items():
            try:
                made = Formula((derived or {})[name], names, cells)
            except RuleError:  # a column that is not there, or cells of another kind
                continue
            self._own[name] = place, made
            self._tallies[name] = TALLIES.get(made.kind, Numbers)()

    def passing(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """The same blocks."""
        for block in blocks:
            for name, (place, formula) in self._own.items():
                cells, values = block.x[:, place].numpy(), formula.values(block.x.unbind(-1)).numpy()
                cells = _truths(cells) if formula.kind == "boolean" else cells
                self._tallies[name].add(cells, values, self._rows)
            self._rows += len(block.x)
            yield block

    def result(self) -> tuple[Unequal, ...]:
        """The columns that were not what they are derived as in some row."""
        found = {name: tally.result() for name, tally in self._tallies.items()}
        return tuple(
            Unequal(name, self._own[name][1].text, self._rows, differ, first)
            for name, (differ, first) in found.items()
            if differ
        )


def _truths(cells: Float[np.ndarray, "b"]) -> Float[np.ndarray, "b"]:
    """Cells of truth values, or of the texts that are such, as 1 and 0."""
    known = {code_of(spelt(text)): value for text, value in TRUTHS.items() for spelt in SPELLINGS}
    unique, at = np.unique(cells, return_inverse=True)
    return np.array([known.get(float(v), float(v)) for v in unique], dtype=np.float64)[at.reshape(-1)]
