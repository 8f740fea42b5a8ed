"""Whole numbers added up by number: what is known of each unit of the rows. Memory is proportional to the
number of units, and sums do not depend on the order of what is added.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt64

PENDING = 1 << 16
"""Units that may wait to be added."""


class Sums:
    """Sums modulo 2**64, several of each unit."""

    def __init__(self, columns: int) -> None:
        self._numbers: Int64[np.ndarray, u] = np.empty(0, dtype=np.int64)
        self._sums: UInt64[np.ndarray, "u k"] = np.empty((0, columns), dtype=np.uint64)
        self._waiting: list[tuple[Int64[np.ndarray, p], UInt64[np.ndarray, "p k"]]] = []
        self._many = 0

    def add(self, numbers: Int64[np.ndarray, "p"], values: UInt64[np.ndarray, "p k"]) -> None:
        """Adds the values of some units, each of which may occur several times."""
        self._waiting.append(_added(numbers, values))
        self._many += len(self._waiting[-1][0])
        if self._many > max(PENDING, len(self._numbers)):
            self._settle()

    @property
    def numbers(self) -> Int64[np.ndarray, "u"]:
        """The numbers of the units, ascending."""
        self._settle()
        return self._numbers

    @property
    def sums(self) -> UInt64[np.ndarray, "u k"]:
        """The sums of the units, in the order of their numbers."""
        self._settle()
        return self._sums

    def plus(self, other: "Sums") -> "Sums":
        """The sums of both."""
        both = Sums(self.sums.shape[1])
        both._waiting = [(part.numbers, part.sums) for part in (self, other)]
        both._settle()
        return both

    def state(self) -> dict[str, Any]:
        """What there is to store."""
        return {"numbers": self.numbers, "sums": self.sums}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "Sums":
        """The sums that were stored."""
        found = cls(state["sums"].shape[1])
        found.add(state["numbers"], state["sums"])
        return found

    def _settle(self) -> None:
        if not self._waiting:
            return
        every = [(self._numbers, self._sums), *self._waiting]
        self._numbers, self._sums = _added(*(np.concatenate(parts) for parts in zip(*every, strict=True)))
        self._waiting, self._many = [], 0


def _added(
    numbers: Int64[np.ndarray, "p"], values: UInt64[np.ndarray, "p k"]
) -> tuple[Int64[np.ndarray, "u"], UInt64[np.ndarray, "u k"]]:
    """Each number once, ascending, with the sum of its values."""
    if not len(numbers):
        return numbers, values
    order = np.argsort(numbers, kind="stable")
    numbers, values = numbers[order], values[order]
    first = np.flatnonzero(np.concatenate([[True], numbers[1:] != numbers[:-1]]))
    return numbers[first], np.add.reduceat(values, first, axis=0)
