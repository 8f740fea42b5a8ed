"""What was learned of the columns that hold text: which of the texts that rules name have occurred, some of
the texts that did, and those of the worst rows, which are numbers to everything else.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from jaxtyping import Float

from barriers.tables.coder import FEW
from lem_safe.auditor.reading import Reading


class Learned:
    """What was learned of one column. few: texts by their codes, those with the smallest; worst: those of the
    worst rows.
    """

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.few: dict[float, str] = {}
        self.worst: dict[float, str] = {}

    def plus(self, other: "Learned") -> "Learned":
        """What was learned by both."""
        both = Learned()
        both.seen = self.seen | other.seen
        few = {**self.few, **other.few}
        both.few = {code: few[code] for code in sorted(few)[:FEW]}
        both.worst = {**self.worst, **other.worst}
        return both


class Texts:
    """What was learned of every column of text, by its place."""

    def __init__(self) -> None:
        self.columns: dict[int, Learned] = {}

    def add(self, reading: Reading, rows: Iterable[Float[np.ndarray, "k d"]]) -> None:
        """Takes over what the reading has learned so far. rows: the worst so far."""
        every = None
        for place, i in enumerate(reading.order):
            coder = reading.coders.get(i)
            if coder is None or coder.kind != "text":
                continue
            learned = self.columns.setdefault(place, Learned())
            learned.seen, learned.few = set(coder.seen), coder.few()
            every = every or [x for x in rows if len(x)]
            codes = {float(code) for x in every for code in x[:, place] if not np.isnan(code)}
            known = {code: learned.worst.get(code) or coder.text(code) for code in codes}
            learned.worst = {code: text for code, text in known.items() if text is not None}

    def teach(self, reading: Reading) -> None:
        """Tells a reading what was learned."""
        for place, learned in self.columns.items():
            reading.coders[reading.order[place]].recall(learned.seen, learned.few, learned.worst)

    def plus(self, other: "Texts") -> "Texts":
        """What was learned by both."""
        both = Texts()
        for place in sorted({*self.columns, *other.columns}):
            none = Learned()
            both.columns[place] = self.columns.get(place, none).plus(other.columns.get(place, none))
        return both

    def state(self) -> list[Any]:
        """What there is to store."""
        return [
            [place, sorted(own.seen), sorted(own.few.items()), sorted(own.worst.items())]
            for place, own in sorted(self.columns.items())
        ]

    @classmethod
    def of_state(cls, state: Iterable[Any]) -> "Texts":
        """What was stored."""
        found = cls()
        for place, seen, few, worst in state:
            own = found.columns[int(place)] = Learned()
            own.seen, own.few, own.worst = set(map(str, seen)), _texts(few), _texts(worst)
        return found


def _texts(pairs: Iterable[Any]) -> dict[float, str]:
    return {float(code): str(text) for code, text in pairs}
