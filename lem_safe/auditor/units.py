"""Units of independence: how many rows each cloud, chain or path has, and how many of them are inside. Memory
is proportional to the number of units, not of rows.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int64

from lem_safe.auditor.sums import Sums


class UnitCounts:
    """The running counts of each unit, by its number in the file; rows of a unit may come in any order."""

    def __init__(self, sums: Sums | None = None) -> None:
        self._sums = Sums(2) if sums is None else sums

    @property
    def units(self) -> int:
        """The number of units."""
        return len(self._sums.numbers)

    @property
    def numbers(self) -> Int64[np.ndarray, "r"]:
        """The numbers of the units, ascending."""
        return self._sums.numbers

    def add(self, unit: Int64[np.ndarray, "b"], inside: Bool[np.ndarray, "b"]) -> None:
        """Adds one block of rows."""
        self._sums.add(unit, np.stack([np.ones(len(unit), dtype=np.uint64), inside.astype(np.uint64)], 1))

    def fractions(self) -> Float[np.ndarray, "r"]:
        """The fraction of each unit's rows that is inside, in the order of the units' numbers."""
        counts = self._sums.sums.astype(np.float64)
        return counts[:, 1] / counts[:, 0]

    def touched(self) -> int:
        """The number of units with a row inside."""
        return int((self._sums.sums[:, 1] > 0).sum())

    def plus(self, other: "UnitCounts") -> "UnitCounts":
        """The counts of both."""
        return UnitCounts(self._sums.plus(other._sums))

    def state(self) -> dict[str, Any]:
        """What there is to store."""
        return self._sums.state()

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "UnitCounts":
        """The counts that were stored."""
        return cls(Sums.of_state(state))
