"""Units of independence: how many rows each cloud, chain or path has, and how many of them are inside. Memory
is proportional to the number of units, not of rows.
"""

import numpy as np
from jaxtyping import Bool, Float, Int64


class UnitCounts:
    """The running counts of each unit, by its number in the file; rows of a unit may come in any order."""

    def __init__(self) -> None:
        self._of: dict[int, list[int]] = {}

    @property
    def units(self) -> int:
        """The number of units."""
        return len(self._of)

    def add(self, unit: Int64[np.ndarray, "b"], inside: Bool[np.ndarray, "b"]) -> None:
        """Adds one block of rows."""
        numbers, place = np.unique(unit, return_inverse=True)
        rows = np.bincount(place, minlength=len(numbers))
        held = np.bincount(place, weights=inside, minlength=len(numbers)).astype(np.int64)
        for number, n, k in zip(numbers.tolist(), rows.tolist(), held.tolist(), strict=True):
            counts = self._of.setdefault(number, [0, 0])
            counts[0] += n
            counts[1] += k

    def fractions(self) -> Float[np.ndarray, "r"]:
        """The fraction of each unit's rows that is inside, in the order of first appearance."""
        counts = np.array(list(self._of.values()), dtype=np.float64)
        return counts[:, 1] / counts[:, 0]

    def touched(self) -> int:
        """The number of units with a row inside."""
        return sum(k > 0 for _, k in self._of.values())
