"""In how many rows a column is not what is computed of them, at the digits or the step that all its cells
have: these are known at the end, so rows are counted at each that can still be.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from barriers.tables.equality import DATE_STEPS, DIGITS, on_decimals, on_steps, same


class Tally(ABC):
    """units: what cells may be rounded to, the coarsest first; after these, to nine digits."""

    rounded: ClassVar[tuple[float, ...]]

    def __init__(self) -> None:
        self.units: tuple[float | None, ...] = (*self.rounded, None)
        self._at = 0
        self._differ = [0] * len(self.units)
        self._first = [0] * len(self.units)

    @abstractmethod
    def fits(self, cells: Float[np.ndarray, "b"], unit: int) -> bool:
        """Whether all cells are written to a unit, by its place."""

    def add(self, cells: Float[np.ndarray, "b"], values: Float[np.ndarray, "b"], at: int) -> None:
        """Counts some rows; at: the number of the first of them."""
        last = len(self.units) - 1
        if self._at < last and not self.fits(cells, self._at):  # the coarsest that fits, whatever came before
            self._at = max(self._at, next((k for k in range(last) if self.fits(cells, k)), last))
        for k in range(self._at, len(self.units)):
            differ = ~same(values, cells, self.units[k])
            if differ.any():
                first = at + int(differ.argmax())
                self._first[k] = first if not self._differ[k] else min(self._first[k], first)
                self._differ[k] += int(differ.sum())

    def plus(self, other: "Tally") -> "Tally":
        """The counts of the rows of both."""
        both = type(self)()
        both._at = max(self._at, other._at)
        for k in range(both._at, len(self.units)):
            both._differ[k] = self._differ[k] + other._differ[k]
            both._first[k] = min((t._first[k] for t in (self, other) if t._differ[k]), default=0)
        return both

    def state(self) -> dict[str, Any]:
        """What there is to store."""
        at, none = self._at, [0] * self._at
        return {"at": at, "differ": none + self._differ[at:], "first": none + self._first[at:]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over what was stored."""
        self._at = int(state["at"])
        self._differ, self._first = list(map(int, state["differ"])), list(map(int, state["first"]))
        if not len(self._differ) == len(self._first) == len(self.units) > self._at >= 0:
            raise ValueError("counts of other units")

    def result(self) -> tuple[int, int]:
        """How many rows differ, and the number of the first of them; 0 where none does."""
        k = self.place()
        return self._differ[k], self._first[k]

    def place(self) -> int:
        """The unit of all cells."""
        return self._at


class Numbers(Tally):
    """Cells with a fixed number of decimals, or any."""

    rounded = tuple(10.0**-digits for digits in range(DIGITS))

    def __init__(self) -> None:
        super().__init__()
        self._most = 0.0

    def fits(self, cells: Float[np.ndarray, "b"], unit: int) -> bool:
        return on_decimals(cells, unit)

    def add(self, cells: Float[np.ndarray, "b"], values: Float[np.ndarray, "b"], at: int) -> None:
        self._most = max(self._most, float(np.abs(cells[np.isfinite(cells)]).max(initial=0.0)))
        super().add(cells, values, at)

    def plus(self, other: Tally) -> Tally:
        both = super().plus(other)
        if isinstance(both, Numbers):
            both._most = max(t._most for t in (self, other) if isinstance(t, Numbers))
        return both

    def state(self) -> dict[str, Any]:
        return {**super().state(), "most": self._most}

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        self._most = float(state["most"])

    def place(self) -> int:
        """No fixed number of decimals where these and the digits before them are more than float64 holds."""
        whole = len(f"{self._most:.0f}")
        return self._at if self._at + whole <= DIGITS else len(self.units) - 1


class Dates(Tally):
    """Cells that are days, or times to the minute, to the second or finer."""

    rounded = DATE_STEPS

    def fits(self, cells: Float[np.ndarray, "b"], unit: int) -> bool:
        return on_steps(cells, DATE_STEPS[unit])


class Codes(Tally):
    """Cells that are truth values, or codes of texts."""

    rounded = (1.0,)

    def fits(self, cells: Float[np.ndarray, "b"], unit: int) -> bool:
        return True
