"""In how many rows a column is not what is computed of them, at the digits or the step that all its cells
have: these are known at the end, so rows are counted at each that can still be.
"""

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Float

from barriers.tables.equality import DATE_STEPS, DIGITS, on_decimals, on_steps, same


class Tally(ABC):
    """units: what cells may be rounded to, the coarsest first; after these, to nine digits."""

    def __init__(self, units: tuple[float, ...]):
        self.units: tuple[float | None, ...] = (*units, None)
        self._at = 0
        self._differ = [0] * len(self.units)
        self._first = [0] * len(self.units)

    @abstractmethod
    def fits(self, cells: Float[np.ndarray, "b"], unit: int) -> bool:
        """Whether all cells are written to a unit, by its place."""

    def add(self, cells: Float[np.ndarray, "b"], values: Float[np.ndarray, "b"], before: int) -> None:
        """Counts some rows; before: how many came before these."""
        while self._at < len(self.units) - 1 and not self.fits(cells, self._at):
            self._at += 1
        for k in range(self._at, len(self.units)):
            differ = ~same(values, cells, self.units[k])
            if differ.any():
                self._first[k] = self._first[k] or before + int(differ.argmax()) + 1
                self._differ[k] += int(differ.sum())

    def result(self) -> tuple[int, int]:
        """How many rows differ, and the first of them, counted from 1; 0 where none does."""
        k = self.place()
        return self._differ[k], self._first[k]

    def place(self) -> int:
        """The unit of all cells."""
        return self._at


class Numbers(Tally):
    """Cells with a fixed number of decimals, or any."""

    def __init__(self) -> None:
        super().__init__(tuple(10.0**-digits for digits in range(DIGITS)))
        self._most = 0.0

    def fits(self, cells: Float[np.ndarray, "b"], unit: int) -> bool:
        return on_decimals(cells, unit)

    def add(self, cells: Float[np.ndarray, "b"], values: Float[np.ndarray, "b"], before: int) -> None:
        self._most = max(self._most, float(np.abs(cells[np.isfinite(cells)]).max(initial=0.0)))
        super().add(cells, values, before)

    def place(self) -> int:
        """No fixed number of decimals where these and the digits before them are more than float64 holds."""
        whole = len(f"{self._most:.0f}")
        return self._at if self._at + whole <= DIGITS else len(self.units) - 1


class Dates(Tally):
    """Cells that are days, or times to the minute, to the second or finer."""

    def __init__(self) -> None:
        super().__init__(DATE_STEPS)

    def fits(self, cells: Float[np.ndarray, "b"], unit: int) -> bool:
        return on_steps(cells, DATE_STEPS[unit])


class Codes(Tally):
    """Cells that are truth values, or codes of texts."""

    def __init__(self) -> None:
        super().__init__((1.0,))

    def fits(self, cells: Float[np.ndarray, "b"], unit: int) -> bool:
        return True
