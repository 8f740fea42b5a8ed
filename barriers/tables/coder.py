"""The cells of one column as numbers, block by block, with what is learned of the column on the way."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from barriers.tables.cell_kinds import CellKind, code_of, date_text, ticks_of, truth_of
from barriers.tables.cells import is_missing
from barriers.tables.first_row import number

MOST = 1_000_000
"""Different texts that are remembered at a time."""
FEW = 2000
"""Different values of a column among which a misspelt one is looked for: those with the smallest codes."""
REMEDY = "mend it, or the rule that says so"
"""What to do about a cell that is no value of its kind, where a rule says which."""


class Coded(NamedTuple):
    """Some cells as numbers: NaN where one is missing, and also where it is `bad`, no value of this kind."""

    values: Float[np.ndarray, "b"]
    bad: Bool[np.ndarray, "b"]


class Coder:
    """The reading of one column: how its cells are read, whether they may be missing, and the texts that
    rules name in it.

    A text that a rule names is a value even where it usually says that there is none: `region == 'NA'`.
    seen: which of the named texts have occurred. remedy: what a message says about a cell that is no value of
    this kind; None where a rule says the kind.
    """

    def __init__(
        self, kind: CellKind, named: Iterable[str] = (), gaps: bool = False, remedy: str | None = None
    ):
        self.kind, self.gaps, self.remedy = kind, gaps, remedy
        self.named = frozenset(text.strip() for text in named)
        self.seen: set[str] = set()
        self._known: dict[str, float] = {}
        self._texts: dict[float, str] = {}
        self._before: dict[float, str] = {}
        self._few: dict[float, str] = {}
        self._limit = float("inf")  # codes from this one on are not among the smallest
        self._clear()

    def codes(self, cells: Sequence[str | None]) -> Coded:
        """The numbers of cells as written; None is a missing one."""
        found = [self.number(cell) for cell in cells]
        bad = np.array([value is None for value in found], dtype=bool)
        return Coded(np.array([np.nan if v is None else v for v in found], dtype=np.float64), bad)

    def missing(self, cell: str) -> bool:
        """Whether a cell as written says that there is no value."""
        return is_missing(cell) and cell.strip() not in self.named

    def shown(self, value: float) -> str:
        """A cell as a person reads it, of its number; empty where it is missing."""
        if np.isnan(value):
            return ""
        if self.kind == "text":
            return self.text(value) or f"#{value:.0f}"
        if self.kind == "boolean":
            return "true" if value else "false"
        return date_text(value) if self.kind == "date" else repr(value)

    def text(self, code: float) -> str | None:
        """The text of a code; None where it is not remembered, as that of a cell of the last MOST is."""
        return self._texts.get(code, self._before.get(code))

    def few(self) -> dict[float, str]:
        """Different texts that have occurred, by their codes, ascending: the FEW smallest."""
        codes = sorted(self._few)
        if len(codes) > FEW:
            self._limit = codes[FEW]
        self._few = {code: self._few[code] for code in codes[:FEW]}
        return dict(self._few)

    def values(self) -> list[str]:
        """Different texts that have occurred; at most FEW."""
        return sorted(self.few().values())

    def recall(self, seen: Iterable[str], few: Mapping[float, str], others: Mapping[float, str]) -> None:
        """Takes over what another reading of the column has learned. others: more texts by their codes."""
        self.seen |= set(seen)
        self._few |= few
        self._texts |= {**few, **others}

    def _clear(self) -> None:
        self._known.clear()
        self._before, self._texts = self._texts, {code_of(text): text for text in self.named}

    def number(self, cell: str | None) -> float | None:
        """The number of one cell; None where it is no value of this kind."""
        if cell is None:
            return np.nan
        if cell in self._known:
            return self._known[cell]
        text = cell.strip()
        if self.missing(text):
            value: float | None = np.nan
        else:
            value = self._code(text) if self.kind == "text" else READ[self.kind](text)
        if value is not None:
            if len(self._known) >= MOST:
                self._clear()
            self._known[cell] = value
        return value

    def _code(self, text: str) -> float | None:
        """The code of a text; None where another one of this column has the same."""
        code = code_of(text)
        if self._texts.setdefault(code, text) != text:
            return None
        if text in self.named:
            self.seen.add(text)
        if code < self._limit:
            self._few[code] = text
            if len(self._few) > 2 * FEW:
                self.few()
        return code


READ: dict[str, Callable[[str], float | None]] = {
    "number": number,
    "date": ticks_of,
    "boolean": truth_of,
}
"""What reads a cell that is no text."""

WANTED = {
    "number": "a number",
    "date": "a date as 2020-12-31 or 2020-12-31T10:30:00, to the microsecond",
    "boolean": "true or false",
    "text": "a text that can be told from all others (its code is taken)",
}
"""What a cell of each kind is, in messages."""


def kind_of_cells(cells: Iterable[str | None]) -> CellKind | None:
    """What all of these cells are that are not missing: numbers, dates, else text; None where all are
    missing.

    >>> kind_of_cells(["", "2020-01-31"]), kind_of_cells(["1", "x"]), kind_of_cells(["NA"])
    ('date', 'text', None)
    """
    there = [cell for cell in cells if cell is not None and not is_missing(cell)]
    if not there:
        return None
    if all(number(cell) is not None for cell in there):
        return "number"
    return "date" if all(ticks_of(cell) is not None for cell in there) else "text"
